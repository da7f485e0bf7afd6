"""What fits a budget, on any leaves and any limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.budget import Candidate, Cost, within
from pipelines.recipe import Budget

COSTS = st.builds(Cost, st.integers(0, 50), st.integers(0, 5000), st.integers(0, 8).map(float))
LEAVES = st.lists(st.tuples(st.integers(0, 5), COSTS), max_size=12).map(
    lambda found: [Candidate(f"leaf{n}", day, cost) for n, (day, cost) in enumerate(found)]
)
BUDGETS = st.builds(
    Budget,
    st.none() | st.integers(0, 120),
    st.none() | st.integers(0, 12000),
    st.none() | st.integers(0, 20).map(float),
)


def fits(cost: Cost, budget: Budget) -> bool:
    pairs = [
        (cost.calls, budget.calls), (cost.tokens, budget.tokens), (cost.hours, budget.hours)
    ]  # fmt: skip
    return all(limit is None or spent <= limit for spent, limit in pairs)


def total(leaves: list[Candidate]) -> Cost:
    return Cost(
        sum(leaf.cost.calls for leaf in leaves),
        sum(leaf.cost.tokens for leaf in leaves),
        sum(leaf.cost.hours for leaf in leaves),
    )


@given(LEAVES, BUDGETS)
def test_every_leaf_is_taught_or_waits_and_the_limits_hold(
    leaves: list[Candidate], budget: Budget
) -> None:
    now, later = within(leaves, budget)
    assert sorted([*now, *(wait.leaf for wait in later)]) == sorted(one.leaf for one in leaves)
    assert fits(total([one for one in leaves if one.leaf in now]), budget)


@given(LEAVES, BUDGETS)
def test_a_leaf_waits_only_for_older_ones(leaves: list[Candidate], budget: Budget) -> None:
    now, later = within(leaves, budget)
    ages = {one.leaf: (one.changed, one.leaf) for one in leaves}
    for wait in later:
        older = [one for one in leaves if one.leaf in now and ages[one.leaf] < ages[wait.leaf]]
        own = next(one for one in leaves if one.leaf == wait.leaf)
        assert not fits(total([*older, own]), budget)
        assert fits(own.cost, budget) == ("tried first" in wait.reason)


@given(LEAVES, BUDGETS)
def test_the_order_in_which_leaves_are_named_does_not_matter(
    leaves: list[Candidate], budget: Budget
) -> None:
    assert within(leaves[::-1], budget) == within(leaves, budget)


@given(LEAVES, st.integers(1, 120))
def test_night_after_night_every_leaf_that_fits_alone_is_taught(
    leaves: list[Candidate], calls: int
) -> None:
    budget = Budget(calls=calls)
    left = leaves
    for _ in range(len(leaves)):
        now, _ = within(left, budget)
        left = [one for one in left if one.leaf not in now]
    assert all(not fits(one.cost, budget) for one in left)


@given(LEAVES)
def test_without_a_limit_nothing_waits(leaves: list[Candidate]) -> None:
    assert within(leaves, Budget())[1] == ()


@pytest.mark.parametrize(
    ("budget", "word"),
    [(Budget(calls=3), "calls"), (Budget(tokens=30), "tokens"), (Budget(hours=0.5), "hours")],
)
def test_the_reason_names_the_limit(budget: Budget, word: str) -> None:
    _, (wait,) = within([Candidate("a", 0, Cost(4, 40, 1.0))], budget)
    assert wait.reason.startswith(f"its {word} are more than the whole budget")
