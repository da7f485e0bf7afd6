"""The two rules, each from both sides, and what the reasons say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.evaluate.verdict import judge, not_worse
from pipelines.records import ItemResult
from tests.evaluate.support import item, leaf_results, panel, result

MARGIN = 0.05
NEW = "knowledge/new/leaf"


def learnt(contexts: int) -> list[ItemResult]:
    return leaf_results(NEW, "changed", [(0.0, 1.0), (0.1, 0.8), (0.0, 0.5)] * contexts)


def test_pass_when_learnt_and_panel_held() -> None:
    found = judge([*learnt(8), *panel()], MARGIN)
    assert found.verdict == "PASS"
    assert found.changed is not None
    assert (found.changed.clusters, found.changed.items) == (8, 24)
    assert found.panel is not None
    assert found.panel.clusters == 12
    assert found.leaves[0].leaf == NEW
    assert found.leaves[0].verdict == "improved"
    assert {leaf.verdict for leaf in found.leaves[1:]} == {"inconclusive"}  # one context each
    assert "better" in found.reasons[0]
    assert not_worse(found)


def test_a_leaf_that_stays_within_the_margin_is_unchanged() -> None:
    steady = leaf_results("knowledge/old/a", "panel", [(0.9, 0.89), (0.9, 0.91), (1, 1)] * 4)
    found = judge(steady, MARGIN)
    assert [leaf.verdict for leaf in found.leaves] == ["unchanged"]


def test_pass_without_a_panel() -> None:
    found = judge(learnt(8), MARGIN)
    assert (found.verdict, found.panel) == ("PASS", None)
    assert any("no panel" in reason for reason in found.reasons)
    assert not_worse(found)


def test_three_contexts_are_inconclusive_however_good_and_say_how_many_it_takes() -> None:
    found = judge([*learnt(3), *panel()], MARGIN)
    assert found.verdict == "INCONCLUSIVE"
    assert found.leaves[0].verdict == "inconclusive"
    text = " ".join(found.reasons)
    assert "3 contexts cannot decide" in text
    assert "at least 6 (about 18 items)" in text
    assert "non-inferior within the margin" in text
    assert not_worse(found)


def test_no_gain_is_inconclusive_with_the_detectable_effect() -> None:
    pairs = [(0.5, 0.9), (0.9, 0.5), (0.5, 0.6)] * 4
    found = judge([*leaf_results(NEW, "changed", pairs, per_context=1), *panel()], MARGIN)
    assert found.verdict == "INCONCLUSIVE"
    assert any("smallest gain that 12 contexts would show" in one for one in found.reasons)


def test_no_exam_at_all() -> None:
    found = judge([], MARGIN)
    assert (found.verdict, found.leaves, found.changed) == ("INCONCLUSIVE", (), None)
    assert not_worse(found)


def test_what_is_known_already_is_said() -> None:
    found = judge(leaf_results(NEW, "changed", [(1.0, 1.0)] * 24), MARGIN)
    assert found.verdict == "INCONCLUSIVE"
    assert any("already answers" in reason for reason in found.reasons)


def test_a_fallen_panel_is_a_regression_even_where_the_leaf_was_learnt() -> None:
    found = judge([*learnt(8), *panel(drop=0.3)], MARGIN)
    assert found.verdict == "REGRESSION"
    assert any("worse by more than the margin" in reason for reason in found.reasons)
    assert not not_worse(found)


def test_one_collapsed_leaf_is_a_regression_though_the_panel_mean_holds() -> None:
    collapsed = leaf_results("knowledge/old/lost", "panel", [(1.0, 0.0)] * 12)
    found = judge([*learnt(8), *panel(leaves=60), *collapsed], MARGIN)
    assert found.verdict == "REGRESSION"
    assert [leaf.leaf for leaf in found.leaves if leaf.verdict == "regressed"] == [
        "knowledge/old/lost"
    ]
    assert found.reasons[0].startswith("knowledge/old/lost fell by 1.00")
    assert not not_worse(found)


def test_a_panel_that_may_have_fallen_is_not_published() -> None:
    noisy = [
        one
        for number in range(10)
        for one in leaf_results(
            f"knowledge/old/l{number}", "panel", [(0.5, 0.2 if number % 2 else 0.8)]
        )
    ]
    found = judge([*learnt(8), *noisy], MARGIN)
    assert found.verdict == "INCONCLUSIVE"
    assert any("would take about" in reason and "leaves" in reason for reason in found.reasons)
    assert not not_worse(found)


def test_a_loss_that_may_be_chance_names_the_loss_that_would_be_shown() -> None:
    uneven = [
        one
        for number in range(10)
        for one in leaf_results(f"knowledge/old/l{number}", "panel", [(0.9, 0.1 * number + 0.3)])
    ]
    found = judge([*learnt(8), *uneven], MARGIN)
    assert found.panel is not None
    assert found.panel.difference < -MARGIN  # beyond the margin, and not surely so
    assert found.verdict == "INCONCLUSIVE"
    assert any("10 leaves show a loss beyond the margin only from" in one for one in found.reasons)
    assert not any("worse by more than the margin" in one for one in found.reasons)
    assert not not_worse(found)


def test_a_loss_that_is_sure_but_not_surely_beyond_the_margin_is_no_regression() -> None:
    found = judge(
        [
            one
            for number in range(20)
            for one in leaf_results(
                f"knowledge/old/l{number:02}", "panel", [(0.9, 0.78 if number % 2 else 0.89)]
            )
        ],
        0.06,
    )
    assert found.panel is not None
    assert found.panel.p_value < 0.001  # something was lost
    assert found.panel.difference < -0.06
    assert found.verdict == "INCONCLUSIVE"


def test_a_small_panel_is_taken_by_contexts() -> None:
    small = [
        *leaf_results("knowledge/old/a", "panel", [(0.9, 0.89)] * 12),
        *leaf_results("knowledge/old/b", "panel", [(0.9, 0.91)] * 12),
    ]
    found = judge([*learnt(8), *small], MARGIN)
    assert found.panel is not None
    assert found.panel.clusters == 8
    assert found.verdict == "PASS"


def test_one_context_shows_nothing() -> None:
    found = judge([*learnt(8), *leaf_results("knowledge/old/a", "panel", [(1.0, 0.9)] * 3)], MARGIN)
    assert found.panel is not None
    assert found.panel.interval == (-1.0, 1.0)
    assert found.verdict == "INCONCLUSIVE"
    assert not not_worse(found)


def test_few_falling_contexts_are_no_regression_by_the_interval() -> None:
    small = leaf_results("knowledge/old/a", "panel", [(1.0, 0.5)] * 4, per_context=2)
    found = judge([*learnt(8), *small], MARGIN)
    assert any("2 contexts cannot decide" in reason for reason in found.reasons)
    assert found.verdict == "INCONCLUSIVE"
    assert not not_worse(found)


def test_leaked_items_are_counted_apart() -> None:
    leaked = [result(item(NEW, "changed", 90 + n, n, leaked=True), 0.0, 1.0) for n in range(4)]
    only = [result(item("knowledge/z", "changed", 0, 0, leaked=True), 1.0, 0.0)]
    with_leaks, without = judge([*learnt(8), *leaked, *only], MARGIN), judge(learnt(8), MARGIN)
    assert with_leaks.changed == without.changed
    assert (with_leaks.leaves[0].items, with_leaks.leaves[0].leaked) == (24, 4)
    assert replace(with_leaks.leaves[0], leaked=0) == without.leaves[0]
    assert (with_leaks.leaves[1].items, with_leaks.leaves[1].verdict) == (0, "inconclusive")
    assert with_leaks.reasons[-1].startswith("5 exam items leaked")


def test_the_order_of_results_does_not_matter() -> None:
    results = [*learnt(8), *panel(leaves=20)]
    assert judge(results, MARGIN) == judge(results[::-1], MARGIN)


def test_base_against_itself_is_seldom_a_verdict() -> None:
    draws = np.random.default_rng(11)
    verdicts = []
    for _ in range(60):
        noise = np.clip(draws.normal(0.6, 0.25, (22, 3, 2)), 0, 1).tolist()
        results = [
            one
            for number, pairs in enumerate(noise)
            for one in leaf_results(
                f"knowledge/l{number:02}",
                "changed" if number < 8 else "panel",
                [(before, now) for before, now in pairs],
            )
        ]
        verdicts.append(judge(results, MARGIN).verdict)
    assert verdicts.count("PASS") <= 4
    assert verdicts.count("REGRESSION") <= 2


@pytest.mark.parametrize("drop", [0.0, 0.3])
def test_arms_are_means_over_items(drop: float) -> None:
    found = judge(panel(drop=drop), MARGIN)
    assert found.panel is not None
    assert found.panel.previous.token_f1 == pytest.approx(0.9)
    assert found.panel.difference == pytest.approx(-drop)
    assert found.panel.candidate.token_f1 == pytest.approx(0.9 - drop)
