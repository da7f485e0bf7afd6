"""Error rates and power of each test, in small simulations with fixed seeds, or counted out exactly."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from pipelines.evaluate import statistics as st
from pipelines.evaluate.statistics import Clusters

ERROR = 0.05
LEAVES = 20


def contexts(draws: np.random.Generator, count: int, mean: float, spread: float = 0.3) -> Clusters:
    """Contexts of three items that share half of the variance of their differences."""
    shared = np.repeat(draws.normal(0, spread * 0.5**0.5, count), 3)
    values = mean + shared + draws.normal(0, spread * 0.5**0.5, count * 3)
    return st.cluster(values.tolist(), [f"{index // 3:03}" for index in range(count * 3)])


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("n", [10, 55, 200])
def test_wilson_covers_the_true_rate(rate: float, n: int) -> None:
    chances = scipy.stats.binom.pmf(range(n + 1), n, rate)
    bounds = [st.wilson(right, n) for right in range(n + 1)]
    covered = sum(
        chance for chance, (low, high) in zip(chances, bounds, strict=True) if low <= rate <= high
    )
    assert covered > 0.91


def mcnemar_rejects(n: int, gain: float, reverse: float = 0.05) -> float:
    """Chance of p < 0.05 where each of ``n`` items is won or lost with these chances."""
    total = 0.0
    for flips in range(n + 1):
        chance = scipy.stats.binom.pmf(flips, n, gain + 2 * reverse)
        won = scipy.stats.binom.pmf(
            range(flips + 1), flips, (gain + reverse) / (gain + 2 * reverse)
        )
        total += chance * sum(
            share for wins, share in enumerate(won) if st.mcnemar(wins, flips - wins) < ERROR
        )
    return float(total)


@pytest.mark.parametrize("n", [10, 30, 100])
def test_mcnemar_keeps_its_error_rate(n: int) -> None:
    assert mcnemar_rejects(n, gain=0.0) <= ERROR


@pytest.mark.parametrize(
    ("n", "gain", "power"),
    [(10, 0.35, 0.12), (30, 0.2, 0.41), (30, 0.35, 0.83), (100, 0.1, 0.54), (100, 0.2, 0.96)],
)
def test_the_power_of_mcnemar(n: int, gain: float, power: float) -> None:
    """Why "inconclusive" is a verdict: with ten items a gain of 35 points is seldom seen."""
    assert mcnemar_rejects(n, gain) == pytest.approx(power, abs=0.01)


def test_the_power_of_the_sign_flip_is_nearly_that_of_students_t() -> None:
    draws = np.random.default_rng(7)
    flips, students = 0, 0
    for _ in range(200):
        clusters = contexts(draws, 12, mean=0.25)
        flips += st.sign_flip(clusters) < ERROR
        students += scipy.stats.ttest_1samp(clusters.sums, 0).pvalue < ERROR
    assert 0.6 < students / 200 < 0.95
    assert abs(flips - students) <= 10


@pytest.mark.parametrize("count", [6, 9, 13])
def test_inferior_errs_in_one_of_twenty_at_the_margin_itself(count: int) -> None:
    draws = np.random.default_rng(count)
    alarms = [st.inferior(contexts(draws, count, -0.05), 0.05) < ERROR for _ in range(500)]
    assert 0.02 < np.mean(alarms) < 0.075


def test_inferior_is_scipys_one_sided_test_of_the_shifted_values() -> None:
    values = np.random.default_rng(2).normal(-0.2, 0.3, 11)
    theirs = scipy.stats.permutation_test(
        (values + 0.05,), np.mean, permutation_type="samples", n_resamples=np.inf,
        alternative="less", axis=0,
    ).pvalue  # fmt: skip
    clusters = st.cluster(values.tolist(), [f"{index:02}" for index in range(11)])
    assert st.inferior(clusters, 0.05) == pytest.approx(theirs)
    assert st.inferior(clusters, 0.5) > 0.5


def test_inferior_finds_a_large_loss() -> None:
    draws = np.random.default_rng(4)
    found = [st.inferior(contexts(draws, 13, -0.35), 0.05) < ERROR for _ in range(100)]
    assert np.mean(found) > 0.8


@pytest.mark.parametrize("count", [7, 20])
def test_non_inferiority_is_seldom_claimed_of_a_loss_at_the_margin(count: int) -> None:
    draws = np.random.default_rng(count)
    claims = [st.non_inferior(st.interval(contexts(draws, count, -0.05)), 0.05) for _ in range(150)]
    assert np.mean(claims) < 0.07  # 2.5 % at best, and the bootstrap is a little narrow


def test_non_inferiority_is_shown_where_nothing_is_lost_and_the_margin_is_wide() -> None:
    draws = np.random.default_rng(9)
    claims = [st.non_inferior(st.interval(contexts(draws, 30, 0.0)), 0.2) for _ in range(60)]
    assert np.mean(claims) > 0.9


def test_holm_keeps_the_error_rate_of_a_family_and_finds_what_stands_out() -> None:
    draws = np.random.default_rng(6)
    adjusted = [st.holm(family) for family in draws.uniform(size=(2000, LEAVES)).tolist()]
    alarms = np.mean([min(family) < ERROR for family in adjusted])
    assert 0.03 < alarms < 0.065
    bare = 1 - (1 - ERROR) ** LEAVES  # what it would be without
    assert bare > 0.6
    assert st.holm([0.001, *[0.5] * (LEAVES - 1)])[0] < ERROR


def test_the_number_of_clusters_that_it_takes_does_find_the_effect() -> None:
    draws = np.random.default_rng(8)
    pilot = contexts(draws, 60, mean=0.0)
    needed = st.clusters_needed(pilot, 0.15)
    assert needed is not None
    found = [
        scipy.stats.ttest_1samp(contexts(draws, needed, 0.15).sums, 0).pvalue < ERROR
        for _ in range(300)
    ]
    assert 0.7 < np.mean(found) < 0.9


# --- answers that change sides ------------------------------------------------------------------


def sides_reject(right: int, wrong: int, fall: float, rise: float, margin: float = 0.1) -> float:
    """Chance of p < 0.05, counted out over all that can happen."""
    falls = scipy.stats.binom.pmf(range(right + 1), right, fall)
    rises = scipy.stats.binom.pmf(range(wrong + 1), wrong, rise)
    return sum(
        float(falls[fell] * rises[rose])
        for fell in range(right + 1)
        for rose in range(wrong + 1)
        if st.sides_lost(st.Sides(right, fell, wrong, rose), margin) < ERROR
    )


@pytest.mark.parametrize(("right", "wrong"), [(8, 0), (12, 0), (21, 0), (10, 2), (12, 9), (6, 6)])
def test_sides_lost_keeps_its_error_rate_at_the_margin(right: int, wrong: int) -> None:
    for rise in (0.0, 0.1, 0.3) if wrong else (0.0,):
        fall = (0.1 * (right + wrong) + wrong * rise) / right
        assert sides_reject(right, wrong, fall, rise) <= ERROR + 0.01


def test_without_a_wrong_answer_sides_lost_is_the_binomial_test() -> None:
    for fell in range(2, 13):
        wanted = scipy.stats.binom.sf(fell - 1, 12, 0.1)
        assert st.sides_lost(st.Sides(12, fell, 0, 0), 0.1) == pytest.approx(wanted)
    assert st.sides_lost(st.Sides(12, 1, 0, 0), 0.1) == 1.0
    assert st.sides_lost(st.Sides(0, 0, 12, 3), 0.1) == 1.0


def test_sides_lost_finds_in_twelve_answers_what_sign_flips_do_not() -> None:
    five = Clusters(np.array([-1.0] * 5 + [0.0] * 7), np.ones(12))
    assert st.inferior(five, 0.1) > 0.025
    assert st.sides_lost(st.Sides(12, 5, 0, 0), 0.1) < 0.005
    assert st.sides_lost(st.Sides(6, 5, 6, 0), 0.1) > 0.005  # others might have risen
