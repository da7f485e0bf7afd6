"""Two moments of a repository → the leaves whose files differ, read on both sides, and no other.

In: a commit's tree, and another one, or the index or the work tree laid over it. Out: ``Sides``, of
which ``changes.diff`` tells what it would tell of all leaves. A leaf that cannot be read is a problem
of its own; the others are compared.
"""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pipelines.changes import Recorded, diff, with_idle
from pipelines.errors import LeafError
from pipelines.leaves import LEAF_FILE, ROOTS, read_leaf
from pipelines.records import ChangeSet, Leaf
from pipelines.trees import CommitTree, Overlay, changed_files, is_utf8

Side = Literal["base", "head"]
Moment = CommitTree | Overlay


@dataclass(frozen=True, slots=True)
class Problem:
    """A leaf that cannot be compared, and the side on which it is broken."""

    side: Side
    error: LeafError


@dataclass(frozen=True, slots=True)
class Sides:
    """The leaves whose files differ, by path; one with a problem is on neither side."""

    base: dict[str, Leaf]
    head: dict[str, Leaf]
    problems: tuple[Problem, ...]

    def changes(self, base_name: str, head_name: str, exams: Recorded | None = None) -> ChangeSet:
        return diff(self.base, self.head, base_name=base_name, head_name=head_name, exams=exams)

    def with_idle(self, found: ChangeSet) -> ChangeSet:
        return with_idle(found, self.base, self.head)


def differing(base: CommitTree, head: Moment, *, meaning_only: bool = True) -> Sides:
    """Read every leaf of either tree that has a file in its folder changed, added or gone.

    Their attribution and lines are read only where ``meaning_only`` is false.
    """
    files = head.changed if isinstance(head, Overlay) else changed_files(base, head, ROOTS)
    problems = [*_unnamable(head, files)]
    befores, afters = _Spelling(base, meaning_only), _Spelling(head, meaning_only)
    old, new = {}, {}
    for leaf in sorted({unicodedata.normalize("NFC", path) for path in _leaves(base, head, files)}):
        side: Side = "head"
        try:
            after = afters.read(leaf)
            side = "base"
            before = befores.read(leaf)
        except LeafError as error:
            problems.append(Problem(side, error))
            continue
        if before is not None:
            old[leaf] = before
        if after is not None:
            new[leaf] = after
    return Sides(old, new, tuple(problems))


def _leaves(base: CommitTree, head: Moment, files: Iterable[str]) -> Iterator[str]:
    """The folders above ``files`` that are a leaf in either tree, as the trees spell them.

    All of them: a file may be a document of the leaf that its own leaf lies in.
    """
    seen = {""}
    for file in files:
        folder = posixpath.dirname(file)
        while folder not in seen:
            seen.add(folder)
            leaf = f"{folder}/{LEAF_FILE}"
            known = folder.split("/", 1)[0] in ROOTS and is_utf8(folder)
            if known and (base.is_file(leaf) or head.is_file(leaf)):
                yield folder
            folder = posixpath.dirname(folder)


def _unnamable(head: Moment, files: Iterable[str]) -> Iterator[Problem]:
    """A leaf below a name that no one can write down does not exist for Graft, and that is said."""
    for file in files:
        if posixpath.basename(file) == LEAF_FILE and not is_utf8(file) and head.is_file(file):
            raw = file.encode("utf-8", "surrogateescape")
            error = LeafError(
                "The name of this leaf's folder is not UTF-8, so the leaf is not there for Graft.",
                rule="file-name",
                path=raw.decode("utf-8", "backslashreplace"),
                hint="Rename the folder.",
            )
            yield Problem("head", error)


class _Spelling:
    """Reads leaves by their NFC path, however the tree spells it."""

    def __init__(self, tree: Moment, meaning_only: bool) -> None:
        self._tree = tree
        self._meaning_only = meaning_only
        self._names: dict[str, tuple[Collection[str], dict[str, list[str]]]] = {}

    def read(self, path: str) -> Leaf | None:
        """The leaf; None where there is none, ``LeafError`` where there are two or it is broken."""
        folders = [""]
        for part in path.split("/"):
            folders = [found for folder in folders for found in self._below(folder, part)]
        found = [folder for folder in folders if self._tree.is_file(f"{folder}/{LEAF_FILE}")]
        if not found:
            return None
        file = posixpath.join(found[0], LEAF_FILE)
        if len(found) > 1:
            raise LeafError(
                "Two folders bear this name in different Unicode forms.",
                rule="case-clash",
                path=file,
                hint="Rename one of them.",
            )
        try:
            return read_leaf(self._tree, found[0], meaning_only=self._meaning_only)
        except OSError as error:
            why = error.strerror or "it is gone"
            raise LeafError(
                f"A file of the leaf cannot be read: {why}.", rule="file-name", path=file
            ) from error

    def _below(self, folder: str, name: str) -> list[str]:
        """The entries of ``folder`` that are called ``name`` in any Unicode form."""
        if folder not in self._names:
            names = self._tree.names(folder)
            odd: dict[str, list[str]] = {}
            for found in names:
                if not found.isascii() and is_utf8(found):
                    odd.setdefault(unicodedata.normalize("NFC", found), []).append(found)
            self._names[folder] = names, odd
        names, odd = self._names[folder]
        spelled = [name] if name.isascii() and name in names else []
        spelled += odd.get(name, ())
        return [f"{folder}/{found}" if folder else found for found in spelled]
