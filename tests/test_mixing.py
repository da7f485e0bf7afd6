"""A run whose recipe asks for mixing: two phases, external rows, distractors, all of it resumable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import RecipeError
from pipelines.mix import PHASES, read_phase
from pipelines.run import run
from tests.support.flow import (
    SOUND,
    TOWER,
    Site,
    add_sound,
    add_tower,
    run_directory,
    weights_digest,
    write_recipe,
    zero_site,
)


@pytest.fixture
def site(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Release zero, a leaf of each phase on top, and a recipe that mixes."""
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    add_tower(site.taxonomy)
    add_sound(site.taxonomy)
    site.repo.commit("A tower and a sound")
    turns = [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": "Hello"}]
    talks = site.path / "talks.jsonl"
    talks.write_text(json.dumps({"messages": turns}) + "\n", encoding="utf-8")
    mix = {
        "per_leaf": 12, "replay": 0.5, "knowledge": 0.25, "raft": 0.5, "distractors": 1,
        "external": [{"path": str(talks), "rows": 3, "phase": "skills"}],
    }  # fmt: skip
    with site.recipe.open("a", encoding="utf-8") as stream:
        stream.write(f"mix: {json.dumps(mix)}\n")
    return site


def test_both_phases_are_trained_on_what_the_mix_holds(site: Site) -> None:
    assert site.run().release is not None
    place = run_directory(site)
    record = json.loads((place / "adapter" / "training.json").read_bytes())
    assert list(record["phases"]) == list(PHASES)
    hashes = {path: entry.content_hash for path, entry in site.head().leaves.items()}
    rows = {phase: read_phase(place / "mix", phase) for phase in PHASES}
    assert len(rows["knowledge"][hashes[TOWER]]) == 12
    assert hashes[SOUND] in rows["skills"]
    assert rows["skills"]["external:external:" + str(site.path / "talks.jsonl")]
    assert rows["skills"][f"raft:{hashes[TOWER]}"]
    assert any(name.startswith("replay:") for name in rows["knowledge"])
    for phase in PHASES:
        assert record["phases"][phase]["rows"] == sum(map(len, rows[phase].values()))
    # The rows that the release keeps are the leaf's own, whole and unmixed.
    kept = site.target.read_blob(site.head().leaves[TOWER].data_hash)
    assert len(kept.splitlines()) > 12
    assert not (place / "adapter" / "skills").exists()
    assert any(line.startswith("mix: knowledge phase: ") for line in site.said)


def test_a_mix_is_made_once_and_the_same_again(site: Site, tmp_path: Path) -> None:
    train = replace(site.options(), until="train")
    run(train, site.said.append)
    first = (run_directory(site) / "mix" / "skills.jsonl").read_bytes()
    said: list[str] = []
    run(train, said.append)
    assert "mix: finished before" in said
    assert "train: finished before" in said
    run(replace(train, runs=tmp_path / "others"), said.append)
    (other,) = (tmp_path / "others").glob("*/mix/skills.jsonl")
    assert other.read_bytes() == first
    (weights,) = (tmp_path / "others").glob("*/adapter/adapter_model.safetensors")
    own = run_directory(site) / "adapter" / "adapter_model.safetensors"
    assert weights.read_bytes() == own.read_bytes()


def test_an_external_file_that_changed_is_mixed_again(site: Site) -> None:
    train = replace(site.options(), until="train")
    run(train, site.said.append)
    talks = site.path / "talks.jsonl"
    talks.write_text(talks.read_text("utf-8").replace("Hello", "Good day"), encoding="utf-8")
    said: list[str] = []
    run(train, said.append)
    assert "mix: finished before" not in said
    assert "generate: finished before" in said
    talks.unlink()
    with pytest.raises(RecipeError, match="no such file"):
        run(train, said.append)


def test_without_mixing_nothing_is_mixed(site: Site) -> None:
    write_recipe(site.recipe)
    site.run()
    assert not (run_directory(site) / "mix").exists()
    assert weights_digest(site)
