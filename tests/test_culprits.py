"""The leaves that spoil a night are found by halves, within a budget, and the rest is released."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import run as flow
from pipelines.culprits import SPOILS, UNTOLD, search
from pipelines.job import Job
from pipelines.records import Evaluation
from tests.support.flow import COLOUR, SOUND, TOWER, add_sound, add_tower, zero_site

EIGHT = tuple("abcdefgh")


class Oracle:
    """A night in which some leaves spoil the model; counts how often it is asked."""

    def __init__(self, *bad: str) -> None:
        self.bad, self.asked = set(bad), 0

    def __call__(self, some: Sequence[str]) -> bool:
        self.asked += 1
        return self.bad.isdisjoint(some)


@pytest.mark.parametrize("bad", EIGHT)
def test_one_of_eight_costs_three_runs_and_one_that_proves_the_rest(bad: str) -> None:
    oracle = Oracle(bad)
    assert [(one.leaf, one.reason) for one in search(EIGHT, oracle, 8)] == [(bad, SPOILS)]
    assert oracle.asked <= 4


def test_two_are_found_where_the_runs_suffice() -> None:
    for first in EIGHT:
        for second in EIGHT:
            oracle = Oracle(first, second)
            held = search(EIGHT, oracle, 12)
            assert {one.leaf for one in held} == {first, second}
            assert oracle.asked <= 12


@pytest.mark.parametrize("runs", range(6))
def test_what_is_not_told_apart_is_held_and_said_to_be(runs: int) -> None:
    oracle = Oracle("c", "g")
    held = search(EIGHT, oracle, runs)
    assert oracle.asked <= runs
    assert {"c", "g"} <= {one.leaf for one in held}
    assert UNTOLD in {one.reason for one in held}


@pytest.mark.slow
def test_the_rest_of_a_night_is_released(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All real but the gate's word, which a model this small could not be made to give reliably."""
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    add_tower(site.taxonomy)
    add_sound(site.taxonomy)
    site.repo.commit("A leaf about a tower, one about sounds")
    real = flow.refused

    def gate(job: Job, evaluation: Evaluation) -> str:
        return "it got worse" if SOUND in job.plan.learn else real(job, evaluation)

    monkeypatch.setattr(flow, "refused", gate)
    before = site.head()
    outcome = flow.run(site.options(), site.said.append)
    assert not outcome.accepted
    assert site.head() == before
    outcome = flow.run(replace(site.options(), search=4), site.said.append)
    assert outcome.release is not None
    after = site.head()
    assert TOWER in after.leaves
    assert SOUND not in after.leaves
    assert COLOUR in after.leaves
    assert outcome.directory is not None
    told = json.loads((outcome.directory / "culprits.json").read_bytes())
    assert told == {"culprits": [{"leaf": SOUND, "reason": SPOILS}]}
    assert [(wait.leaf, wait.reason) for wait in outcome.plan.waiting] == [(SOUND, SPOILS)]
