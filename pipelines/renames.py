"""Leaves that are gone and leaves that are new → which of them are the same leaf under another path.

In: the leaves that only one of two trees holds, by path. Out: new path → old path. First the leaves of
equal content, then those with half of their seeds in common, then those with half of their seeds
nearly the same: a contributor who moves a leaf may mend every context on the way.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping

from pipelines.records import Leaf, Seed

ENOUGH = 0.5
# What more leaves than this have in common tells none of them from the others.
_COMMON = 50
_WORD = re.compile(r"[!-\x7f]+|[^\s\x00-\x7f]")
# So many old leaves, those of the most common words, are compared seed by seed with a new one.
_CLOSEST = 5

Traits = Callable[[Leaf], frozenset[Hashable]]
# − share of what agrees, new path, old path: sorted, the best pairs come first.
Pair = tuple[float, str, str]


def moved_leaves(gone: Mapping[str, Leaf], new: Mapping[str, Leaf]) -> dict[str, str]:
    """New path → old path of the leaves that moved; each old leaf is given away once."""
    moved = _same_content(gone, new)
    for alike in (_same_seeds, _near_seeds):
        taken = set(moved.values())
        left_gone = {path: leaf for path, leaf in gone.items() if path not in taken}
        left_new = {path: leaf for path, leaf in new.items() if path not in moved}
        if not left_gone or not left_new:
            break
        for _, path, old in sorted(alike(left_gone, left_new)):
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


def _same_seeds(gone: Mapping[str, Leaf], new: Mapping[str, Leaf]) -> list[Pair]:
    """Pairs that have half of their seed ids in common."""
    return _sharing(gone, new, lambda leaf: frozenset(seed.id for seed in leaf.seeds))


def _near_seeds(gone: Mapping[str, Leaf], new: Mapping[str, Leaf]) -> list[Pair]:
    """Pairs in which half of the seeds are nearly one of the other's.

    Words in common only choose whom to compare: leaves of one author often share their phrases.
    """
    closest: defaultdict[str, list[str]] = defaultdict(list)
    for _, path, old in sorted(_sharing(gone, new, _shingles)):
        if len(closest[path]) < _CLOSEST:
            closest[path].append(old)
    if not closest:
        return []
    from pipelines import text  # brings rapidfuzz, and few comparisons come here

    found = []
    for path, olds in closest.items():
        for old in olds:
            before = [_wording(seed) for seed in gone[old].seeds]
            after = [_wording(seed) for seed in new[path].seeds]
            near = sum(any(text.too_close(one, other) for other in before) for one in after)
            share = near / max(len(before), len(after))
            if share >= ENOUGH:
                found.append((-share, path, old))
    return found


def _shingles(leaf: Leaf) -> frozenset[Hashable]:
    """Every run of three words in what the seeds ask; where no spaces are written, of characters."""
    told = [_WORD.findall(_wording(seed).casefold()) for seed in leaf.seeds]
    return frozenset(
        run for words in told for run in zip(words, words[1:], words[2:], strict=False)
    )


def _sharing(gone: Mapping[str, Leaf], new: Mapping[str, Leaf], traits: Traits) -> list[Pair]:
    """Pairs that have half of their traits in common."""
    holders: defaultdict[Hashable, list[str]] = defaultdict(list)
    sizes = {}
    for path in sorted(gone):
        known = traits(gone[path])
        sizes[path] = len(known)
        for trait in known:
            holders[trait].append(path)
    found = []
    for path, leaf in new.items():
        mine = traits(leaf)
        rare = (holders[trait] for trait in mine if 0 < len(holders.get(trait, ())) <= _COMMON)
        for old, count in Counter(old for paths in rare for old in paths).items():
            share = count / max(len(mine), sizes[old])
            if share >= ENOUGH:
                found.append((-share, path, old))
    return found


def _wording(seed: Seed) -> str:
    return "\n".join([seed.context, *(pair.question for pair in seed.pairs)])


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
