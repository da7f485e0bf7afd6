"""Leaves compared with the whole tree, and with open pull requests → findings.

In: the entries of the leaves that are checked, one by one, and the index of the tree. Out: findings of
the rules `near-duplicate` and `conflict`, which name the other place. The index is brought up to date
on the way: by all leaves in a check of the whole tree, else by those that are checked and those that
they are found to resemble.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pipelines.check.near_duplicates import gather
from pipelines.check.subject import TreeSubject, read_subject
from pipelines.check.twin_findings import worded
from pipelines.findings import Finding, Tree
from pipelines.near.entries import LeafEntries
from pipelines.near.index import Index, Twin

# How many entries are held in memory before they are written, and how many leaves that resemble the
# checked ones are read again to see that the index is still right about them.
PENDING = 10_000
REREAD = 200


class Also(NamedTuple):
    """A further tree, an open pull request, and how it came from this one.

    ``changed``: folders of the leaves that it adds or edits. ``base``: the leaves of the commit where
    it left this history. ``gone``: those of them that it deletes or renames.
    """

    name: str
    tree: Tree
    changed: tuple[str, ...]
    base: frozenset[str]
    gone: frozenset[str]


class TreeComparison:
    """The checked leaves, put into an index as they come; implements ``subject.Comparison``.

    ``open_index`` is called once, when the first leaf comes; where it gives None nothing is compared.
    ``whole``: every leaf of the tree is checked, so that what does not come is gone. What goes wrong
    with the index is kept in ``failure`` and raised by ``findings``.
    """

    def __init__(
        self, open_index: Callable[[], Index | None], *, whole: bool, also: Sequence[Also] = ()
    ) -> None:
        self._open = open_index
        self._whole = whole
        self._also = {ref.name: ref for ref in also}
        self._index: Index | None = None
        self._opened = False
        self._known: dict[str, str] = {}
        self._checked: set[str] = set()
        self._pending: list[LeafEntries] = []
        self._held = 0
        self._twins: dict[str, list[Twin]] = {}
        self.failure: Exception | None = None

    def add(self, leaf: LeafEntries) -> None:
        """Take one leaf in; of one that the index knows as it is, only the digest is looked at."""
        self._checked.add(leaf.path)
        if self.failure is None:
            try:
                self._add(leaf)
            except Exception as error:
                self.failure = error

    def findings(self, tree: Tree, names: TreeSubject, prefix: str) -> Iterator[Finding]:
        """What the leaves taken in have in common with others."""
        if self.failure is not None:
            raise self.failure
        try:
            index = self._ready()
            if index is not None:
                self._bring_up_to_date(index, tree, names)
                yield from self._compare(index, names, prefix)
        except Exception as error:
            self.failure = error
            raise

    def close(self) -> None:
        """Let go of the index."""
        if self._index is not None:
            self._index.close()

    def _ready(self) -> Index | None:
        if not self._opened:
            self._opened = True
            self._index = self._open()
            if self._index is not None and self._whole:
                self._known = self._index.digests()
        return self._index

    def _add(self, leaf: LeafEntries) -> None:
        index = self._ready()
        if index is None:
            return
        known = self._known.get(leaf.path) if self._whole else index.digest(leaf.path)
        if known == leaf.digest:
            return
        self._pending.append(leaf)
        self._held += len(leaf.entries)
        if self._held >= PENDING:
            self._flush(index)

    def _flush(self, index: Index) -> None:
        index.put(self._pending)
        self._pending, self._held = [], 0

    def _bring_up_to_date(self, index: Index, tree: Tree, names: TreeSubject) -> None:
        if self._whole:
            self._flush(index)
            index.keep(self._checked)
            index.compare()
            index.completed()
            return
        with index.transaction():  # one, so that each page of the index is written once
            self._flush(index)
            index.compare()
            self._look_again(index, tree, names)

    def _look_again(self, index: Index, tree: Tree, names: TreeSubject) -> None:
        """Others than the checked leaves may have been edited, or be gone, since the index saw them."""
        self._twins = {leaf: index.twins("", leaf) for leaf in self._checked}
        places = {twin.there.leaf for twins in self._twins.values() for twin in twins}
        others = sorted(places - self._checked)[:REREAD]
        read = (_entries(tree, other, names.files) for other in others)
        changed = [leaf for leaf in read if index.digest(leaf.path) != leaf.digest]
        if changed:
            index.put(changed)
            index.compare()
            self._twins = {}

    def _compare(self, index: Index, names: TreeSubject, prefix: str) -> Iterator[Finding]:
        own = frozenset(names.leaves)
        # Open pull requests are compared within a transaction that is taken back at its end.
        with index.transaction(undo=True):
            for ref in self._also.values():
                self._twins = {}
                read = (
                    _entries(ref.tree, leaf, tuple(ref.tree.files(leaf))) for leaf in ref.changed
                )
                # Taken over by both sides as it is, such as by a cherry-pick: nothing to tell.
                index.put(
                    [leaf for leaf in read if index.digest(leaf.path) != leaf.digest], ref.name
                )
            index.compare()
            for tree, leaf in self._asked(index):
                known = None if tree else self._twins.get(leaf)
                all_twins = index.twins(tree, leaf) if known is None else known
                twins = [twin for twin in all_twins if self._apart(twin, own)]
                yield from worded(index, tree, leaf, twins, prefix)

    def _asked(self, index: Index) -> Iterable[tuple[str, str]]:
        """The leaves to tell of: those checked, and in a whole check those of pull requests too."""
        if not self._whole:
            return [("", leaf) for leaf in sorted(self._checked)]
        return index.twinned()

    def _apart(self, twin: Twin, own: frozenset[str]) -> bool:
        """Whether two leaves are two, and not one leaf as it was and as a pull request makes it."""
        here, there = twin.here, twin.there
        if not here.tree and not there.tree:
            return True
        if here.tree and there.tree:
            one, other = self._also[here.tree], self._also[there.tree]
            edited = here.leaf == there.leaf and here.leaf in one.base | other.base
            return one is not other and not (
                edited or here.leaf in other.gone or there.leaf in one.gone
            )
        if here.tree:
            return False  # told at the checked leaf
        ref = self._also[there.tree]
        edited = here.leaf == there.leaf and here.leaf in ref.base
        renamed = there.leaf in ref.base and there.leaf not in own and here.leaf not in ref.base
        return not (edited or renamed or here.leaf in ref.gone)


def _entries(tree: Tree, leaf: str, files: Sequence[str]) -> LeafEntries:
    """What a leaf says; nothing where it cannot be read."""
    try:
        found = list(gather(read_subject(tree, leaf, files)))
    except OSError:
        found = []
    return found[0] if found else LeafEntries(leaf, "", ())
