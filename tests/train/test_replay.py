"""What is replayed: about the tokens asked for, of every leaf alike, whatever the number of leaves."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from pipelines.train.replay import replay, shares
from tests.train.support import TOKENS, recipe, rows, talk


@pytest.mark.parametrize("leaves", [1, 7, 60, 400])
def test_as_many_tokens_whatever_the_number_of_leaves(leaves: int) -> None:
    old = {f"leaf {n:04}": rows(f"river {n}", 40) for n in range(leaves)}
    wanted = 800
    portions = dict.fromkeys(old, wanted / leaves)
    seen: dict[str, int] = {}
    found = replay(old, portions, 0, TOKENS, recipe(), seen)
    assert sum(len(row.ids) for row in found) == pytest.approx(wanted, rel=0.06)
    assert sum(seen.values()) == len(found)


def test_leaves_take_turns_over_the_epochs() -> None:
    old = {f"leaf {n:04}": rows(f"river {n}", 4) for n in range(50)}
    portions = dict.fromkeys(old, 5.0)
    counted: Counter[str] = Counter()
    for epoch in range(80):
        seen: dict[str, int] = {}
        replay(old, portions, epoch, TOKENS, recipe(), seen)
        counted.update(seen)
    assert len(counted) == 50
    assert max(counted.values()) < 3 * min(counted.values())


def test_a_leaf_with_too_few_rows_leaves_nothing_to_another() -> None:
    old = {"few": [talk("A?", "b")], "many": rows("river", 40)}
    for epoch in range(6):
        found = replay(old, {"few": 500.0, "many": 100.0}, epoch, TOKENS, recipe(), {})
        assert sum(len(row.ids) for row in found) < 100 + 40


def test_the_draw_follows_from_seed_and_epoch() -> None:
    old = {"a": rows("river", 40), "b": rows("delta", 40)}
    portions = {"a": 100.0, "b": 100.0}

    def drawn(epoch: int) -> list[str]:
        return [row.origin for row in replay(old, portions, epoch, TOKENS, recipe(), {})]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


def test_a_small_change_is_replayed_as_much_as_the_recipe_asks_for_at_least() -> None:
    old = {"a": rows("river", 40), "b": rows("delta", 40)}
    found = recipe()
    found = replace(found, train=replace(found.train, replay=2.0, replay_least=900, epochs=3))
    assert shares(old, {"new": 100}, [], found) == {"a": 150.0, "b": 150.0}
    assert shares(old, {"new": 400}, [], found) == {"a": 400.0, "b": 400.0}
    # What corrects trains at a lower rate, and has its own leaf beside it.
    half = shares(old, {"new": 50, "a": 50}, ["a"], found)
    assert half == {"a": 50 * found.train.familiar, "b": 100.0}
    none = replace(found, train=replace(found.train, replay=0.0))
    assert shares(old, {"new": 100}, [], none) == {"a": 0.0, "b": 0.0}
