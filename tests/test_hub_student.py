"""A student of the Hub at a pinned revision: fetched, trained from the first release on, released by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from peft import PeftModel
from transformers import AutoModelForCausalLM

from pipelines.errors import BackendError, TrainError
from pipelines.release.verify import verify
from tests.support.flow import LEAVES, TOWER, Site, add_tower, new_site, run_directory
from tests.support.hub import Hub, hub, used
from tests.support.tiny_model import tiny_model

NAME = "someone/tiny-chat"


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[Hub]:
    with hub(tmp_path / "hub") as found:
        yield found


@pytest.fixture
def revision(stand_in: Hub, tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tiny_model(tmp_path_factory.getbasetemp())
    files = {
        path.name: path.read_bytes()
        for path in place.iterdir()
        if path.name not in ("training.json", "training.jsonl")
    }
    files["pytorch_model.bin"] = b"never to be fetched"
    return stand_in.seed(f"models/{NAME}", files)


@pytest.fixture
def site(tmp_path: Path, stand_in: Hub, revision: str, monkeypatch: pytest.MonkeyPatch) -> Site:
    used(stand_in, monkeypatch, tmp_path / "home")
    found = new_site(tmp_path / "site")
    recipe = yaml.safe_load(found.recipe.read_text())
    del recipe["bootstrap"]
    recipe["student"] = {"id": NAME, "revision": revision, "positions": 128}
    recipe["train"] |= {"train_embeddings": False, "schedule": "cosine"}
    recipe["release"]["deploy"] = ["vllm"]
    found.recipe.write_text(yaml.safe_dump(recipe))
    return found


def test_from_the_first_release_to_the_next(
    site: Site, stand_in: Hub, revision: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = site.run()
    assert (first.plan.action, first.plan.continues) == ("start", None)
    manifest = site.head()
    assert (manifest.base_model.id, manifest.base_model.revision) == (NAME, revision)
    assert sorted(manifest.leaves) == sorted(LEAVES)
    assert not [path for _, path in stand_in.asked if path.endswith(".bin")]
    release = site.target.directory(manifest.release)
    config = json.loads((release / "adapter" / "adapter_config.json").read_bytes())
    assert (config["base_model_name_or_path"], config["revision"]) == (NAME, revision)
    assert not config["modules_to_save"]
    assert verify(site.target, manifest.release) == []

    site.repo.branch("tower")
    add_tower(site.taxonomy)
    site.repo.commit("A leaf")
    second = site.run(base="main")
    assert (second.plan.action, second.plan.continues) == ("continue", manifest.release)
    assert second.plan.learn == [TOWER]
    base = AutoModelForCausalLM.from_pretrained(tiny_model(tmp_path_factory.getbasetemp()))
    PeftModel.from_pretrained(base, run_directory(site) / "adapter")
    assert site.run(base="main").plan.action == "nothing"


def test_a_plan_tells_memory_and_time_and_a_machine_too_small_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site.graft("generate").returncode == 0
    told = site.graft("train", "--plan")
    assert told.returncode == 0, told.stderr
    assert "by how fast this machine multiplies" in told.stdout
    assert "are free on cpu" in told.stdout
    assert "recipe:\n  name: fast\n" in told.stdout
    assert "schedule: cosine" in told.stdout
    monkeypatch.setattr("pipelines.fitting.free_memory", lambda: 1e8)
    with pytest.raises(
        TrainError, match=r"takes about \d\.\d GB \(weights .* and 0\.1 GB are free"
    ):
        site.run()


def test_a_model_that_is_not_there_is_one_sentence(site: Site) -> None:
    recipe = yaml.safe_load(site.recipe.read_text())
    recipe["student"]["revision"] = "f" * 40
    site.recipe.write_text(yaml.safe_dump(recipe))
    with pytest.raises(BackendError, match=f"The model {NAME} at f+ cannot be had from the Hub: "):
        site.run()


def test_a_fetched_model_is_used_without_the_hub(site: Site, stand_in: Hub) -> None:
    site.run()
    asked = len(stand_in.asked)
    shutil.rmtree(run_directory(site))
    shutil.rmtree(site.path / "releases")
    site.run()
    later = stand_in.asked[asked:]
    assert not [path for method, path in later if method == "GET" and "resolve" in path]
