"""Leaves that are gone and leaves that are new → which of them are the same leaf under another path.

In: the leaves that only one of two trees holds, by path. Out: new path → old path. First the leaves of
equal content, then those with half of their seeds in common, then those with half of their words: a
contributor who moves a leaf often mends every context on the way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping

from pipelines.records import Leaf

ENOUGH = 0.5
_SHINGLE = 3
# What more leaves than this have in common tells none of them from the others.
_COMMON = 50

Traits = Callable[[Leaf], frozenset[Hashable]]


def moved_leaves(gone: Mapping[str, Leaf], new: Mapping[str, Leaf]) -> dict[str, str]:
    """New path → old path of the leaves that moved; each old leaf is given away once."""
    moved = _same_content(gone, new)
    for traits in (_seed_ids, _shingles):
        taken = set(moved.values())
        left_gone = [leaf for path, leaf in sorted(gone.items()) if path not in taken]
        left_new = [leaf for path, leaf in sorted(new.items()) if path not in moved]
        if not left_gone or not left_new:
            break
        for _, path, old in sorted(_alike(left_gone, left_new, traits)):
            if path not in moved and old not in taken:
                moved[path] = old
                taken.add(old)
    return moved


def _same_content(gone: Mapping[str, Leaf], new: Mapping[str, Leaf]) -> dict[str, str]:
    """New path → old path where the content hash is the same; of several the same name first."""
    by_hash: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(gone):
        by_hash[gone[path].content_hash].append(path)
    moved: dict[str, str] = {}
    for same_name in (True, False):
        for path in sorted(new.keys() - moved.keys()):
            old = by_hash[new[path].content_hash]
            fitting = [place for place in old if not same_name or _name(place) == _name(path)]
            if fitting:
                moved[path] = fitting[0]
                old.remove(fitting[0])
    return moved


def _alike(
    gone: Iterable[Leaf], new: Iterable[Leaf], traits: Traits
) -> list[tuple[float, str, str]]:
    """(− share of traits in common, new path, old path) where at least half of them agree."""
    holders: defaultdict[Hashable, list[str]] = defaultdict(list)
    sizes = {}
    for leaf in gone:
        known = traits(leaf)
        sizes[leaf.path] = len(known)
        for trait in known:
            holders[trait].append(leaf.path)
    found = []
    for leaf in new:
        mine = traits(leaf)
        rare = (holders[trait] for trait in mine if len(holders.get(trait, ())) <= _COMMON)
        common = Counter(old for paths in rare for old in paths)
        for old, count in common.items():
            share = count / max(len(mine), sizes[old])
            if share >= ENOUGH:
                found.append((-share, leaf.path, old))
    return found


def _seed_ids(leaf: Leaf) -> frozenset[Hashable]:
    return frozenset(seed.id for seed in leaf.seeds)


def _shingles(leaf: Leaf) -> frozenset[Hashable]:
    """Every run of three words in the contexts, questions and answers."""
    from pipelines import text  # brings rapidfuzz, and few comparisons come here

    return frozenset(
        shingle
        for seed in leaf.seeds
        for part in (
            seed.context,
            *(t for pair in seed.pairs for t in (pair.question, pair.answer)),
        )
        for shingle in text.ngrams(text.tokens(part), _SHINGLE)
    )


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
