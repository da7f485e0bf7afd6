"""``graft check``'s comparison with the whole tree: where its index lies, and what ``--also`` names."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipelines.cli.common import say

if TYPE_CHECKING:
    from pipelines.check import CheckResult
    from pipelines.check.comparison import Also
    from pipelines.check.subject import Comparison
    from pipelines.near.index import Index


class Check(Protocol):
    """A check that only lacks what its leaves are compared with."""

    def __call__(self, *, comparison: Comparison | None) -> CheckResult: ...


def compared(check: Check, root: Path, *, whole: bool, also: Sequence[str]) -> CheckResult:
    """Run ``check`` with a comparison; once more, with no index on disk, where that one fails."""
    from pipelines.check.comparison import TreeComparison
    from pipelines.near.store import Unusable, index_path, is_damage, memory_index, set_aside

    trees = [further_tree(root, ref) for ref in dict.fromkeys(also)]
    path = index_path(Path(os.environ.get("GRAFT_CACHE", ".graft")), root)
    comparison = TreeComparison(
        lambda: _index(path, root, whole=whole, alone=not trees), whole=whole, also=trees
    )
    result = check(comparison=comparison)
    comparison.close()
    failure = comparison.failure
    if failure is None:
        return result
    say(str(failure) if isinstance(failure, Unusable) else f"The index {path} failed ({failure}).")
    if is_damage(failure) and not isinstance(failure, Unusable):
        try:
            set_aside(path)
            say(f"It was set aside as {path.name}.aside; the next check builds it anew.")
        except (OSError, Unusable) as error:
            say(str(error))
    if not whole and not trees:
        say("The rest of the tree was not looked at for near-duplicates.")
        return check(comparison=None)
    comparison = TreeComparison(memory_index, whole=whole, also=trees)
    result = check(comparison=comparison)
    comparison.close()
    return result


def further_tree(root: Path, ref: str) -> Also:
    """The taxonomy as ``ref`` has it, and what it changed since it left the commit checked out."""
    from pipelines.check.comparison import Also
    from pipelines.git import open_repository
    from pipelines.leaves import LEAF_FILE, leaf_paths

    repository = open_repository(root)
    prefix = repository.prefix(root)
    tree = repository.tree(ref, prefix)
    start = repository.tree(repository.merge_base("HEAD", ref), prefix)
    leaves, base = set(leaf_paths(tree)), frozenset(leaf_paths(start))
    edited = {
        posixpath.dirname(file)
        for file in tree.files_unlike(start)
        if posixpath.basename(file) == LEAF_FILE
    }
    return Also(ref, tree, tuple(sorted(edited & leaves)), base, base - leaves)


def _index(path: Path, root: Path, *, whole: bool, alone: bool) -> Index | None:
    """The index on disk; without one, for single files, one in memory if there is more to compare."""
    from pipelines.near.store import memory_index, open_index

    index = open_index(path, root, create=whole, say=say)
    if index is not None and (whole or index.complete()):
        return index
    if index is not None:
        index.close()
    say(
        "The rest of the tree was not looked at for near-duplicates: there is no index yet; "
        "`graft check` without a path builds it."
    )
    return None if alone else memory_index()
