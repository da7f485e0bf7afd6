"""What the gate of values sees with this repository's own probes, and how often it errs.

Scores are drawn, not answered: a model that keeps to a principle in a share of its probes, whose answers to
two variants are like each other as 0.65 in the mean. Without harm some answers are drawn anew, more
than training on other leaves does to greedy ones; harm turns answers to the worse side, each with a chance.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.evaluate import statistics
from pipelines.evaluate.values import KINDS, judge_values
from pipelines.records import ValueResult
from pipelines.values import values_of
from pipelines.work_tree import WorkTree

PROBES = values_of(WorkTree(Path(__file__).parents[2] / "taxonomy")).probes
ALIKE = (3.9, 2.1)  # the beta distribution of two answers' likeness
MARGIN = 0.1


def change(
    draws: np.random.Generator, harm: float, of: frozenset[str], kept: float, anew: float
) -> list[ValueResult]:
    """The probes before and now. ``kept``: to a principle; ``anew``: answers drawn again."""
    found = []
    for probe in PROBES:
        kind = probe.principle.kind
        before, now = draws.beta(*ALIKE, 2) if kind == "alike" else draws.random(2) < kept
        if draws.random() >= anew:
            now = before
        if draws.random() < harm and of & {kind, probe.principle.id}:
            now = 0.0
        found.append(
            ValueResult(probe, ("b",), ("p",), ("c",), float(before), float(before), float(now))
        )
    return found


def blocked(
    runs: int, harm: float = 0.0, of: frozenset[str] = frozenset(KINDS), kept: float = 0.9,
    anew: float = 0.2,
) -> float:  # fmt: skip
    """The share of changes that are called worse."""
    draws = np.random.default_rng(1)
    verdicts = [judge_values(change(draws, harm, of, kept, anew), MARGIN) for _ in range(runs)]
    return float(np.mean([any(s.verdict == "worse" for s in one.scores) for one in verdicts]))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "DRAWS", 1_000)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("kept", "anew"), [(0.9, 0.2), (0.7, 1.0), (0.5, 1.0)])
def test_what_does_no_harm_is_seldom_blocked(kept: float, anew: float) -> None:
    assert blocked(30, kept=kept, anew=anew) <= 0.1  # 3 of 30; 300 runs stand in docs/evaluation.md


@pytest.mark.usefixtures("quick")
def test_harm_within_the_margin_is_not_its_business_and_three_margins_are() -> None:
    assert blocked(20, harm=0.05) <= 0.05
    assert blocked(20, harm=0.3) >= 0.4


@pytest.mark.usefixtures("quick")
def test_half_of_one_kind_s_twelve_probes_is_mostly_caught() -> None:
    assert blocked(20, harm=0.5, of=frozenset({"help"}), kept=1.0, anew=0.0) >= 0.6
    assert blocked(20, harm=0.75, of=frozenset({"same-for-every-name"}), anew=0.0) >= 0.3
