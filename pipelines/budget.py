"""What of a night's work fits the budget; pure.

In: leaves with what each is estimated to cost, and a recipe's ``Budget``. Out: those that are taught
now, and those that wait, each with the reason. A leaf is all or nothing; the oldest change comes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.recipe import Budget
from pipelines.records import Waiting


@dataclass(frozen=True, slots=True)
class Cost:
    """What one leaf is estimated to take: ``tokens`` of asking, in and out; ``hours`` with its training."""

    calls: int
    tokens: int
    hours: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A leaf that would be taught; ``changed`` is when its last commit was made, in Unix seconds."""

    leaf: str
    changed: int
    cost: Cost


def within(
    candidates: Iterable[Candidate], budget: Budget
) -> tuple[tuple[str, ...], tuple[Waiting, ...]]:
    """The leaves that fit, oldest change first, and those that wait, in the same order.

    A large leaf that has to wait holds no smaller one back, but is the first to be asked the next
    time: only one that exceeds the whole budget by itself waits for ever, and its reason says so.
    """
    now: list[str] = []
    later: list[Waiting] = []
    spent = Cost(0, 0, 0.0)
    for found in sorted(candidates, key=lambda one: (one.changed, one.leaf)):
        total = _sum(spent, found.cost)
        if not _over(total, budget):
            spent = total
            now.append(found.leaf)
            continue
        alone = _over(found.cost, budget)
        later.append(
            Waiting(
                found.leaf,
                f"its {alone} are more than the whole budget: raise budget, or split the leaf"
                if alone
                else f"its {_over(total, budget)} no longer fit; it is tried first the next time",
            )
        )
    return tuple(now), tuple(later)


def _sum(a: Cost, b: Cost) -> Cost:
    return Cost(a.calls + b.calls, a.tokens + b.tokens, a.hours + b.hours)


def _over(cost: Cost, budget: Budget) -> str:
    """The first limit that ``cost`` exceeds, in words; "" for none."""
    if budget.calls is not None and cost.calls > budget.calls:
        return "calls"
    if budget.tokens is not None and cost.tokens > budget.tokens:
        return "tokens"
    if budget.hours is not None and cost.hours > budget.hours:
        return "hours"
    return ""
