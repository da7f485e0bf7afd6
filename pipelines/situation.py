"""What stands where a run begins: the commit, its leaves, the release at the head of the target.

In: ``Options``. Out: a ``Situation``, and from it the leaves that are wanted. Reads Git and the target;
writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.changes import diff
from pipelines.errors import GraftError, LeafError
from pipelines.exam import split
from pipelines.git import Repository, open_repository
from pipelines.leaves import leaf_from_json, read_leaves
from pipelines.plan import Past, branch_wanted
from pipelines.policy import Policy
from pipelines.records import ChangeSet, ExamSplit, Leaf, Manifest, Tree
from pipelines.release.manifest import leaf_file, lineage
from pipelines.release.targets import Target, open_target


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line chose. ``base`` is the branch that a contribution leaves from.

    ``policy`` is graft.yaml's: where documents may be fetched from.
    """

    taxonomy: Path
    recipe: str
    base: str | None
    target: str
    runs: Path
    cache: Path
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Situation:
    """``leaves`` are those of ``commit``; ``own`` what the branch changed since its merge base."""

    repository: Repository
    prefix: str
    commit: str
    tree: Tree
    leaves: Mapping[str, Leaf]
    own: ChangeSet | None
    target: Target
    past: Past | None

    @property
    def previous(self) -> Manifest | None:
        return self.past.previous if self.past else None


def look(options: Options) -> Situation:
    """Read the commit and the target; ``GraftError`` says which leaf or ref stands in the way."""
    repository = open_repository(options.taxonomy)
    prefix = repository.prefix(options.taxonomy)
    commit = repository.head()
    tree = repository.tree(commit, prefix)
    leaves = readable(tree)
    own = None
    if options.base is not None:
        fork = repository.merge_base(options.base, commit)
        own = diff(
            readable(repository.tree(fork, prefix)), leaves, base_name=fork, head_name=commit
        )
    target = open_target(options.target)
    head = target.head()
    past = None
    if head is not None:
        chain = lineage(target, head)
        withdrawn = frozenset(stone.content_hash for stone in target.tombstones())
        past = Past(chain[0], chain, withdrawn)
    return Situation(repository, prefix, commit, tree, leaves, own, target, past)


def readable(tree: Tree) -> dict[str, Leaf]:
    """All leaves of a tree; one that cannot be read stops with its sentence and what to run."""
    try:
        return read_leaves(tree)
    except LeafError as error:
        more = "" if "`graft check`" in error.hint else " Run `graft check` for every finding."
        raise GraftError(f"{error}{more}") from error


def wanted(now: Situation) -> dict[str, str]:
    """Leaf → content hash: what the next release shall know."""
    everything = {path: leaf.content_hash for path, leaf in now.leaves.items()}
    if now.own is None or now.previous is None:
        return everything
    before = {path: entry.content_hash for path, entry in now.previous.leaves.items()}
    return branch_wanted(before, now.own, now.leaves)


def stored_leaf(target: Target, manifest: Manifest, content_hash: str) -> Leaf:
    """A leaf as a release carries it."""
    path = target.directory(manifest.release) / leaf_file(content_hash)
    return leaf_from_json(json.loads(path.read_bytes()))


def wanted_leaves(now: Situation, hashes: Mapping[str, str]) -> dict[str, Leaf]:
    """The leaf behind each wanted content hash: from the commit, else from the last release."""
    found: dict[str, Leaf] = {}
    for path, content_hash in hashes.items():
        leaf = now.leaves.get(path)
        if leaf is None or leaf.content_hash != content_hash:
            assert now.previous is not None, "only a release can hold what the commit lacks"
            leaf = stored_leaf(now.target, now.previous, content_hash)
        found[path] = leaf
    return found


def splits(now: Situation, leaves: Mapping[str, Leaf]) -> dict[str, ExamSplit]:
    """Each leaf's exam split, sticky to what the last release recorded for its path or content."""
    if now.previous is None:
        return {path: split(leaf, None, None) for path, leaf in leaves.items()}
    by_hash = {entry.content_hash: entry for entry in now.previous.leaves.values()}
    found = {}
    for path, leaf in leaves.items():
        entry = by_hash.get(leaf.content_hash) or now.previous.leaves.get(path)
        if entry is None:
            found[path] = split(leaf, None, None)
        else:
            old = stored_leaf(now.target, now.previous, entry.content_hash)
            found[path] = split(leaf, entry.exam, old)
    return found


def changes_since(now: Situation, leaves: Mapping[str, Leaf]) -> ChangeSet:
    """The wanted leaves against those of the last release."""
    before: dict[str, Leaf] = {}
    exams: dict[str, ExamSplit] = {}
    if now.previous is not None:
        for path, entry in now.previous.leaves.items():
            before[path] = stored_leaf(now.target, now.previous, entry.content_hash)
            exams[path] = entry.exam
    name = now.previous.release if now.previous else "nothing"
    return diff(before, leaves, base_name=name, head_name=now.commit, exams=exams)
