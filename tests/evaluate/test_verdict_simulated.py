"""How often the two rules err, over a taxonomy of 50 leaves at the schema's minimum of seeds.

Five seeds a leaf leave one for the exam: a context with three questions for knowledge, one item for
a skill. The answers move as those of the tiny recipe's runs do: four in five score as before, the
difference has a standard deviation of a quarter. Within a context the moves are correlated by 0.5,
which is more than was seen.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from pipelines.evaluate.verdict import judge, not_worse
from pipelines.records import Evaluation, ItemResult
from tests.evaluate.support import item, result

MARGIN = 0.05
LEAVES = 50
MOVED = 0.12  # of the items, upwards and downwards alike, where nothing is lost
STEP = 0.5  # token F1 that a moved item gains or loses
WITHIN = 0.5  # correlation of two items of a context


def exam(draws: np.random.Generator, loss: float) -> list[ItemResult]:
    """One changed leaf and 49 old ones; each item loses ``loss`` of token F1 on average."""
    falls = NormalDist().inv_cdf(MOVED + loss / STEP)
    rises = NormalDist().inv_cdf(1 - MOVED)
    results = []
    for leaf in range(LEAVES):
        shared = draws.normal()
        for number in range(3 if leaf % 2 else 1):
            move = WITHIN**0.5 * shared + (1 - WITHIN) ** 0.5 * draws.normal()
            now = 0.5 + STEP * float(move > rises) - STEP * float(move < falls)
            role = "panel" if leaf else "changed"
            results.append(result(item(f"knowledge/l{leaf:02}", role, 0, number), 0.5, now))
    return results


def verdicts(loss: float, runs: int) -> list[Evaluation]:
    draws = np.random.default_rng(round(loss * 1000))
    return [judge(exam(draws, loss), MARGIN) for _ in range(runs)]


def blocked(found: list[Evaluation]) -> float:
    return float(np.mean([one.verdict == "REGRESSION" for one in found]))


def test_a_contribution_that_loses_half_the_margin_is_seldom_blocked() -> None:
    """Harmless by the recipe's own words; one that loses nothing is blocked less often still."""
    assert blocked(verdicts(loss=MARGIN / 2, runs=60)) <= 0.05


def test_a_contribution_that_loses_four_margins_is_caught() -> None:
    found = verdicts(loss=4 * MARGIN, runs=60)
    assert blocked(found) >= 0.8
    assert not any(map(not_worse, found))  # what is not caught is not published, either
