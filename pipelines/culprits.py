"""Which leaves spoil a model, by halves: a night that got worse is parted until they stand alone; pure.

In: the leaves of the night and a way to try some of them. Out: those to hold back, each with the reason,
and all others can be released. Leaves are taken to spoil by themselves: where two do it only together, one
of them is held. A leaf that was not told apart within the budget is held too, and its reason says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipelines.records import Waiting

SPOILS = "with it the model got worse, and without it not"
# Where another gate than the verdict was shut; what that said follows.
OTHERWISE = "the release was refused with it or with others"
# What a later run says of such a leaf, as long as it stands unchanged.
HELD = "an earlier run got worse with it; change it, or try it again with graft run --try-held"
UNTOLD = (
    "the model got worse with it or with others, and the runs of this night did not tell them apart"
)


def search(
    leaves: Sequence[str], fine: Callable[[Sequence[str]], bool], runs: int
) -> tuple[Waiting, ...]:
    """Those of ``leaves`` to hold back, which all together are not ``fine``; at most ``runs`` are asked."""
    left = runs
    fine_so_far: list[str] = []
    unknown = list(leaves)
    culprits: list[str] = []

    def ask(some: Sequence[str]) -> bool:
        nonlocal left
        left -= 1
        return fine(sorted([*fine_so_far, *some]))

    while unknown:
        suspects, aside = unknown, list[str]()
        while len(suspects) > 1 and left:
            middle = len(suspects) // 2
            half, rest = suspects[:middle], suspects[middle:]
            if ask(half):
                fine_so_far += half
                suspects = rest
            else:
                suspects, aside = half, [*rest, *aside]
        if len(suspects) > 1:
            unknown = [*suspects, *aside]
            break
        culprits += suspects
        unknown = aside
        if not aside or (left and ask(aside)):
            unknown = []
        elif not left:
            break
    reasons = {**dict.fromkeys(culprits, SPOILS), **dict.fromkeys(unknown, UNTOLD)}
    return tuple(Waiting(leaf, reason) for leaf, reason in sorted(reasons.items()))
