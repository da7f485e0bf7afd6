"""Taking a leaf out for good: who has seen it, what of it is deleted, and the certificate of both.

In: a leaf's path, the target, runs and the cache. Out: a ``Certificate``: the releases that are yanked, the
proof that no ancestor of what is released next has seen the leaf, what was deleted here, and what cannot be.
Doing it again finishes what was stopped, and writes the certificate anew.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipelines.artifacts import lock, sha256
from pipelines.documents.upkeep import prune_mirrors
from pipelines.errors import GraftError
from pipelines.generate.upkeep import forget, named_calls
from pipelines.leaves import leaf_from_json
from pipelines.records import Leaf, Plan
from pipelines.release.manifest import MANIFEST, leaf_file, lineage
from pipelines.release.targets import Target

SHORTEST = 20  # characters of a text that tells its leaf: shorter ones stand in other prompts too
NO_CACHE = float("inf")
# Accelerators, by what is in them; a run makes anew what it needs.
CACHES = {"answers": "students' answers", "converted": "converted documents", "near": "indexes"}


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A release on whose weights the next one stands; ``manifest``: SHA-256 of its manifest.json."""

    release: str
    manifest: str
    seen: bool


@dataclass(frozen=True, slots=True)
class Removed:
    """What was deleted here, and how much of it."""

    what: str
    where: str
    count: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """What ``schema/certificate.json`` says. ``contents`` are the content hashes that the leaf ever had."""

    leaf: str
    contents: tuple[str, ...]
    reason: str
    at: str
    yanked: tuple[str, ...]
    action: str
    ancestors: tuple[Ancestor, ...]
    removed: tuple[Removed, ...]
    remains: tuple[str, ...]


def contents_of(target: Target, leaf: str) -> tuple[str, ...]:
    """Every content that a release, or the record of what was withdrawn, has under the leaf's path."""
    found = [stone.content_hash for stone in target.tombstones() if stone.leaf == leaf]
    for tag in target.tags():
        manifest = target.manifest(tag)
        if leaf in manifest.leaves:
            found.append(manifest.leaves[leaf].content_hash)
        found += [gone.content_hash for gone in manifest.retired if gone.leaf == leaf]
    if not found:
        raise GraftError(f"No release holds the leaf {leaf}; `graft log` tells what they hold.")
    return tuple(dict.fromkeys(found))


def ancestors(target: Target, plan: Plan, contents: Collection[str]) -> tuple[Ancestor, ...]:
    """The releases on which the next one will stand, and whether one of them has seen the content."""
    if plan.continues is None:
        return ()
    return tuple(
        Ancestor(
            manifest.release,
            sha256((target.directory(manifest.release) / MANIFEST).read_bytes()),
            not manifest.seen.isdisjoint(contents),
        )
        for manifest in lineage(target, plan.continues)
    )


def withdraw(
    leaf: str, reason: str, plan: Plan, target: Target, runs: Path, cache: Path
) -> Certificate:
    """Record the withdrawal, delete what holds the leaf here, and say so. ``plan`` is of the next run."""
    contents = contents_of(target, leaf)
    above = ancestors(target, plan, contents)
    if any(one.seen for one in above):
        raise AssertionError(f"the rebuild would continue what has seen {leaf}: {above}")
    for content_hash in contents:
        target.withdraw(leaf, content_hash, reason)
    tainted = _tainted(target, contents)
    removed, stuck = _purge(contents, tainted, target, runs, cache)
    return Certificate(
        leaf=leaf,
        contents=contents,
        reason=next(s.reason for s in target.tombstones() if s.content_hash in contents),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        yanked=tainted,
        action=plan.action,
        ancestors=above,
        removed=removed,
        remains=_remains(leaf, tainted, stuck, target),
    )


def _tainted(target: Target, contents: Collection[str]) -> tuple[str, ...]:
    manifests = map(target.manifest, target.tags())
    return tuple(one.release for one in manifests if not one.seen.isdisjoint(contents))


def _purge(
    contents: Collection[str], tainted: Collection[str], target: Target, runs: Path, cache: Path
) -> tuple[tuple[Removed, ...], tuple[str, ...]]:
    """Delete it, the calls first: rows and rejects tell which they are. Also the blobs that stay."""
    made = [run for run in sorted(runs.glob("*")) if _holds(run, contents, tainted)]
    blobs, others = _blobs(target, contents)
    keys = {key for run in made for data in _data(run, contents) for key in named_calls(data)}
    keys |= _called(target, blobs)
    keys -= _called(target, others)  # another leaf with the same text still answers for those
    there = [blob for blob in blobs if target.has_blob(blob)]
    store = cache / "calls.sqlite"
    texts = {text for leaf in _leaves(target, contents) for text in _texts(leaf)}
    calls = forget(store, keys, texts) if store.is_file() else 0
    for run in made:
        _delete_run(runs, run)
    stuck = target.forget(there)
    removed = [
        Removed("answers of teacher and judge", str(store), calls),
        Removed("run folders, with data sets, weights and reports", str(runs), len(made)),
        Removed("rows and exam questions on the target", "blobs", len(there) - len(stuck)),
        *(_emptied(cache / name, what) for name, what in CACHES.items()),
        Removed("mirrors of documents", str(cache / "mirrors"), prune_mirrors(cache, NO_CACHE)[0]),
    ]
    return tuple(one for one in removed if one.count), stuck


def _holds(run: Path, contents: Collection[str], tainted: Collection[str]) -> bool:
    """Whether a run was made from the content, or from weights that have seen it."""
    try:
        plan = json.loads((run / "plan.json").read_bytes())
        wanted, continues = plan["wanted"].values(), plan["continues"]
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return False
    return continues in tainted or not set(wanted).isdisjoint(contents)


def _data(run: Path, contents: Collection[str]) -> Iterator[bytes]:
    """What of a run's data set names the calls of this content: rows, exam questions, rejects."""
    dataset = run / "dataset"
    for content_hash in contents:
        for folder in ("rows", "asked"):
            with contextlib.suppress(OSError):
                yield (dataset / folder / f"{content_hash}.jsonl").read_bytes()
    with contextlib.suppress(OSError):
        for line in (dataset / "rejects.jsonl").read_bytes().splitlines():
            if any(content_hash.encode() in line for content_hash in contents):
                yield line


def _blobs(target: Target, contents: Collection[str]) -> tuple[list[str], list[str]]:
    """Digests of the rows of this content, and of those of all other; a blob of both is the others'."""
    own: set[str] = set()
    others: set[str] = set()
    for tag in target.tags():
        for entry in target.manifest(tag).leaves.values():
            side = own if entry.content_hash in contents else others
            side |= {sha for sha in (entry.data_hash, entry.asked_hash) if sha}
    return sorted(own - others), sorted(others)


def _called(target: Target, blobs: Sequence[str]) -> set[str]:
    return {
        key for sha in blobs if target.has_blob(sha) for key in named_calls(target.read_blob(sha))
    }


def _leaves(target: Target, contents: Collection[str]) -> Iterator[Leaf]:
    """The leaf as releases carry it, each content once."""
    for content_hash in contents:
        for tag in target.tags():
            file = target.directory(tag) / leaf_file(content_hash)
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                yield leaf_from_json(json.loads(file.read_bytes()))
                break


def _texts(leaf: Leaf) -> Iterator[str]:
    """What a prompt would hold if it was made from this leaf."""
    for seed in leaf.seeds:
        for text in (seed.context, *(pair.question for pair in seed.pairs)):
            if len(text) >= SHORTEST:
                yield text.strip()


def _delete_run(runs: Path, run: Path) -> None:
    with lock(run / ".lock", f"the run {run}"):
        latest = runs / "latest"
        with contextlib.suppress(OSError):
            if latest.read_text(encoding="utf-8").strip() == run.name:
                latest.unlink()
        shutil.rmtree(run)


def _emptied(folder: Path, what: str) -> Removed:
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    shutil.rmtree(folder, ignore_errors=True)
    return Removed(what, str(folder), len(files))


def _remains(
    leaf: str, tainted: Sequence[str], stuck: Sequence[str], target: Target
) -> tuple[str, ...]:
    """What a person has to see to: sentences."""
    lines = [
        f"The history of the taxonomy's repository: every commit since the leaf {leaf} came holds its "
        "files; only its owner can rewrite it.",
        "Copies: clones and forks, mirrors and caches, backups, whatever was downloaded or exported.",
    ]
    for tag in tainted:
        lines.append(
            f"The release {tag}, yanked: its weights, its copy of the leaf, report and evaluation, "
            f"in {target.directory(tag)}; its tag is kept, and whoever deletes the folder is rid of it."
        )
    bases = {
        target.manifest(tag).base_model for tag in tainted if not target.manifest(tag).continues
    }
    for base in sorted(bases, key=lambda base: base.revision):
        if not base.on_hub:
            lines.append(
                f"The base {base.revision} was trained with the leaf, for a yanked release."
            )
    lines += [f"The rows {sha} cannot be deleted from here; its host can." for sha in stuck]
    return tuple(lines)
