"""Mend leaves: spaces that mean nothing, line ends, layout; never what a leaf says.

In: a tree and the files or folders to mend. Out: a ``Fixed`` for each qna.yaml and
attribution.txt below the three roots; ``write`` puts one in place. A file that cannot be read or
written is a finding, and the others go on.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipelines.errors import GraftError
from pipelines.findings import Finding, Tree
from pipelines.fix.in_place import write_in_place
from pipelines.fix.leaf import Mended, mend_attribution, mend_leaf, same_attribution, same_leaf
from pipelines.fix.leaf import Repairs as Repairs
from pipelines.leaf_files import ATTRIBUTION_FILE, LEAF_FILE, ROOTS
from pipelines.work_tree import WorkTree
from pipelines.yaml_source import MAX_KILOBYTES


@dataclass(frozen=True, slots=True)
class Fixed:
    """A file as it is and as it should be; ``path`` is from the taxonomy root."""

    path: str
    before: bytes
    after: bytes
    findings: tuple[Finding, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after

    @property
    def failed(self) -> bool:
        """Whether the file could not be read or written."""
        return any(finding.severity == "error" for finding in self.findings)


def fix(tree: Tree, paths: Sequence[str] | None, repairs: Repairs) -> Iterator[Fixed]:
    """Each file that ``paths`` (files or folders, from the root) name, one by one; None: all."""
    for path in _files(tree, paths):
        try:
            before = _read(tree, path)
        except GraftError as error:
            yield Fixed(path, b"", b"", (_problem(path, str(error)),))
            continue
        mended = mend(before, path, repairs)
        yield Fixed(path, before, mended.data, mended.findings)


def write(tree: WorkTree, fixed: Fixed) -> Fixed:
    """Put the mended file in place of the old one; what went wrong is one finding more."""
    try:
        write_in_place(tree.root / fixed.path, fixed.before, fixed.after)
    except GraftError as error:
        problem = _problem(fixed.path, str(error))
        return replace(fixed, after=fixed.before, findings=(*fixed.findings, problem))
    return fixed


def is_fixable(path: str) -> bool:
    """Whether a file of this path, from the root, is one that ``fix`` looks at."""
    top, _, rest = path.partition("/")
    return top in ROOTS and posixpath.basename(rest) in (LEAF_FILE, ATTRIBUTION_FILE)


def mend(data: bytes, path: str, repairs: Repairs) -> Mended:
    """One file's bytes, mended; ``path``, from the root, says which kind it is."""
    if posixpath.basename(path) == LEAF_FILE:
        return mend_leaf(data, path, repairs)
    return mend_attribution(data, path)


def says_the_same(before: bytes, after: bytes, path: str) -> bool:
    """Whether two texts of one file can both be read and say the same."""
    same = same_leaf if posixpath.basename(path) == LEAF_FILE else same_attribution
    return same(before, after, path)


def _files(tree: Tree, paths: Sequence[str] | None) -> list[str]:
    """The files to look at, sorted; a named one even where the tree does not show it."""
    wanted = [posixpath.normpath(path) for path in paths] if paths is not None else ["."]
    found = {path for path in wanted if is_fixable(path) and not _is_dir(tree, path)}
    for path in wanted:
        below = ROOTS if path == "." else [path]
        found.update(file for top in below for file in tree.files(top) if is_fixable(file))
    return sorted(found)


def _is_dir(tree: Tree, path: str) -> bool:
    return isinstance(tree, WorkTree) and (tree.root / path).is_dir()


def _read(tree: Tree, path: str) -> bytes:
    most = MAX_KILOBYTES * 1024
    try:
        # On disk the size is known before anything is read.
        if isinstance(tree, WorkTree) and (tree.root / path).lstat().st_size > most:
            raise GraftError(f"The file is larger than {MAX_KILOBYTES} kB.")
        data = tree.read(path)
        if len(data) > most:
            raise GraftError(f"The file is larger than {MAX_KILOBYTES} kB.")
        return data
    except OSError as error:
        # The tree has no errno for what is there and is none of its files.
        reason = error.strerror or "it is no regular file of the taxonomy, perhaps a symlink"
        raise GraftError(f"The file cannot be read: {reason}.") from error


def _problem(path: str, message: str) -> Finding:
    return Finding("fix", "error", path, 1, 1, message)
