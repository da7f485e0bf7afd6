"""What a rule looks at and what a check gives back.

A rule is a function that yields findings: a ``LeafRule`` sees one leaf at a time, a ``TreeRule``
the names of the whole tree, a ``FileRule`` one file that is no leaf's. An ``AcrossRule`` yields what is to
be compared between leaves. Paths in findings are from the taxonomy root; ``check`` puts the prefix before
them and sorts them.

Most records here and in what a check imports are named tuples: to make the class of a frozen dataclass
takes six times as long, and each start of ``graft check`` makes them all.
"""

from __future__ import annotations

import bisect
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.findings import Finding, Tree
from pipelines.leaf_files import ATTRIBUTION_FILE, LEAF_FILE, ROOTS, version_of
from pipelines.near.entries import LeafEntries
from pipelines.yaml_source import Reading, Source, read_yaml


@dataclass(frozen=True, slots=True)
class LeafSubject:
    """One leaf as its files are: ``path`` is its folder, ``files`` all files below it, sorted.

    ``memo`` keeps what several rules derive from it (``passages``, ``vocabulary``).
    """

    tree: Tree
    path: str
    reading: Reading
    files: tuple[str, ...]
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def file(self) -> str:
        """The path of its qna.yaml: the same text for all findings, of which there may be many."""
        if "file" not in self.memo:
            self.memo["file"] = posixpath.join(self.path, LEAF_FILE)
        path: str = self.memo["file"]
        return path

    @property
    def attribution_file(self) -> str:
        """The path where its attribution.txt belongs."""
        return posixpath.join(self.path, ATTRIBUTION_FILE)

    @property
    def source(self) -> Source | None:
        """Values and places, or None where the YAML cannot be read."""
        return self.reading.source

    @property
    def lenient(self) -> bool:
        """Whether it declares version 1 (or none), for which some rules only warn."""
        return self.source is not None and version_of(self.source.data) == 1


class TreeSubject(NamedTuple):
    """The names below the three roots: every file, and the folders that hold a qna.yaml; sorted."""

    files: tuple[str, ...]
    leaves: tuple[str, ...]


class LeafRule(NamedTuple):
    """A rule about one leaf."""

    check: Callable[[LeafSubject, Policy], Iterable[Finding]]
    about: About | None = None


class TreeRule(NamedTuple):
    """A rule about names in the whole tree."""

    check: Callable[[TreeSubject, Policy], Iterable[Finding]]
    about: About | None = None


class FileRule(NamedTuple):
    """A rule about one file of the tree that is no leaf's: ``file``, which may be missing."""

    check: Callable[[Tree, Policy], Iterable[Finding]]
    file: str
    about: About | None = None


class AcrossRule(NamedTuple):
    """A rule that compares leaves: what it takes from each goes to the check's ``Comparison``."""

    check: Callable[[LeafSubject, Policy], Iterable[LeafEntries]]
    about: About | None = None


Rule = LeafRule | TreeRule | FileRule | AcrossRule


class Comparison(Protocol):
    """What ``AcrossRule`` s take from leaves is put here, leaf by leaf; asked for findings at the end."""

    def add(self, leaf: LeafEntries) -> None:
        """Take in one of the leaves that are checked."""
        ...

    def findings(self, tree: Tree, names: TreeSubject, prefix: str) -> Iterable[Finding]:
        """Compare the leaves taken in; paths in messages begin with ``prefix``."""
        ...


class Mode(NamedTuple):
    """Which rules run, and whether files are read as instructlab-schema reads them."""

    rules: Mapping[str, Rule]
    compat: bool = False


class CheckResult(NamedTuple):
    """How many leaves were checked, and the findings by path, line and column."""

    checked: int
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether any finding is an error."""
        return any(finding.severity == "error" for finding in self.findings)


def read_tree(tree: Tree) -> TreeSubject:
    """List the tree once; hidden folders do not count."""
    files = tuple(sorted(f for root in ROOTS for f in tree.files(root) if "/." not in f))
    leaves = sorted(
        posixpath.dirname(f) for f in files if posixpath.basename(f) == LEAF_FILE and "/" in f
    )
    return TreeSubject(files, tuple(leaves))


def files_below(files: Sequence[str], folder: str) -> tuple[str, ...]:
    """Those of ``files``, which are sorted, that lie below ``folder``."""
    # "0" follows "/": all that lies between is below the folder.
    first, last = (bisect.bisect_left(files, folder + end) for end in "/0")
    return tuple(files[first:last])


def read_subject(
    tree: Tree, path: str, files: Sequence[str], *, compat: bool = False
) -> LeafSubject:
    """Read one leaf; ``files`` are the tree's, sorted. ``OSError`` where it cannot be read."""
    file = posixpath.join(path, LEAF_FILE)
    reading = read_yaml(tree.read(file), file, compat=compat)
    return LeafSubject(tree, path, reading, files_below(files, path))
