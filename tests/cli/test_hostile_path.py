"""A leaf whose folder's name gives orders to a terminal, and to the log of a workflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.generate.completions import Completions
from tests.cli.test_store import Counted
from tests.cli.test_store import call as asked
from tests.support.repositories import Repo, knowledge_leaf

PLACE = "knowledge/sea\n::add-mask::pass\x1b[2J/tides"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    repo = Repo(tmp_path / "repo")
    knowledge_leaf(repo.path / "taxonomy", PLACE)
    repo.commit("A leaf")
    monkeypatch.chdir(repo.path)
    return repo


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main(words)
    told = "".join(capsys.readouterr())
    assert "\x1b" not in told
    assert "\n::" not in told
    return told


def test_the_check_refuses_it(site: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    assert "The path holds a control character or a line break." in said(capsys, "check")


@pytest.mark.parametrize("command", ["run", "generate"])
def test_a_plan_shows_it_and_does_nothing(
    site: Repo, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert "sea\\n::add-mask::pass\\x1b[2J/tides" in said(capsys, command, "--plan")


def test_what_an_imported_store_calls_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with Completions(Path(".graft/calls.sqlite")) as store:
        store.answers([asked(1, "\x1b]0;yours\x07\n::error::")], Counted())
    assert "yours" in said(capsys, "store", "stats")
