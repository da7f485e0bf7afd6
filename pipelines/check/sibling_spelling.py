"""Rule `sibling-spelling`: no folder misspells the one beside it.

Two spellings of one subject split its leaves. Names are near where they differ in separators alone, or
in one letter of a long word; numbers and first letters have to agree.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Sequence

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import TreeRule, TreeSubject
from pipelines.findings import Finding
from pipelines.leaf_files import LEAF_FILE
from pipelines.schemas import show

_SHORTEST = 6


def check(tree: TreeSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at the first leaf of the folder that holds fewer leaves."""
    children: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for leaf in tree.leaves:
        path = leaf
        while "/" in path:
            parent, name = posixpath.split(path)
            children[parent].setdefault(name, []).append(leaf)
            path = parent
    for parent, folders in sorted(children.items()):
        for first, second in near_names(list(folders)):
            # The spelling that fewer leaves have is the likelier slip; of two equals the later one.
            order = sorted((first, second), key=lambda name: (-len(folders[name]), name))
            kept, odd = order[0], order[1]
            path = posixpath.join(folders[odd][0], LEAF_FILE)
            message = (
                f"The folder {show(posixpath.join(parent, odd))} is spelled nearly like "
                f"{show(kept)} beside it."
            )
            hint = f"If the same is meant, move it to `{posixpath.join(parent, kept)}`."
            yield Finding("sibling-spelling", "warning", path, 1, 1, message, hint)


def near_names(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names that are probably meant to be one; cheap for thousands of names."""
    # Two words one slip apart agree once a letter is taken out of one or of both.
    buckets: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in names:
        joined = _joined(name)
        if len(joined) >= _SHORTEST:
            for key in {joined, *(joined[:i] + joined[i + 1 :] for i in range(1, len(joined)))}:
                buckets[key, "".join(filter(str.isdigit, joined))].append(name)
    found: dict[tuple[str, str], None] = {}
    for bucket in buckets.values():
        for index, first in enumerate(bucket):
            for second in bucket[index + 1 : index + 9]:
                if first != second and _is_slip(first, second):
                    found[first, second] = None
    return list(found)


def _is_slip(first: str, second: str) -> bool:
    one, other = _joined(first), _joined(second)
    if one == other:
        return first.casefold() != second.casefold()  # the rest is case-clash
    words, others = _words(first), _words(second)
    if len(words) != len(others):
        return False
    odd = [(a, b) for a, b in zip(words, others, strict=True) if a != b]
    return len(odd) == 1 and min(map(len, odd[0])) >= _SHORTEST - 1 and _one_apart(*odd[0])


def _one_apart(one: str, other: str) -> bool:
    """One letter added, dropped, changed, or two neighbours swapped."""
    if one[:1] != other[:1]:
        return False
    short, long = sorted((one, other), key=len)
    start = next(
        (i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short)
    )
    if len(long) > len(short):
        return len(long) - len(short) == 1 and short[start:] == long[start + 1 :]
    swapped = short[start + 1 : start + 2] + short[start : start + 1]
    return short[start + 1 :] == long[start + 1 :] or (
        swapped == long[start : start + 2] and short[start + 2 :] == long[start + 2 :]
    )


def _words(name: str) -> list[str]:
    return name.casefold().replace("-", "_").replace(" ", "_").split("_")


def _joined(name: str) -> str:
    return "".join(_words(name))


RULE = TreeRule(
    check,
    About(
        "warning",
        "No folder's name is one slip away from that of the folder beside it.",
        "Move the leaf into the folder that is there already, if the same is meant.",
    ),
)
