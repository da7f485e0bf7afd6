"""From a training row back to what it came from: leaf lines, document span, prompt, raw answer, contributor.

In: the beginning of a sample's id, or a leaf's path, and ``Places`` to look in: runs, a target, the call
store, the taxonomy. Out: plain JSON as in schema/trace.json. What is no longer there is None, with a
reason where there is something to say. Nothing is written, and no teacher is asked.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.artifacts import row_ids
from pipelines.documents import Library, documents
from pipelines.errors import GraftError
from pipelines.generate.completions import Completions
from pipelines.git import Repository, open_repository
from pipelines.leaf_files import LEAF_FILE
from pipelines.leaves import leaf_from_json, read_leaf
from pipelines.policy import Policy
from pipelines.records import Json, Leaf
from pipelines.release.manifest import leaf_file
from pipelines.release.targets import Target
from pipelines.vetoes import Vetoes

ID = re.compile(r"[0-9a-f]{4,32}")


@dataclass(frozen=True, slots=True)
class Places:
    """Where to look: ``store`` is the call store's file, which may be absent."""

    taxonomy: Path
    runs: Path
    target: Target
    store: Path
    cache: Path
    policy: Policy
    vetoes: Vetoes


@dataclass(slots=True)
class Held:
    """Rows of one leaf's content, and who holds them: releases' tags, runs' names."""

    content_hash: str
    path: str
    commit: str
    data: bytes
    releases: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)


def trace_row(prefix: str, places: Places) -> Json:
    """The way of the one row whose id begins with ``prefix``; ``GraftError`` for none or several."""
    found: dict[str, list[Held]] = {}
    for held in _everything(places, None):
        if b'"id":"' + prefix.encode() in held.data:
            for row_id in row_ids(held.data):
                if row_id.startswith(prefix):
                    found.setdefault(row_id, []).append(held)
    if not found:
        raise GraftError(f"No run in {places.runs} and no release holds a row {prefix}….")
    if len(found) > 1:
        some = ", ".join(sorted(found)[:5])
        raise GraftError(f"{len(found)} rows begin with {prefix}: {some}; give more of the id.")
    ((row_id, holders),) = found.items()
    first = holders[0]
    row = _row(first.data, row_id)
    leaf, lines_of = _leaf(places, first)
    veto = places.vetoes.by_row.get(row_id)
    return {
        "row": row_id,
        "phase": row["phase"],
        "messages": row["messages"],
        "teacher": row["teacher"],
        "leaf": first.path,
        "content_hash": first.content_hash,
        "contributor": leaf.created_by if leaf else None,
        "commit": first.commit or None,
        "releases": _names(holders, "releases"),
        "runs": _names(holders, "runs"),
        "vetoed": veto.told if veto else None,
        "seeds": [_seed(places, leaf, lines_of, seed) for seed in row["seeds"]],
        "document": _span(places, leaf, first, row),
        "calls": _calls(places, row["calls"]),
    }


def trace_leaf(path: str, places: Places) -> Json:
    """All rows of a leaf, each content of it apart, with where their seeds stand."""
    contents = []
    for held in _everything(places, path):
        leaf, lines_of = _leaf(places, held)
        contents.append(
            {
                "content_hash": held.content_hash,
                "contributor": leaf.created_by if leaf else None,
                "commit": held.commit or None,
                "releases": held.releases,
                "runs": held.runs,
                "rows": [_short(leaf, lines_of, row, places) for row in _rows(held.data)],
            }
        )
    if not contents:
        gone = [stone for stone in places.target.tombstones() if stone.leaf == path]
        if gone:
            raise GraftError(
                f"The leaf {path} is withdrawn, and its rows are gone: {gone[0].reason}"
            )
        raise GraftError(f"No run in {places.runs} and no release holds rows of the leaf {path}.")
    return {"leaf": path, "since": since(places.target, path), "contents": contents}


def since(target: Target, path: str) -> Json:
    """Since which release the leaf is in the model without a break, and since which as it is now.

    Both None where the last release does not hold it. A leaf that was renamed is the same leaf.
    """
    leaf = content = None
    tag, held = target.head(), None
    while tag is not None and tag in target.tags():
        manifest = target.manifest(tag)
        entry = manifest.leaves.get(path)
        if entry is None and held is not None and held in manifest.known:
            path = next(p for p, one in manifest.leaves.items() if one.content_hash == held)
            entry = manifest.leaves[path]
        if entry is None:
            break
        if leaf is None or (content == leaf and entry.content_hash == held):
            content = tag
        leaf, held = tag, entry.content_hash
        tag = manifest.previous
    return {"leaf": leaf, "content": content}


# --- who holds rows --------------------------------------------------------------------------


def _everything(places: Places, leaf: str | None) -> Iterator[Held]:
    """Every leaf's rows once, oldest release first; of one leaf alone where it is named."""
    found: dict[tuple[str, str], Held] = {}
    for tag in places.target.tags():
        manifest = places.target.manifest(tag)
        for path, entry in manifest.leaves.items():
            if leaf is not None and path != leaf:
                continue
            if not places.target.has_blob(entry.data_hash):
                continue  # withdrawn: its rows are gone
            key = (entry.content_hash, entry.data_hash)
            if key not in found:
                data = places.target.read_blob(entry.data_hash)
                found[key] = Held(entry.content_hash, path, manifest.taxonomy_commit, data)
            found[key].releases.append(tag)
    by_data = {(held.content_hash, held.data): held for held in found.values()}
    for run in sorted(places.runs.glob("*/dataset/rows")):
        name, sources = run.parents[1].name, _sources(run.parents[1])
        for file in sorted(run.glob("*.jsonl")):
            source = sources.get(file.stem, {})
            path = source.get("leaf", "")
            if leaf is not None and path != leaf:
                continue
            data = file.read_bytes()
            made = Held(file.stem, path, source.get("commit", ""), data)
            by_data.setdefault((file.stem, data), made).runs.append(name)
    yield from by_data.values()


def _sources(run: Path) -> Mapping[str, Mapping[str, str]]:
    """What a run noted of its leaves, by content hash."""
    try:
        found = json.loads((run / "sources.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _names(holders: list[Held], kind: str) -> list[str]:
    return list(dict.fromkeys(name for held in holders for name in getattr(held, kind)))


def _rows(data: bytes) -> Iterator[Json]:
    return (json.loads(line) for line in data.splitlines())


def _row(data: bytes, row_id: str) -> Json:
    return next(row for row in _rows(data) if row["id"] == row_id)


# --- what they came from ---------------------------------------------------------------------


def _leaf(places: Places, held: Held) -> tuple[Leaf | None, str]:
    """The leaf and the commit that its lines are of ("" for what is checked out now)."""
    now = _read(places, None, held)
    if now is not None:
        return now, ""
    then = _read(places, held.commit, held) if held.commit else None
    if then is not None:
        return then, held.commit
    for tag in held.releases:
        file = places.target.directory(tag) / leaf_file(held.content_hash)
        try:
            return leaf_from_json(json.loads(file.read_bytes())), held.commit
        except (OSError, ValueError, LookupError, TypeError):
            continue
    return None, ""


def _read(places: Places, commit: str | None, held: Held) -> Leaf | None:
    """The leaf as the commit has it, where that is the content in question."""
    if not held.path:
        return None
    try:
        repository = open_repository(places.taxonomy)
        prefix = repository.prefix(places.taxonomy)
        leaf = read_leaf(repository.tree(commit or repository.head(), prefix), held.path)
    except GraftError:
        return None
    return leaf if leaf.content_hash == held.content_hash else None


def _seed(places: Places, leaf: Leaf | None, commit: str, seed_id: str) -> Json:
    """Where a seed stands: file, line, and the commit where the file has changed since."""
    seed = next((one for one in leaf.seeds if one.id == seed_id), None) if leaf else None
    if leaf is None or seed is None:
        return {"seed": seed_id, "path": None, "line": None, "commit": None}
    path = posixpath.join(_shown(places), leaf.path, LEAF_FILE)
    return {"seed": seed_id, "path": path, "line": seed.line, "commit": commit or None}


def _shown(places: Places) -> str:
    """The taxonomy's path in its repository."""
    try:
        return open_repository(places.taxonomy).prefix(places.taxonomy)
    except GraftError:
        return ""


def _span(places: Places, leaf: Leaf | None, held: Held, row: Json) -> Json | None:
    """The span of the document, its lines and text; where it cannot be had, why."""
    if not row["document"]:
        return None
    told = {"path": row["document"], "span": row["span"], "lines": None, "text": None}
    if leaf is None or row["span"] is None:
        return {**told, "reason": "the leaf as it was then is not there"}
    try:
        repository = open_repository(places.taxonomy)
        text = _text(places, repository, leaf, held, row["document"])
    except GraftError as error:
        return {**told, "reason": str(error)}
    start, end = row["span"]
    if text is None or end > len(text):
        return {**told, "reason": "the document as it was then is not there"}
    lines = [text.count("\n", 0, at) + 1 for at in (start, max(start, end - 1))]
    return {**told, "lines": lines, "text": text[start:end], "reason": None}


def _text(places: Places, repository: Repository, leaf: Leaf, held: Held, name: str) -> str | None:
    """The document as chunks are cut from it: converted to Markdown, of the commit of the rows."""
    prefix = repository.prefix(places.taxonomy)
    tree = repository.tree(held.commit or repository.head(), prefix)
    library = Library(places.cache, places.policy.documents)
    found = documents(tree, leaf, library)
    return next((document.text for document in found if document.path == name), None)


def _calls(places: Places, keys: list[str]) -> list[Json]:
    """Prompt and raw answer of each call, None where the store lacks them."""
    missing = {"task": None, "model": None, "prompt": None, "answer": None}
    if not places.store.is_file():
        return [{"call": key, **missing} for key in keys]
    with Completions(places.store) as store:
        found = [(key, store.recorded(key)) for key in keys]
    return [{"call": key, **(call or missing)} for key, call in found]


def _short(leaf: Leaf | None, commit: str, row: Json, places: Places) -> Json:
    return {
        "row": row["id"],
        "phase": row["phase"],
        "question": row["messages"][-2]["content"],
        "answer": row["messages"][-1]["content"],
        "seeds": [_seed(places, leaf, commit, seed)["line"] for seed in row["seeds"]],
        "document": row["document"],
        "span": row["span"],
        "vetoed": row["id"] in places.vetoes.by_row,
    }
