"""Paths that someone asks to check and that are no leaf of the tree → leaves outside, or findings.

A command never claims a check that it does not make: a qna.yaml that was named is either checked or
told to be no leaf.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from typing import NamedTuple

from pipelines.findings import Finding, Tree
from pipelines.leaf_files import LEAF_FILE, ROOTS


class Stray(NamedTuple):
    """A folder whose qna.yaml is not among the tree's leaves; ``there``: it can be read all the same."""

    leaf: str
    there: bool

    def findings(self, compat: str) -> Iterator[Finding]:
        """What is wrong with its place; upstream takes a leaf at any place."""
        file = posixpath.join(self.leaf, LEAF_FILE)
        if not self.there:
            message = f"{LEAF_FILE} is no regular file here: a folder, a link, or hidden."
            hint = f"A leaf is a file called {LEAF_FILE}."
            yield Finding("file-name", "error", file, 1, 1, message, hint)
        elif not compat:
            yield outside(file)


def outside(file: str, taxonomy: str = "") -> Finding:
    """What is wrong with the place of this qna.yaml; ``taxonomy``: the folder that it should be in."""
    message = "This leaf lies outside the folders of the taxonomy; no one would read it."
    *first, last = (posixpath.join(taxonomy, root, "") for root in ROOTS)
    hint = f"Move its folder below {', '.join(first)} or {last}."
    return Finding("file-name", "error", file, 1, 1, message, hint)


def strays_among(tree: Tree, wanted: Collection[str], leaves: Collection[str]) -> list[Stray]:
    """The strays that ``wanted`` names, or holds in folders outside the roots; sorted."""
    found = {}
    for path in wanted:
        if posixpath.basename(path) == LEAF_FILE:
            leaf = posixpath.dirname(path)
            if leaf not in leaves and path not in leaves:
                found[leaf] = _is_there(tree, path)
        elif path and path.split("/")[0] not in ROOTS:
            for file in tree.files(path):
                if posixpath.basename(file) == LEAF_FILE:
                    found[posixpath.dirname(file)] = True
    return [Stray(leaf, there) for leaf, there in sorted(found.items())]


def _is_there(tree: Tree, path: str) -> bool:
    try:
        tree.read(path)
    except OSError:
        return False
    return True
