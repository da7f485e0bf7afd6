"""The statistics against scipy, and their error rates in small simulations with fixed seeds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats

from pipelines.evaluate import statistics as st
from pipelines.evaluate.statistics import Clusters


def single(values: list[float]) -> Clusters:
    return st.cluster(values, [f"{index:04}" for index in range(len(values))])


def test_cluster_sums_by_key_whatever_the_order() -> None:
    found = st.cluster([0.5, -1.0, 0.25], ["b", "a", "b"])
    assert found.sums.tolist() == [-1.0, 0.75]
    assert found.sizes.tolist() == [1.0, 2.0]
    assert found.mean == pytest.approx(-0.25 / 3)
    with pytest.raises(ValueError, match="one key"):
        st.cluster([], [])
    with pytest.raises(ValueError, match="one key"):
        st.cluster([0.1], ["a", "b"])


@pytest.mark.parametrize(("right", "n"), [(0, 1), (0, 10), (3, 10), (10, 10), (55, 100)])
def test_wilson_is_scipys(right: int, n: int) -> None:
    theirs = scipy.stats.binomtest(right, n).proportion_ci(method="wilson")
    assert st.wilson(right, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_of_nothing_is_everything() -> None:
    assert st.wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (5, 0), (6, 0), (3, 9), (40, 40), (900, 700)])
def test_mcnemar_is_scipys_binomial(wins: int, losses: int) -> None:
    theirs = scipy.stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert st.mcnemar(wins, losses) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("size", [2, 6, 11, 14])
def test_exact_sign_flip_is_scipys(size: int) -> None:
    values = np.random.default_rng(size).normal(0.3, 1, size)
    theirs = scipy.stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf, axis=0
    ).pvalue
    assert st.sign_flip(single(values.tolist())) == pytest.approx(theirs)


def test_sampled_sign_flip_is_near_the_exact_one_and_always_the_same() -> None:
    values = np.random.default_rng(5).normal(0.35, 1, 17)
    clusters = single(values.tolist())
    signs = np.array(list(itertools.product([1, -1], repeat=17)))
    exact = np.mean(np.abs(signs @ values) >= abs(values.sum()) - 1e-9)
    assert st.sign_flip(clusters) == pytest.approx(exact, abs=0.012)
    assert st.sign_flip(clusters) == st.sign_flip(clusters)


def test_fewer_than_six_clusters_cannot_be_significant() -> None:
    assert st.sign_flip(single([1.0] * (st.LEAST_CLUSTERS - 1))) > st.ALPHA
    assert st.sign_flip(single([1.0] * st.LEAST_CLUSTERS)) < st.ALPHA
    assert st.sign_flip(single([0.0] * 20)) == 1.0


@pytest.mark.parametrize("freedom", [1, 2, 5, 7, 8, 9, 15, 40, 399])
def test_t_quantile_is_scipys(freedom: int) -> None:
    assert st.t_quantile(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), abs=5e-4)


def test_interval_of_few_equal_clusters_is_students() -> None:
    values = [0.1, 0.5, 0.3, 0.2]
    theirs = scipy.stats.ttest_1samp(values, 0).confidence_interval()
    assert st.interval(single(values)) == pytest.approx((theirs.low, theirs.high), abs=1e-4)


def test_interval_of_many_clusters_is_close_to_scipys_bootstrap() -> None:
    values = np.random.default_rng(1).uniform(-0.2, 0.6, 60)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", random_state=1
    ).confidence_interval
    low, high = st.interval(single(values.tolist()))
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert low < theirs.low + 0.005
    assert st.interval(single(values.tolist())) == (low, high)


def test_interval_at_the_edges() -> None:
    assert st.interval(single([0.4])) == (-1.0, 1.0)
    assert st.interval(single([0.0])) == (0.0, 0.0)
    assert st.interval(single([-1.0, 1.0])) == (-1.0, 1.0)


def test_holm_by_hand() -> None:
    assert st.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert st.holm([0.6, 0.9]) == [1.0, 1.0]
    assert st.holm([]) == []


def test_non_inferior_by_the_lower_end_alone() -> None:
    assert st.non_inferior((-0.04, 0.5), 0.05)
    assert not st.non_inferior((-0.05, 0.5), 0.05)


def test_clusters_needed_falls_with_the_effect() -> None:
    clusters = single([0.5, -0.5] * 10)
    few, many = st.clusters_needed(clusters, 0.5), st.clusters_needed(clusters, 0.1)
    assert few is not None
    assert many is not None
    assert st.LEAST_CLUSTERS <= few < many
    assert many == pytest.approx((2.8016 * 0.513 / 0.1) ** 2, rel=0.02)
    assert st.clusters_needed(clusters, 0.0) is None


def test_detectable_effect_is_found_in_four_of_five_draws() -> None:
    draws = np.random.default_rng(3)
    effect = st.detectable(single(draws.normal(0, 0.3, 40).tolist()))
    found = [
        scipy.stats.ttest_1samp(draws.normal(effect, 0.3, 40), 0).pvalue < st.ALPHA
        for _ in range(400)
    ]
    assert 0.6 < np.mean(found) < 0.95
    assert st.detectable(single([0.5] * 5)) == 1.0


def correlated(draws: np.random.Generator, contexts: int) -> Clusters:
    """Contexts of five items that share most of their noise; no true difference."""
    shared = np.repeat(draws.normal(0, 0.3, contexts), 5)
    values = np.clip(shared + draws.normal(0, 0.15, contexts * 5), -1, 1)
    return st.cluster(values.tolist(), [f"{index // 5:03}" for index in range(contexts * 5)])


@pytest.mark.parametrize("contexts", [6, 9, 13])
def test_sign_flip_keeps_its_error_rate_with_correlated_items(contexts: int) -> None:
    draws = np.random.default_rng(contexts)
    alarms = [st.sign_flip(correlated(draws, contexts)) < st.ALPHA for _ in range(500)]
    assert np.mean(alarms) < 0.075


@pytest.mark.parametrize("contexts", [4, 9, 16])
def test_interval_covers_with_correlated_items(contexts: int) -> None:
    draws = np.random.default_rng(contexts)
    bounds = [st.interval(correlated(draws, contexts)) for _ in range(200)]
    covered = np.mean([low <= 0 <= high for low, high in bounds])
    assert covered > 0.9
