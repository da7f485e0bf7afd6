"""``--plan`` of generate and train, and the budget, on real repositories."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from pipelines.errors import GraftError
from pipelines.git import open_repository
from pipelines.prepare import plan
from pipelines.recipe import load_recipe
from pipelines.records import Json
from pipelines.run import run
from pipelines.speeds import note
from pipelines.spending import train_speed
from tests.support.flow import (
    LEAVES,
    MILL,
    ROOT,
    SOUND,
    TOWER,
    Site,
    add_sound,
    add_tower,
    new_site,
    run_directory,
    write_recipe,
    zero_site,
)
from tests.support.repositories import Repo

JANUARY = 1893456000  # 2030-01-01 in Unix seconds


@pytest.fixture
def branch(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Release zero, and a leaf each of two days."""
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    add_sound(site.taxonomy)
    site.repo.commit("A leaf", date="2030-01-02T00:00:00Z")
    add_tower(site.taxonomy)
    site.repo.commit("A leaf", date="2030-01-03T00:00:00Z")
    return site


def budget(site: Site, **limits: float) -> None:
    write_recipe(site.recipe)
    with site.recipe.open("a", encoding="utf-8") as stream:
        stream.write(f"budget: {json.dumps(limits)}\n")


def costs(site: Site, stage: str) -> Json:
    done = site.graft(stage, "--plan", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: Json = json.loads(done.stdout)
    jsonschema.validate(found, json.loads((ROOT / "schema" / "costs.json").read_bytes()))
    return found


def made(site: Site) -> Mapping[str, int]:
    ledger = json.loads((run_directory(site) / "dataset" / "ledger.json").read_bytes())
    calls: Mapping[str, int] = ledger["calls"]
    return calls


def test_a_plan_tells_the_calls_and_then_that_the_store_has_them(branch: Site) -> None:
    before = branch.files()
    told = costs(branch, "generate")
    assert [one["leaf"] for one in told["leaves"]] == [SOUND, TOWER]
    assert branch.files() == before
    text = branch.graft("generate", "--plan").stdout
    assert f"{told['total']['calls']:,}" in text
    assert "An estimate" in text
    run(replace(branch.options(), until="generate"), branch.said.append)
    assert made(branch)["made"] == told["total"]["calls"]
    again = costs(branch, "generate")["total"]
    assert again["stored"] == again["calls"] == told["total"]["calls"]


def test_training_is_told_from_the_rows_that_exist(branch: Site) -> None:
    write_recipe(branch.recipe, train={"steps": 900, "step_least": 64})
    told = costs(branch, "train")
    assert (told["rows"], told["missing"]) == (0, [SOUND, TOWER])
    run(replace(branch.options(), until="generate"), branch.said.append)
    told = costs(branch, "train")
    rows = (run_directory(branch) / "dataset" / "rows").iterdir()
    assert told["rows"] == sum(len(path.read_bytes().splitlines()) for path in rows)
    assert told["missing"] == []
    assert told["steps"] == -(-told["tokens"] // 64)
    branch.run()
    record = json.loads((run_directory(branch) / "adapter" / "training.json").read_bytes())
    assert told["tokens"] > 0.3 * record["tokens"]
    assert "Nothing" in branch.graft("train").stdout


def test_what_does_not_fit_waits_the_oldest_change_first(branch: Site) -> None:
    each = {one["leaf"]: one["calls"] for one in costs(branch, "generate")["leaves"]}
    budget(branch, calls=max(each.values()))
    planned = branch.graft("run", "--plan").stdout
    assert f"learn {SOUND}" in planned
    assert f"wait  {TOWER}: its calls no longer fit" in planned
    assert [one["leaf"] for one in costs(branch, "generate")["waiting"]] == [TOWER]
    assert branch.run().release is not None
    assert any(f"{TOWER} waits" in line for line in branch.said)
    assert sorted(branch.head().leaves) == sorted([*LEAVES, SOUND])
    assert TOWER in (run_directory(branch) / "report" / "report.md").read_text("utf-8")
    # The next night it is there alone, and fits.
    assert branch.run().plan.learn == [TOWER]
    assert sorted(branch.head().leaves) == sorted([*LEAVES, SOUND, TOWER])
    assert branch.run().plan.action == "nothing"


def test_hours_hold_training_too_once_it_was_measured_here(branch: Site) -> None:
    """A leaf that is asked about in no time may still take a night to train."""
    budget(branch, hours=1.0)
    cache, name = branch.options().cache, train_speed(load_recipe(str(branch.recipe)))
    (cache / "speeds.json").unlink(missing_ok=True)
    assert not plan(branch.options())[2].waiting
    note(cache, name, 1_000_000, 1.0)
    assert not plan(branch.options())[2].waiting
    told = {one["leaf"]: one["written"] for one in costs(branch, "generate")["leaves"]}
    # One leaf fits into the hour, two do not: the older one is taught.
    train = load_recipe(str(branch.recipe)).train
    passes = train.epochs * (1 + train.replay)
    note(cache, name, 1.1 * passes * max(told.values()) / 3600, 1.0)
    assert [wait.leaf for wait in plan(branch.options())[2].waiting] == [TOWER]
    note(cache, name, 0.5 * passes * min(told.values()) / 3600, 1.0)
    _, _, decided = plan(branch.options())
    assert [wait.leaf for wait in decided.waiting] == [SOUND, TOWER]
    assert all("its hours are more than the whole" in wait.reason for wait in decided.waiting)


def test_hours_are_of_asking_alone_for_release_zero(tmp_path: Path) -> None:
    """It is trained on as many tokens as the recipe says, with any leaves."""
    site = new_site(tmp_path / "site")
    budget(site, hours=1.0)
    note(site.options().cache, train_speed(load_recipe(str(site.recipe))), 0.001, 1.0)
    assert not plan(site.options())[2].waiting


def test_an_edited_leaf_that_waits_stays_as_it_was(branch: Site) -> None:
    old = branch.head().leaves[MILL]
    branch.repo.move(f"taxonomy/{MILL}", "taxonomy/knowledge/buildings/old_mill")
    path = branch.taxonomy / "knowledge/buildings/old_mill/qna.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("Helena Brandt", "Walter Quist"), encoding="utf-8")
    branch.repo.commit("Another keeper, another name")
    budget(branch, calls=0)
    _, _, decided = plan(branch.options())
    assert decided.action == "nothing"
    assert {wait.leaf for wait in decided.waiting} == {
        SOUND, TOWER, "knowledge/buildings/old_mill"
    }  # fmt: skip
    assert all("more than the whole budget" in wait.reason for wait in decided.waiting)
    assert decided.wanted[MILL] == old.content_hash
    assert sorted(decided.wanted) == sorted(LEAVES)


def test_release_zero_keeps_to_the_budget_too(tmp_path: Path) -> None:
    site = new_site(tmp_path / "site")
    calls = {one["leaf"]: one["calls"] for one in costs(site, "generate")["leaves"]}
    budget(site, calls=sum(calls.values()) - 1)
    outcome = site.run()
    assert outcome.plan.action == "bootstrap"
    assert len(outcome.plan.waiting) == 1
    assert len(site.head().leaves) == len(LEAVES) - 1
    shutil.rmtree(site.path / ".graft")  # else the store has every answer, and all of it is free
    budget(site, calls=0)
    with pytest.raises(GraftError, match="No leaf fits the budget"):
        run(replace(site.options(), target=f"folder:{tmp_path / 'none'}"), print)


def test_when_each_path_last_changed(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    for day, name in enumerate("aba", 1):
        repo.write(f"{name}/f", f"{day}").commit(name, date=f"2030-01-0{day}T00:00:00Z")
    # A side branch whose change the merge does not take changes nothing.
    repo.branch("side", "HEAD~1").write("b/f", "side").commit("b", date="2030-01-04T00:00:00Z")
    repo.checkout("main").git("merge", "--quiet", "-s", "ours", "side", date="2030-01-05T00:00:00Z")
    found = open_repository(tmp_path).changed("HEAD", ["a", "b", "never"])
    days = {path: (seconds - JANUARY) // 86400 + 1 for path, seconds in found.items()}
    assert days == {"a": 3, "b": 2}
