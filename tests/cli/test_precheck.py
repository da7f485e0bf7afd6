"""``graft evaluate --precheck``: what users' model says already of a new leaf, and nothing spent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.flow import MILL, TOWER, Site, add_tower, new_site, zero_site


@pytest.fixture
def branch(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Release zero, and a branch with one leaf more."""
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    site.repo.branch("tower")
    add_tower(site.taxonomy)
    site.repo.commit("A leaf")
    return site


def test_every_question_of_a_new_leaf_is_asked_and_nothing_else_is_done(branch: Site) -> None:
    before = branch.files()
    done = branch.graft("evaluate", "--precheck", "--base", "main")
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.startswith(f"{TOWER}: ")
    assert head.endswith(" of 15 questions are answered already")
    assert len(lines) == 3 * 15
    assert branch.files() == before

    found = json.loads(
        branch.graft("evaluate", "--precheck", "--base", "main", "--format", "json").stdout
    )
    assert found["release"] == branch.head().release
    assert {one["item"]["leaf"] for one in found["questions"]} == {TOWER}
    assert sum(one["known"] for one in found["questions"]) == int(head.split()[1])


def test_what_was_taught_is_known_and_what_is_the_same_is_not_asked(branch: Site) -> None:
    assert branch.graft("evaluate", "--precheck").stdout.startswith(f"{TOWER}: ")
    shutil.rmtree(branch.taxonomy / TOWER)
    branch.repo.commit("Without it")
    assert branch.graft("evaluate", "--precheck").stdout == (
        "Nothing to ask: no leaf is new or edited.\n"
    )


def test_without_a_release_there_is_nobody_to_ask(tmp_path: Path) -> None:
    site = new_site(tmp_path / "site")
    done = site.graft("evaluate", "--precheck")
    assert done.returncode == 1
    assert done.stderr.startswith("graft: folder:releases has no release yet that could be asked")
    assert MILL not in done.stdout
