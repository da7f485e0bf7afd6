"""Training rows for other people's trainers: a release's or a run's, as JSONL.

In: a release on a target, or a run's directory. Out: lines in one of ``FORMATS``. What a row itself does
not hold (its leaf's path, the taxonomy commit, who contributed it, under which licence) is joined here,
from the manifest and the leaves beside it, so that a rename never alters a row.

    messages      {id, messages, metadata: {leaf, commit, contributor, licences, …}}: TRL, axolotl and
                  InstructLab's training read it as it is
    openai        {messages}, and no other key, which OpenAI's fine-tuning would refuse
    trl           {prompt, completion}: TRL takes the loss of the completion alone
    instructlab   {id, messages, metadata, unmask} as instructlab-sdg writes it, in a file a phase:
                  a system turn first, metadata as a JSON string, knowledge unmasked
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipelines.artifacts import canonical_json, said
from pipelines.errors import GraftError
from pipelines.leaves import leaf_from_json
from pipelines.records import Json, Leaf, as_json
from pipelines.release.manifest import leaf_file
from pipelines.release.targets import Target

SOURCES = "sources.json"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the rows of a leaf come from."""

    leaf: str
    kind: str
    commit: str
    contributor: str
    licences: tuple[str, ...]
    domain: str


@dataclass(frozen=True, slots=True)
class Exported:
    """A stored row as plain JSON, with where it comes from."""

    row: Json
    source: Provenance


def provenance(leaf: Leaf, path: str, commit: str) -> Provenance:
    """Of the leaf that ``commit`` has at ``path``."""
    licences = tuple(sorted({block.licence for block in leaf.attribution}))
    return Provenance(path, leaf.kind, commit, leaf.created_by, licences, leaf.domain)


# --- where rows come from --------------------------------------------------------------------


def sources(leaves: Mapping[str, Leaf], commit: str) -> Json:
    """What a run writes down of its leaves by content hash, so that it can be exported later."""
    return {
        leaf.content_hash: as_json(provenance(leaf, path, commit)) for path, leaf in leaves.items()
    }


def release_rows(target: Target, tag: str) -> Iterator[Exported]:
    """Every row of a release by leaf; what was withdrawn since is left out."""
    manifest = target.manifest(tag)
    withdrawn = {stone.content_hash for stone in target.tombstones()}
    directory = target.directory(tag)
    for path, entry in sorted(manifest.leaves.items()):
        if entry.content_hash in withdrawn:
            continue
        leaf = released_leaf(directory, entry.content_hash)
        source = provenance(leaf, path, manifest.taxonomy_commit)
        yield from _rows(target.read_blob(entry.data_hash), source)


def released_leaf(directory: Path, content_hash: str) -> Leaf:
    """A leaf as the release in a folder keeps it."""
    place = directory / leaf_file(content_hash)
    try:
        return leaf_from_json(json.loads(place.read_bytes()))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise GraftError(
            f"{place} cannot be read as a leaf; `graft release verify` finds what else is damaged."
        ) from error


def run_rows(directory: Path) -> Iterator[Exported]:
    """Every row that a run has made, released or not."""
    rows = directory / "dataset" / "rows"
    try:
        found = json.loads((directory / SOURCES).read_bytes())
    except (OSError, ValueError):
        found = None
    if found is None or not rows.is_dir():
        raise GraftError(f"{directory} holds no rows; `graft generate` makes them.")
    for path in sorted(rows.glob("*.jsonl"), key=lambda path: str(found[path.stem]["leaf"])):
        entry = found[path.stem]
        source = Provenance(**{**entry, "licences": tuple(entry["licences"])})
        yield from _rows(path.read_bytes(), source)


def _rows(data: bytes, source: Provenance) -> Iterator[Exported]:
    for line in data.splitlines():
        yield Exported(json.loads(line), source)


# --- what is written -------------------------------------------------------------------------

Shape = Callable[[Exported, str], Json]


def _turns(found: Exported, system: str) -> list[Json]:
    own = [{"role": turn["role"], "content": turn["content"]} for turn in found.row["messages"]]
    return [{"role": "system", "content": system}, *own] if system else own


def _metadata(found: Exported) -> Json:
    row, source = found.row, found.source
    return {
        "leaf": source.leaf,
        "commit": source.commit,
        "contributor": source.contributor,
        "licences": list(source.licences),
        "phase": phase(found),
        "document": row["document"],
        "span": row["span"],
        "seeds": row["seeds"],
        "teacher": row["teacher"],
    }


def phase(found: Exported) -> str:
    """The phase of LAB that a row is trained in."""
    return "knowledge" if found.source.kind == "knowledge" else "skills"


def _messages(found: Exported, system: str) -> Json:
    return {
        "id": found.row["id"], "messages": _turns(found, system), "metadata": _metadata(found)
    }  # fmt: skip


def _openai(found: Exported, system: str) -> Json:
    return {"messages": _turns(found, system)}


def _trl(found: Exported, system: str) -> Json:
    *prompt, answer = _turns(found, system)
    return {"prompt": prompt, "completion": [answer]}


def _instructlab(found: Exported, system: str) -> Json:
    own = [turn for turn in _turns(found, "") if turn["role"] != "system"]
    metadata = {**_metadata(found), "domain": found.source.domain}
    return {
        "id": found.row["id"],
        "messages": [{"role": "system", "content": system}, *own],
        "metadata": canonical_json(metadata).decode(),
        "unmask": phase(found) == "knowledge",
    }


FORMATS: dict[str, Shape] = {
    "messages": _messages,
    "instructlab": _instructlab,
    "openai": _openai,
    "trl": _trl,
}


def export(rows: Iterable[Exported], form: str, system: str, out: str, name: str) -> dict[str, int]:
    """Write ``rows`` to the file ``out`` ("-" is standard output); rows by the file that has them.

    With ``instructlab`` ``out`` is a folder, and ``name`` a part of its files' names. Files appear
    whole or not at all.
    """
    shape = FORMATS[form]
    counts: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        open_files: dict[str, BinaryIO] = {}
        for found in rows:
            place = out
            if form == "instructlab":
                place = os.path.join(out, f"{phase(found)}_train_msgs_{name}.jsonl")
            if place not in open_files:
                open_files[place] = stack.enter_context(_whole(place))
            open_files[place].write(canonical_json(shape(found, system)) + b"\n")
            counts[place] = counts.get(place, 0) + 1
    return counts


@contextlib.contextmanager
def _whole(place: str) -> Iterator[BinaryIO]:
    """A file that takes its place when everything is written."""
    if place == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(place)
    with said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
