"""``graft generate|train|evaluate|report``: each does what ``graft run`` does, to its end and no further."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.run import run
from tests.support.flow import (
    MILL,
    STAGES,
    TOWER,
    Site,
    add_tower,
    new_site,
    run_directory,
    zero_site,
)

FOLDERS = ("dataset", "adapter", "evaluation", "report", "release")


@pytest.fixture
def branch(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Release zero, and a branch with one leaf more."""
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    site.repo.branch("tower")
    add_tower(site.taxonomy)
    site.repo.commit("A leaf about a tower")
    return site


def finished(site: Site) -> list[str]:
    return [name for name in FOLDERS if (run_directory(site) / name / "stage.json").is_file()]


def told(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_stage_makes_what_is_missing_before_it_and_keeps_what_is_finished(
    branch: Site,
) -> None:
    assert told(branch.graft("generate", "--base", "main")).startswith("dataset: runs/")
    assert finished(branch) == ["dataset"]
    first = branch.files()
    # A stage whose inputs are missing makes them; one that is finished is left as it is.
    done = branch.graft("evaluate", "--base", "main")
    assert told(done).startswith("verdict: ")
    assert "generate: finished before" in done.stderr
    assert finished(branch) == ["dataset", "adapter", "evaluation"]
    done = branch.graft("train", "--base", "main")
    assert told(done).startswith("weights: runs/")
    assert "train: finished before" in done.stderr
    assert "# " in told(branch.graft("report", "--base", "main"))
    assert finished(branch) == ["dataset", "adapter", "evaluation", "report"]
    after = branch.files()
    assert {path: after[path] for path in first} == first
    assert branch.target.tags() == [branch.head().release]
    branch.run("main")
    assert finished(branch) == list(FOLDERS)
    assert not branch.trained
    assert TOWER in branch.head().leaves


@pytest.mark.parametrize("stage", STAGES)
def test_a_plan_does_nothing(branch: Site, stage: str) -> None:
    before = branch.files()
    assert TOWER in told(branch.graft(stage, "--base", "main", "--plan"))
    assert branch.files() == before


@pytest.mark.parametrize("stage", STAGES)
def test_with_nothing_changed_a_stage_says_so(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, stage: str
) -> None:
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    before = site.files()
    assert "Nothing to do" in told(site.graft(stage))
    assert site.files() == before


def test_without_a_release_a_stage_is_one_of_release_zero(tmp_path: Path) -> None:
    site = new_site(tmp_path / "site")
    outcome = run(replace(site.options(), until="generate"), site.said.append)
    assert outcome.plan.action == "bootstrap"
    assert finished(site) == ["dataset"]
    summary = json.loads((run_directory(site) / "dataset" / "summary.json").read_bytes())
    assert MILL in {entry["leaf"] for entry in summary.values()}
    assert site.target.head() is None


def test_without_a_release_a_branch_gets_release_zero_first_and_whole(tmp_path: Path) -> None:
    site = new_site(tmp_path / "site", bootstrap={"tokens": 2000})
    site.repo.branch("tower")
    add_tower(site.taxonomy)
    site.repo.commit("A leaf about a tower")
    outcome = run(replace(site.options("main"), until="generate"), site.said.append)
    assert site.target.head() is not None
    assert TOWER not in site.head().leaves
    assert outcome.plan.learn == [TOWER]
    assert finished(site) == ["dataset"]


def test_a_failed_gate_ends_with_one(branch: Site) -> None:
    recipe = branch.recipe.read_text("utf-8").replace("accept: not_worse", "accept: pass")
    branch.recipe.write_text(recipe, encoding="utf-8")
    done = branch.graft("evaluate", "--base", "main")
    verdict = json.loads((run_directory(branch) / "evaluation" / "evaluation.json").read_bytes())[
        "verdict"
    ]
    assert f"verdict: {verdict}" in done.stdout
    assert done.returncode == (0 if verdict == "PASS" else 1)
