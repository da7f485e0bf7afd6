"""``graft evaluate --model`` and ``--aa``: the exam sat without a run, by whoever is named."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.support.flow import FERRY, LEAVES, ROOT, Site, new_site, zero_site
from tests.support.openai_server import start

SCHEMA = json.loads((ROOT / "schema" / "examined.json").read_bytes())


@pytest.fixture
def site(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")


def base_of(site: Site) -> Path:
    return site.path / "releases" / "bases" / site.head().base_model.revision


def test_a_release_a_folder_and_one_leaf_sit_the_exam(site: Site) -> None:
    tag = site.head().release
    done = site.graft("evaluate", "--model", tag, "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    jsonschema.validate(found, SCHEMA)
    assert [one["leaf"] for one in found["leaves"]] == sorted(LEAVES)
    assert found["total"]["people"]["items"] == sum(
        one["people"]["items"] for one in found["leaves"]
    )

    before = site.files()
    folder = site.graft("evaluate", "--model", str(base_of(site)), "--leaf", "knowledge")
    assert folder.returncode == 0, folder.stderr
    head, *lines = folder.stdout.splitlines()
    assert head.split()[0] == "leaf"
    assert [line.split()[0] for line in lines[:3]] == [
        "knowledge/buildings/mill",
        FERRY,
        "all",
    ]
    assert site.files() == before


def test_an_endpoint_sits_it_too(site: Site) -> None:
    with start(answer="fixed") as server:
        named = f"{server.url}#stand-in"
        done = site.graft("evaluate", "--model", named, "--leaf", FERRY, "--format", "json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        jsonschema.validate(found, SCHEMA)
        (leaf,) = found["leaves"]
        asked = leaf["people"]["items"] + (leaf["synthetic"] or {"items": 0})["items"]
        assert server.counts().calls == asked
        assert (leaf["choice"], found["unanswered"]) == (None, 0)
        assert leaf["people"]["scores"]["exact_match"] == 0.0
    gone = site.graft("evaluate", "--model", "http://127.0.0.1:9/v1")
    assert gone.returncode == 2
    assert "name the model after a #" in gone.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "nowhere"], "there is no such folder, nor a release of that tag"),
        (["--model", "."], "holds no config.json"),
        (["--model", "v1", "--leaf", "knowledge/none"], "there is no such leaf in the taxonomy"),
        (["--leaf", FERRY], "--leaf belongs to --model"),
        (["--model", "v1", "--aa"], "ask it without --model"),
        (["--model", "http://user:word@host/v1#m"], "may hold neither user, password"),
    ],
)
def test_what_cannot_be_is_one_sentence(site: Site, words: list[str], told: str) -> None:
    done = site.graft("evaluate", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_release_against_itself_is_unchanged(site: Site) -> None:
    before = site.files()
    done = site.graft("evaluate", "--aa")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"A/A control: {site.head().release} against itself, ")
    assert done.stdout.splitlines()[-1] == "unchanged"
    assert site.files() == before

    told = json.loads(site.graft("evaluate", "--aa", "--format", "json").stdout)
    jsonschema.validate(told, json.loads((ROOT / "schema" / "evaluation.json").read_bytes()))
    assert {one["verdict"] for one in told["leaves"]} == {"unchanged"}
    assert {one["difference"] for one in told["leaves"]} == {0.0}
    assert told["verdict"] == "INCONCLUSIVE"


def test_without_a_release_nothing_is_held_against_itself(tmp_path: Path) -> None:
    done = new_site(tmp_path / "site").graft("evaluate", "--aa")
    assert done.returncode == 1
    assert "has no release yet to be held against itself" in done.stderr
