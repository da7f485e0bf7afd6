"""What a run trains on: rows that are new and rows that were seen; mixed, chunks for distractors and external
data besides.

In: a ``Job`` and what there is of each leaf. Out: conversations by content hash; the stage directory ``mix``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pipelines.artifacts import (
    OldRows,
    Rows,
    StoredRows,
    conversations,
    digest,
    file_digest,
    finished,
    sha256,
    stage,
)
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


def rows_of(job: Job, data: Mapping[str, LeafData]) -> tuple[Rows, OldRows]:
    """Conversations by content hash: those that the weights lack, and those that they have seen.

    Of the latter only those of changed leaves are held: however many leaves there are, the memory is that
    of the new ones.
    """
    learn = {job.leaves[path].content_hash: path for path in job.plan.learn}
    new: dict[str, Sequence[Talk]] = {}
    old: dict[str, Iterable[Talk]] = {}
    for content_hash, made in data.items():
        read = partial(job.row_bytes, content_hash, made.data_hash)
        path = learn.get(content_hash)
        if path is None:
            if made.data_hash != sha256(b""):
                old[content_hash] = StoredRows(read)
            continue
        rows = conversations(read())
        before = job.start.leaves.get(path) if job.start else None
        known = set(conversations(job.now.target.read_blob(before.data_hash))) if before else set()
        new[content_hash] = [row for row in rows if row not in known]
        seen = [row for row in rows if row in known]
        if seen:
            old[content_hash] = seen
    return new, old


def make_mix(job: Job, data: Mapping[str, LeafData], new: Rows, old: OldRows) -> Path:
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


def _sources(job: Job, rows: OldRows) -> list[Source]:
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
