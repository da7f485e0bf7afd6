"""What a run mixes and how it trains it: rows by leaf and phase, chunks for distractors, external data.

In: a ``Job`` and its conversations by content hash. Out: the stage directory ``mix``, and weights that
went through its phases one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

from pipelines.artifacts import digest, file_digest, finished, stage
from pipelines.documents import Library, documents
from pipelines.job import Job
from pipelines.mix import (
    MIX_VERSION,
    Ingredients,
    Located,
    Phase,
    Source,
    Talk,
    mix,
)
from pipelines.mix.external import located, read_external
from pipelines.records import Leaf, LeafData, Message

Rows = Mapping[str, Collection[Talk]]


def make_mix(job: Job, data: Mapping[str, LeafData], new: Rows, old: Rows) -> Path:
    """The finished stage ``mix`` of a run; ``data`` is what there is of each leaf."""
    assert job.recipe.mix is not None
    files = [(entry, located(entry, job.options.cache)) for entry in job.recipe.mix.external]
    inputs = {
        "new": digest(new),
        "old": digest({content_hash: data[content_hash].data_hash for content_hash in old}),
        "mix": digest([job.recipe.mix, job.recipe.seed, job.recipe.student.positions]),
        "external": digest([file_digest(path).sha256 for _, path in files]),
    }
    place = job.directory / "mix"
    if finished(place, inputs, MIX_VERSION):
        job.say("mix: finished before")
        return place
    with stage(place, inputs=inputs, version=MIX_VERSION, section=job.recipe.mix) as out:
        rows, chunks = _grounds(job, data, new) if job.recipe.mix.raft else ([], {})
        found = Ingredients(
            new=_sources(job, new),
            old=_sources(job, old),
            external=[read_external(entry, path, job.recipe.seed) for entry, path in files],
            located=rows,
            chunks=chunks,
        )
        mix(found, job.recipe, out, job.say)
    return place


def _sources(job: Job, rows: Rows) -> list[Source]:
    leaves = {leaf.content_hash: (path, leaf) for path, leaf in job.leaves.items()}
    return [
        Source(content_hash, leaves[content_hash][0], _phase(leaves[content_hash][1]), talks)
        for content_hash, talks in rows.items()
    ]


def _phase(leaf: Leaf) -> Phase:
    return "knowledge" if leaf.kind == "knowledge" else "skills"


def _grounds(
    job: Job, data: Mapping[str, LeafData], new: Rows
) -> tuple[list[Located], dict[str, list[str]]]:
    """The new knowledge rows with the span of a document that each was made from."""
    library = Library(job.options.cache, job.options.policy.documents)
    read = partial(documents, job.now.tree, library=library)
    rows: list[Located] = []
    chunks: dict[str, list[str]] = {}
    for leaf in job.leaves.values():
        if leaf.kind != "knowledge" or not new.get(leaf.content_hash):
            continue
        texts = {document.path: document.text for document in read(leaf)}
        wanted = set(new[leaf.content_hash])
        for line in job.row_bytes(
            leaf.content_hash, data[leaf.content_hash].data_hash
        ).splitlines():
            row = json.loads(line)
            talk = tuple(Message(turn["role"], turn["content"]) for turn in row["messages"])
            if row["span"] is None or row["document"] not in texts or talk not in wanted:
                continue
            start, end = row["span"]
            chunk = texts[row["document"]][start:end]
            rows.append(Located(talk, leaf.content_hash, chunk))
            chunks.setdefault(leaf.content_hash, []).append(chunk)
    return rows, chunks
