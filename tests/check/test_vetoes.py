"""Rule `vetoes`: each broken line is told, wherever the file lies and whoever brings it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.check import Policy, check
from pipelines.errors import EXIT_FINDINGS, EXIT_OK
from pipelines.leaves import WorkTree
from tests.check.builders import SKILL, assert_plain, write, write_skill
from tests.support.repositories import Repo

VETO = json.dumps({"row": "0" * 32, "leaf": SKILL, "reason": "it is wrong", "by": "ada"})
BROKEN = f"{VETO}\n\nnot json\n{VETO.replace('ada', ' ')}\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a sound leaf below taxonomy/ and a sound veto beside it."""
    root = tmp_path / "repo"
    root.mkdir()
    write_skill(root / "taxonomy")
    write(root, "vetoes.jsonl", f"{VETO}\n")
    Repo(root).commit("All")
    monkeypatch.chdir(root)
    return root


def test_the_file_in_a_tree(tmp_path: Path) -> None:
    write_skill(tmp_path)
    assert check(WorkTree(tmp_path), Policy()).findings == ()
    write(tmp_path, "vetoes.jsonl", BROKEN)
    for paths in (None, ["vetoes.jsonl"]):
        found = check(WorkTree(tmp_path), Policy(), paths).findings
        assert [(one.rule, one.path, one.line) for one in found] == [
            ("vetoes", "vetoes.jsonl", 3),
            ("vetoes", "vetoes.jsonl", 4),
        ]
        for one in found:
            assert_plain(one)
    assert check(WorkTree(tmp_path), Policy(), [SKILL]).findings == ()


@pytest.mark.parametrize("arguments", [[], ["vetoes.jsonl"], ["--rule", "vetoes"]])
def test_the_file_beside_the_taxonomy(
    repository: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert cli.main(["check", *arguments]) == EXIT_OK
    write(repository, "vetoes.jsonl", BROKEN)
    capsys.readouterr()
    assert cli.main(["check", *arguments]) == EXIT_FINDINGS
    told = capsys.readouterr().out
    assert "vetoes.jsonl:3:1: error: This is no JSON; write one object a line." in told
    assert "vetoes.jsonl:4:1: error: by must be text" in told
    assert "2 errors" in told


def test_a_check_of_something_else_does_not_read_it(repository: Path) -> None:
    write(repository, "vetoes.jsonl", BROKEN)
    assert cli.main(["check", f"taxonomy/{SKILL}"]) == EXIT_OK
    assert cli.main(["check", "--rule", "attribution"]) == EXIT_OK
    assert cli.main(["check", "--compat", "instructlab"]) == EXIT_OK


def test_a_commit_s_own_vetoes_are_read_and_not_those_at_hand(repository: Path) -> None:
    git = Repo(repository)
    sound = git.commit("Sound")
    write(repository, "vetoes.jsonl", BROKEN)
    broken = git.commit("Broken")
    assert cli.main(["check", "--head", sound]) == EXIT_OK
    write(repository, "vetoes.jsonl", f"{VETO}\n")
    assert cli.main(["check"]) == EXIT_OK
    assert cli.main(["check", "--head", broken, "--base", sound]) == EXIT_FINDINGS
