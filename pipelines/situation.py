"""What stands where a run begins: the commit, its leaves, the release at the head of the target.

In: ``Options``. Out: a ``Situation``, and from it the leaves that are wanted. Reads Git and the target;
writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from pipelines.artifacts import row_ids
from pipelines.changes import diff
from pipelines.compare import differing
from pipelines.errors import GraftError, LeafError, ReleaseError
from pipelines.exam import split
from pipelines.git import Repository, open_repository
from pipelines.leaves import leaf_from_json, read_leaves
from pipelines.plan import Past, branch_wanted
from pipelines.policy import Policy
from pipelines.records import ChangeSet, ExamSplit, Leaf, Manifest, Tree, Values
from pipelines.release.manifest import leaf_file, lineage
from pipelines.release.targets import Target, open_target
from pipelines.trees import changed_names
from pipelines.values import united, values_of
from pipelines.vetoes import Vetoes

Until = Literal["generate", "train", "evaluate", "report"]
# The gates that a person may overrule; the others would be lies in the report.
ALLOWABLE = ("verdict", "failures", "licences")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line chose. ``base`` is the branch that a contribution leaves from.

    ``policy`` is graft.yaml's: where documents may be fetched from. ``vetoes`` are rows that may not
    be taught. ``until`` is the last stage to be done; None does them all, and releases. ``head`` is the
    commit whose leaves are read, None the one that is checked out: all else is the work tree's. ``search``:
    how many runs more may go into finding leaves that made the model worse; ``try_held``: those that were
    found so earlier are tried again. ``allow`` names gates that shall not stand against a release, which its
    manifest tells, as it does who ``approvers`` are. ``today`` dates it.
    """

    taxonomy: Path
    recipe: str
    base: str | None
    target: str
    runs: Path
    cache: Path
    policy: Policy = field(default_factory=Policy)
    until: Until | None = None
    vetoes: Vetoes = field(default_factory=Vetoes)
    allow: frozenset[str] = frozenset()
    approvers: tuple[str, ...] = ()
    head: str | None = None
    search: int = 0
    try_held: bool = False
    today: date = field(default_factory=lambda: datetime.now(UTC).date())


@dataclass(frozen=True, slots=True)
class Situation:
    """``leaves`` are those of ``commit``; ``own`` what the branch changed since its merge base.

    ``values`` decide as the tip of the branch's base has them: not as it did when the branch left it.
    """

    repository: Repository
    prefix: str
    commit: str
    tree: Tree
    leaves: Mapping[str, Leaf]
    own: ChangeSet | None
    target: Target
    past: Past | None
    values: Values = field(default_factory=Values)

    @property
    def previous(self) -> Manifest | None:
        return self.past.previous if self.past else None


def look(options: Options) -> Situation:
    """Read the commit and the target; ``GraftError`` says which leaf or ref stands in the way."""
    repository = open_repository(options.taxonomy)
    prefix = repository.prefix(options.taxonomy)
    commit = repository.resolve(options.head or "HEAD")
    tree = repository.tree(commit, prefix)
    fork = ""
    if options.base is not None:
        fork = repository.merge_base(options.base, commit)
        changed = changed_names(repository.tree(fork, prefix), tree) if options.head else ()
        if too_many := options.policy.limits.exceeded(changed):
            raise GraftError(too_many)
    leaves = readable(tree)
    own, values = None, readable_values(tree)
    if options.base is not None:
        values = united(readable_values(repository.tree(options.base, prefix)), values)
        sides = differing(repository.tree(fork, prefix), tree)
        for problem in sides.problems:
            raise _stopped(problem.error)
        own = sides.changes(fork, commit)
    target = open_target(options.target, options.cache)
    head = target.head()
    past = None
    if head is not None:
        chain = lineage(target, head)
        withdrawn = frozenset(stone.content_hash for stone in target.tombstones())
        past = Past(chain[0], chain, withdrawn, vetoed(target, chain, options.vetoes))
    return Situation(repository, prefix, commit, tree, leaves, own, target, past, values)


def vetoed(target: Target, chain: Sequence[Manifest], vetoes: Vetoes) -> frozenset[str]:
    """The content hashes whose rows, as the newest release has them, hold a vetoed one.

    Only leaves that a veto names are looked into, so that this costs nothing a leaf.
    """
    named = {
        manifest.leaves[path].content_hash
        for manifest in chain
        for path in vetoes.leaves
        if path in manifest.leaves
    }
    rows: dict[str, str] = {}
    for manifest in chain if named else ():
        for entry in manifest.leaves.values():
            if entry.content_hash in named:
                rows.setdefault(entry.content_hash, entry.data_hash)
    return frozenset(
        content_hash
        for content_hash, data_hash in rows.items()
        if target.has_blob(data_hash)  # rows of withdrawn content are gone
        and not vetoes.by_row.keys().isdisjoint(row_ids(target.read_blob(data_hash)))
    )


def readable(tree: Tree) -> dict[str, Leaf]:
    """All leaves of a tree; one that cannot be read stops with its sentence and what to run."""
    try:
        return read_leaves(tree)
    except LeafError as error:
        raise _stopped(error) from error


def readable_values(tree: Tree) -> Values:
    """The values of a tree; a file that cannot be used stops as a leaf does."""
    try:
        return values_of(tree)
    except LeafError as error:
        raise _stopped(error) from error


def _stopped(error: LeafError) -> GraftError:
    more = "" if "`graft check`" in error.hint else " Run `graft check` for every finding."
    return GraftError(f"{error}{more}")


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
    try:
        return leaf_from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ReleaseError(
            f"{path} cannot be read as a leaf; `graft release verify` finds what else is damaged."
        ) from error


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


class Recorded:
    """The exam splits that a release recorded, asked leaf by leaf."""

    def __init__(self, target: Target, manifest: Manifest) -> None:
        self._target = target
        self._manifest = manifest
        self._by_hash = {entry.content_hash: entry for entry in manifest.leaves.values()}

    def __call__(self, leaf: Leaf) -> ExamSplit | None:
        """The split of this content, else the one of this path carried on; None for neither."""
        same = self._by_hash.get(leaf.content_hash)
        if same is not None:
            return split(leaf, same.exam, None)
        entry = self._manifest.leaves.get(leaf.path)
        if entry is None:
            return None
        old = stored_leaf(self._target, self._manifest, entry.content_hash)
        return split(leaf, entry.exam, old)


def splits(now: Situation, leaves: Mapping[str, Leaf]) -> dict[str, ExamSplit]:
    """Each leaf's exam split, sticky to what the last release recorded for its path or content."""
    recorded = Recorded(now.target, now.previous) if now.previous else lambda leaf: None
    return {path: recorded(leaf) or split(leaf, None, None) for path, leaf in leaves.items()}


def changes_since(now: Situation, leaves: Mapping[str, Leaf]) -> ChangeSet:
    """The wanted leaves against those of the last release; a leaf that both hold is not read."""
    known = now.previous.leaves if now.previous else {}
    kept = {
        path
        for path in known
        if path in leaves and known[path].content_hash == leaves[path].content_hash
    }
    before = {
        path: replace(stored_leaf(now.target, now.previous, entry.content_hash), path=path)
        for path, entry in known.items()
        if now.previous is not None and path not in kept
    }
    after = {path: leaf for path, leaf in leaves.items() if path not in kept}
    name = now.previous.release if now.previous else "nothing"
    return diff(
        before,
        after,
        base_name=name,
        head_name=now.commit,
        exams=lambda leaf: known[leaf.path].exam,
    )
