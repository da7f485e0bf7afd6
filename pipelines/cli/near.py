"""``graft check``'s comparison with the whole tree: where its index lies, and what ``--also`` names."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipelines.cli.common import cache, say
from pipelines.errors import GraftError
from pipelines.near import index_path

if TYPE_CHECKING:
    from pipelines.check import CheckResult
    from pipelines.check.comparison import Also
    from pipelines.check.subject import Comparison
    from pipelines.near.index import Index


UNCOMPARED = "The rest of the tree was not looked at for near-duplicates"
BUILD = ": there is no index yet; `graft check` without a path builds it."


class Check(Protocol):
    """A check that only lacks what its leaves are compared with."""

    def __call__(self, *, comparison: Comparison | None) -> CheckResult: ...


def compared(check: Check, root: Path, *, whole: bool, also: Sequence[str]) -> CheckResult:
    """Run ``check`` with a comparison; once more, with no index on disk, where that one fails."""
    path = index_path(cache(), root)
    if not whole and not also and not os.path.lexists(path):
        say(UNCOMPARED + BUILD)
        return check(comparison=None)
    from pipelines.check.comparison import TreeComparison
    from pipelines.near.store import memory_index

    trees = [further_tree(root, ref) for ref in dict.fromkeys(also)]
    open_index = partial(_index, path, root, whole=whole, alone=not trees)
    comparison = TreeComparison(open_index, whole=whole, also=trees)
    result = check(comparison=comparison)
    comparison.close()
    if isinstance(comparison.failure, GraftError):
        raise comparison.failure
    if not _told(comparison.failure, path):
        return result
    if not whole:
        say(UNCOMPARED + ".")
    comparison = TreeComparison(memory_index, whole=whole, also=trees)
    result = check(comparison=comparison)
    comparison.close()
    return result


def _told(failure: Exception | None, path: Path) -> bool:
    """Whether it was the index that failed; then it is said, and a damaged one goes out of the way."""
    from pipelines.near.store import Unusable, is_damage, is_refusal, set_aside

    if isinstance(failure, Unusable):
        say(str(failure))
        return True
    if not is_damage(failure) and not is_refusal(failure):
        return False
    say(f"The index of near-duplicates {path} failed ({type(failure).__name__}: {failure}).")
    if is_damage(failure):
        try:
            set_aside(path)
            say(f"It was set aside as {path.name}.aside; the next whole check builds it anew.")
        except (OSError, Unusable) as error:
            say(str(error))
    return True


def further_tree(root: Path, ref: str) -> Also:
    """The taxonomy as ``ref`` has it, and what it changed since it left the commit checked out."""
    from pipelines.check.comparison import Also
    from pipelines.git import open_repository
    from pipelines.leaves import LEAF_FILE, leaf_paths
    from pipelines.trees import changed_files

    repository = open_repository(root)
    prefix = repository.prefix(root)
    tree = repository.tree(ref, prefix)
    start = repository.tree(repository.merge_base("HEAD", ref), prefix)
    leaves, base = set(leaf_paths(tree)), frozenset(leaf_paths(start))
    edited = {
        posixpath.dirname(file)
        for file in changed_files(start, tree)
        if posixpath.basename(file) == LEAF_FILE and tree.is_file(file)
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
    say(UNCOMPARED + BUILD)
    return None if alone else memory_index()
