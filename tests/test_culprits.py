"""The leaves that spoil a night are found by halves, within a budget, and the rest is released."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import run as flow
from pipelines.culprits import HELD, OTHERWISE, SPOILS, UNTOLD, search
from pipelines.job import Job
from pipelines.prepare import plan
from pipelines.records import Evaluation
from pipelines.schemas import violations
from tests.support.flow import COLOUR, SOUND, TOWER, Site, add_sound, add_tower, zero_site

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


def test_what_spoiled_a_model_stays_out_until_it_is_edited(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Told by the last release's manifest, so that a night on a fresh machine searches no second time."""
    site = two_more(tmp_path, tmp_path_factory.getbasetemp())
    options = site.options()
    held = {SOUND: plan(options)[2].wanted[SOUND]}
    note_held(site, held)

    decided = plan(options)[2]
    assert (list(decided.learn), decided.held) == ([TOWER], held)
    assert [(wait.leaf, wait.reason) for wait in decided.waiting] == [(SOUND, HELD)]
    assert SOUND not in decided.wanted
    assert list(plan(replace(options, try_held=True))[2].learn) == [SOUND, TOWER]

    site.repo.move(f"taxonomy/{SOUND}", f"taxonomy/{SOUND}s")
    site.repo.commit("Renamed")
    assert plan(options)[2].held == {f"{SOUND}s": held[SOUND]}
    leaf = site.taxonomy / f"{SOUND}s" / "qna.yaml"
    leaf.write_text(leaf.read_text("utf-8").replace("badger", "marten"), encoding="utf-8")
    site.repo.commit("Mended")
    decided = plan(options)[2]
    assert (list(decided.learn), decided.held) == ([f"{SOUND}s", TOWER], {})


def test_a_branch_is_told_of_its_own_leaf_whatever_a_night_held_back(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    site.repo.git("checkout", "-q", "-b", "branch")
    add_sound(site.taxonomy)
    site.repo.commit("A leaf about sounds")
    options = replace(site.options(), base="main")
    note_held(site, {SOUND: plan(options)[2].wanted[SOUND]})
    assert list(plan(options)[2].learn) == [SOUND]


def note_held(site: Site, held: dict[str, str]) -> None:
    """Let the last release's manifest tell of leaves that spoil."""
    [place] = (site.path / "releases").rglob("manifest.json")
    told = {**json.loads(place.read_bytes()), "held": held}
    place.write_text(json.dumps(told), encoding="utf-8")
    assert not violations(told, "manifest")


def two_more(tmp_path: Path, scratch: Path) -> Site:
    site = zero_site(scratch).copy(tmp_path / "site")
    add_tower(site.taxonomy)
    add_sound(site.taxonomy)
    site.repo.commit("A leaf about a tower, one about sounds")
    return site


@pytest.mark.slow
@pytest.mark.parametrize(("worse", "reason"), [(True, SPOILS), (False, f"{OTHERWISE}: so it is")])
def test_a_night_of_which_nothing_is_left_is_refused_and_tells_which_leaves(
    worse: bool,
    reason: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not "nothing to do": the workflow would tell nobody. A model that was not worse is not called so."""
    site = two_more(tmp_path, tmp_path_factory.getbasetemp())
    monkeypatch.setattr(flow, "refused", lambda job, evaluation: "so it is")
    monkeypatch.setattr(flow, "not_worse", lambda evaluation: not worse)
    outcome = flow.run(replace(site.options(), search=4), site.said.append)
    assert (outcome.accepted, outcome.release) == (False, None)
    assert outcome.directory is not None
    assert (site.path / "runs" / "latest").read_text("utf-8").strip() == outcome.directory.name
    told = json.loads((outcome.directory / "culprits.json").read_bytes())
    assert told == {"culprits": [{"leaf": leaf, "reason": reason} for leaf in (SOUND, TOWER)]}


@pytest.mark.slow
def test_the_rest_of_a_night_is_released(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All real but the gate's word, which a model this small could not be made to give reliably."""
    site = two_more(tmp_path, tmp_path_factory.getbasetemp())
    real = flow.refused

    def gate(job: Job, evaluation: Evaluation) -> str:
        return "it got worse" if SOUND in job.plan.learn else real(job, evaluation)

    monkeypatch.setattr(flow, "refused", gate)
    monkeypatch.setattr(flow, "not_worse", lambda evaluation: False)
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
    assert list(after.held) == [SOUND]
    again = plan(site.options())[2]
    assert (again.action, list(again.held)) == ("nothing", [SOUND])
