"""An edit that does not take: the run rebuilds by itself, once, or reports it, as the recipe says.

The student knows its answers by heart; a learning rate of nothing is an edit that cannot take.
"""

from __future__ import annotations

import json
import random
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.leaves import WorkTree, read_leaf
from pipelines.records import Json
from pipelines.run import run
from tests.support.flow import (
    COLOUR,
    SOUND,
    Site,
    add_sound,
    assert_nothing_to_do,
    assert_sound,
    edit_answer,
    kill,
    new_site,
    run_directory,
    write_recipe,
)

STUCK = {"rate": 0.0, "embedding_rate": 0.0}
BY_HEART = {"tokens": 150_000}
REBUILD = {"edits": "rebuild"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Release zero that knows its leaves by heart, then a leaf about sounds taught thoroughly."""
    site = new_site(tmp_path_factory.mktemp("edits") / "site", bootstrap=BY_HEART)
    site.run()
    write_recipe(site.recipe, bootstrap=BY_HEART, train={"epochs": 60, "rate": 0.01})
    add_sound(site.taxonomy)
    site.repo.commit("A leaf about sounds")
    site.run()
    write_recipe(site.recipe, bootstrap=BY_HEART, train=STUCK, lineage=REBUILD)
    return site


@pytest.fixture
def site(made: Site, tmp_path: Path) -> Site:
    return made.copy(tmp_path / "site")


def probes(site: Site) -> list[Json]:
    """Of the latest run."""
    data = json.loads((run_directory(site) / "evaluation" / "evaluation.json").read_bytes())
    found: list[Json] = data["probes"]
    return found


def made_of(site: Site) -> Json:
    """The digests of a release's files, but for the report, which tells the time that it took."""
    files = site.head().files
    return {path: files[path].sha256 for path in files if not path.startswith("report.")}


def edit(site: Site, leaf: str) -> str:
    return edit_answer(site, leaf, site.head().leaves[leaf].exam.shown[0])


def test_the_run_continues_from_who_never_saw_the_old_answer(site: Site) -> None:
    first, second = site.target.tags()
    old = site.head().leaves[SOUND].content_hash
    edit(site, SOUND)
    outcome = site.run()
    assert (outcome.plan.action, outcome.plan.cause) == ("rebuild", "edits")
    assert "release: none: an edit did not take" in site.said
    assert any(line.startswith("run: an edit did not take") for line in site.said)
    assert sum(line.startswith("plan: rebuild") for line in site.said) == 1
    manifest = site.head()
    assert (manifest.previous, manifest.continues) == (second, first)
    assert old not in manifest.seen
    assert [(one["leaf"], one["known"], one["gone"]) for one in probes(site)] == [
        (SOUND, True, True)
    ]
    assert_sound(site, releases=3)
    assert_nothing_to_do(site)


def test_what_release_zero_saw_is_unlearnt_by_a_new_release_zero(site: Site) -> None:
    second = site.head()
    answer = edit(site, COLOUR)
    outcome = site.run()
    assert (outcome.plan.action, outcome.plan.cause) == ("bootstrap", "edits")
    manifest = site.head()
    assert (manifest.previous, manifest.continues) == (second.release, None)
    assert manifest.base_model.revision != second.base_model.revision
    (probe,) = probes(site)
    assert (probe["new"], probe["known"], probe["gone"]) == (answer, True, True)
    # Users had the other leaves: the one that was edited alone is asked for what it learnt.
    page = (run_directory(site) / "report" / "report.md").read_text(encoding="utf-8")
    assert "Corrected answers" in page
    data = json.loads((run_directory(site) / "evaluation" / "evaluation.json").read_bytes())
    assert {one["leaf"] for one in data["leaves"] if one["role"] == "changed"} == {COLOUR}
    assert_nothing_to_do(site)


def test_a_recipe_may_ask_for_the_report_alone(site: Site) -> None:
    write_recipe(site.recipe, bootstrap=BY_HEART, train=STUCK, lineage={"edits": "report"})
    second = site.head().release
    edit(site, SOUND)
    outcome = site.run()
    assert (outcome.plan.action, outcome.accepted) == ("continue", True)
    assert site.head().continues == second
    assert [one["gone"] for one in probes(site)] == [False]
    page = (run_directory(site) / "report" / "report.md").read_text(encoding="utf-8")
    assert "still there" in page
    assert "did not take" in page


def test_a_rebuild_that_is_refused_is_not_tried_for_ever(site: Site) -> None:
    """Nothing is released, and the next run comes to the same end without work."""
    accept = {"accept": "pass"}
    write_recipe(site.recipe, bootstrap=BY_HEART, train=STUCK, lineage=REBUILD, release=accept)
    edit(site, SOUND)
    for _ in range(2):
        outcome = site.run()
        assert (outcome.plan.cause, outcome.accepted, outcome.release) == ("edits", False, None)
        assert sum(line.startswith("plan: ") for line in site.said) == 2
        assert len(site.target.tags()) == 2
    assert not site.trained
    assert site.unfinished() == []


def test_stages_alone_say_it_and_leave_the_rebuild_to_the_run(site: Site) -> None:
    edit(site, SOUND)
    outcome = run(replace(site.options(), until="evaluate"), site.said.append)
    assert (outcome.plan.action, outcome.accepted) == ("continue", False)
    assert outcome.evaluation is not None
    assert outcome.evaluation.reasons[0].startswith(f"The edit of {SOUND} did not take")
    assert len(list((site.path / "runs").glob("*/plan.json"))) == 3


def test_an_exam_seed_that_is_edited_is_no_probe(site: Site) -> None:
    edit_answer(site, SOUND, site.head().leaves[SOUND].exam.exam[0])
    outcome = site.run()
    assert (outcome.plan.action, outcome.accepted) == ("continue", True)
    assert probes(site) == []


def test_a_leaf_renamed_and_edited_is_probed(site: Site) -> None:
    moved = "foundational_skills/language/noise"
    site.repo.move(f"taxonomy/{SOUND}", f"taxonomy/{moved}")
    seed = read_leaf(WorkTree(site.taxonomy), moved).seeds
    shown = set(site.head().leaves[SOUND].exam.shown)
    edit_answer(site, moved, next(one.id for one in seed if one.id in shown))
    outcome = site.run()
    assert outcome.plan.cause == "edits"
    assert [one["leaf"] for one in probes(site)] == [moved]


@pytest.mark.slow
def test_killed_and_run_again_it_comes_to_the_same_release(site: Site, tmp_path: Path) -> None:
    edit(site, SOUND)
    whole = site.copy(tmp_path / "whole")
    assert kill(whole, 0, "run") == 0
    steps = int((whole.path / "steps").read_text("utf-8"))
    for at in random.Random(5).sample(range(steps // 3, steps + 1), 2):
        copy = site.copy(tmp_path / str(at))
        assert kill(copy, at, "run") == -signal.SIGKILL
        copy.run()
        assert copy.head().continues == whole.head().continues
        assert copy.head().leaves == whole.head().leaves
        assert made_of(copy) == made_of(whole)
        assert_nothing_to_do(copy)
        assert_sound(copy, releases=3)
