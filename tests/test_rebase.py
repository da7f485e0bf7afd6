"""A chain that grows old is learnt anew from the bare base, published where that is no worse."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.prepare import plan
from pipelines.run import Outcome, run
from pipelines.situation import Options
from tests.support.flow import (
    FERRY,
    LEAVES,
    SOUND,
    TOWER,
    Site,
    add_knowledge,
    add_sound,
    add_tower,
    assert_nothing_to_do,
    assert_sound,
    calls,
    run_directory,
    write_recipe,
    zero_site,
)


def options(site: Site, day: int, base: str | None = None) -> Options:
    """As if the command ran so many days later."""
    today = datetime.now(UTC).date() + timedelta(days=day)
    return replace(site.options(base), today=today)


def run_on(site: Site, day: int) -> Outcome:
    site.said = []
    return run(options(site, day), site.said.append)


def write_weekly(site: Site, **sections: dict[str, object]) -> None:
    write_recipe(site.recipe, lineage={"rebase": "weekly"}, **sections)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Release zero, a leaf on the first day, another, taught thoroughly, on the second."""
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path_factory.mktemp("rebase") / "s")
    write_weekly(site)
    add_sound(site.taxonomy)
    site.repo.commit("A leaf about sounds")
    run_on(site, 1)
    write_weekly(site, train={"epochs": 25, "rate": 0.01})
    add_tower(site.taxonomy)
    site.repo.commit("A leaf about a tower")
    run_on(site, 2)
    write_weekly(site)
    return site


@pytest.fixture
def site(made: Site, tmp_path: Path) -> Site:
    return made.copy(tmp_path / "site")


def test_a_week_later_everything_is_learnt_anew_from_release_zero(site: Site) -> None:
    zero, _, last = site.target.tags()
    assert run_on(site, 7).plan.action == "nothing"
    outcome = run_on(site, 8)
    assert (outcome.plan.action, outcome.plan.cause) == ("rebuild", "rebase")
    assert sorted(outcome.plan.learn) == sorted([SOUND, TOWER])
    assert calls(site) == {"made": 0, "reused": 0}
    manifest = site.head()
    assert (manifest.previous, manifest.continues, manifest.retired) == (last, zero, ())
    assert manifest.leaves == site.target.manifest(last).leaves
    # Users had all of it: nothing is asked whether it was learnt.
    data = json.loads((run_directory(site) / "evaluation" / "evaluation.json").read_bytes())
    assert data["changed"] is None
    assert_sound(site, releases=4)
    assert run_on(site, 9).plan.action == "nothing"
    assert_nothing_to_do(site)


def test_a_deleted_leaf_of_release_zero_is_folded_in_by_another_one(site: Site) -> None:
    before = site.head()
    site.repo.delete(f"taxonomy/{FERRY}")
    site.repo.commit("No more ferry")
    assert run_on(site, 3).plan.action == "carry"
    assert [gone.leaf for gone in site.head().retired] == [FERRY]
    outcome = run_on(site, 8)
    assert (outcome.plan.action, outcome.plan.cause) == ("bootstrap", "rebase")
    manifest = site.head()
    assert manifest.continues is None
    assert manifest.base_model.revision != before.base_model.revision
    assert manifest.retired == ()
    assert sorted(manifest.leaves) == sorted({*LEAVES, SOUND, TOWER} - {FERRY})
    assert before.leaves[FERRY].content_hash not in manifest.seen
    assert_sound(site, releases=5)
    assert run_on(site, 20).plan.action == "nothing"  # one release has no chain


def test_a_new_leaf_beyond_the_budget_waits_and_the_rebase_does_not(site: Site) -> None:
    site.repo.delete(f"taxonomy/{FERRY}")
    site.repo.commit("No more ferry")
    run_on(site, 3)
    add_knowledge(site.taxonomy, "knowledge/buildings/later", "Harrow", 1902)
    site.repo.commit("One more building")
    text = site.recipe.read_text(encoding="utf-8")
    site.recipe.write_text(f"{text}budget: {{calls: 1}}\n", encoding="utf-8")
    outcome = run_on(site, 8)
    assert (outcome.plan.action, outcome.plan.cause) == ("bootstrap", "rebase")
    assert [wait.leaf for wait in outcome.plan.waiting] == ["knowledge/buildings/later"]
    assert sorted(site.head().leaves) == sorted({*LEAVES, SOUND, TOWER} - {FERRY})


def test_a_rebase_that_is_worse_gives_way_to_the_ordinary_run(site: Site) -> None:
    """It learns nothing of what the chain knows well, and next to no margin is left to it."""
    write_weekly(site, evaluate={"margin": 1e-6}, train={"rate": 0.0, "embedding_rate": 0.0})
    last = site.head().release
    site.repo.delete(f"taxonomy/{SOUND}")
    site.repo.commit("No more sounds")
    outcome = run_on(site, 8)
    assert (outcome.plan.action, outcome.plan.cause, outcome.accepted) == ("carry", "changes", True)
    assert any(line.startswith("run: the re-base is not published") for line in site.said)
    assert site.head().continues == last
    assert_sound(site, releases=4)
    for _ in range(2):  # tried again, and then known to be refused
        outcome = run_on(site, 9)
        assert (outcome.plan.action, outcome.accepted) == ("nothing", True)
        assert sum(line.startswith("plan: ") for line in site.said) == 2
    assert not site.trained
    assert_sound(site, releases=4)


def test_pass_is_not_asked_of_a_rebase(site: Site) -> None:
    write_weekly(site, release={"accept": "pass"})
    assert run_on(site, 8).plan.cause == "rebase"
    assert_sound(site, releases=4)


def test_stages_branches_and_other_recipes_leave_it_alone(site: Site) -> None:
    def cause(given: Options) -> str:
        return plan(given)[2].cause

    assert cause(options(site, 8)) == "rebase"
    assert cause(replace(options(site, 8), until="evaluate")) == "changes"
    assert cause(options(site, 8, "main")) == "changes"
    write_recipe(site.recipe)
    assert cause(options(site, 8)) == "changes"
