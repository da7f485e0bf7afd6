"""`graft check`: which policy it obeys, from a file, from beside the tree, or from a commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import cli
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE
from tests.check.builders import SKILL, write, write_knowledge, write_skill
from tests.support.repositories import Repo

MIT = "licences: [MIT]\n"
FREE = "licences: [CC0-1.0]\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose branch main permits CC0-1.0 alone, which the leaf has."""
    root = tmp_path / "repo"
    root.mkdir()
    write_skill(root / "taxonomy")
    write(root, "graft.yaml", FREE)
    Repo(root).commit("All")
    monkeypatch.chdir(root)
    return root


def test_the_policy_beside_the_tree_from_wherever_one_stands(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check"]) == EXIT_OK
    write(repository, "graft.yaml", MIT)
    for folder in (repository, repository / "taxonomy"):
        monkeypatch.chdir(folder)
        assert cli.main(["check"]) == EXIT_FINDINGS
    assert "Permitted: MIT." in capsys.readouterr().out


def test_what_lies_above_a_repository_is_not_its_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    write_skill(root)
    write(tmp_path, "graft.yaml", MIT)
    Repo(root).commit("All")
    monkeypatch.chdir(root)
    assert cli.main(["check"]) == EXIT_OK


def test_a_policy_that_is_named(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(repository, "strict.yaml", MIT)
    assert cli.main(["check", "--policy", "strict.yaml"]) == EXIT_FINDINGS
    assert cli.main(["check", "--policy", "none.yaml"]) == EXIT_USAGE
    assert "--policy none.yaml: there is no such file." in capsys.readouterr().err


def test_a_pull_request_is_not_judged_by_its_own_policy(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, f"taxonomy/{SKILL}/attribution.txt", "Title of work: X\n")
    lenient = f"exceptions:\n  - {{rule: attribution, path: '{SKILL}', reason: Mine.}}\n"
    write(repository, "graft.yaml", lenient)
    assert cli.main(["check"]) == EXIT_OK
    assert cli.main(["check", "--policy-ref", "main"]) == EXIT_FINDINGS
    assert cli.main(["check", "--policy-ref", "main", "--policy", "graft.yaml"]) == EXIT_FINDINGS
    capsys.readouterr()
    assert cli.main(["check", "--policy-ref", "main", "--policy", "x.yaml"]) == EXIT_USAGE
    assert "main holds no such file" in capsys.readouterr().err
    assert cli.main(["check", "--policy-ref", "nowhere"]) == EXIT_FINDINGS
    assert "'nowhere' names no commit" in capsys.readouterr().err


def test_an_unneeded_exception_is_shown_where_it_stands(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        repository, "graft.yaml", f"exceptions:\n  - {{rule: topic, path: '{SKILL}', reason: X.}}\n"
    )
    assert cli.main(["check"]) == EXIT_FINDINGS
    assert capsys.readouterr().out.startswith("graft.yaml:2:5: error: ")
    assert cli.main(["check", f"taxonomy/{SKILL}/qna.yaml"]) == EXIT_OK


def test_colours_when_they_are_asked_for(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, "graft.yaml", MIT)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert cli.main(["check"]) == EXIT_FINDINGS
    assert "\x1b[1;31m" in capsys.readouterr().out
    assert cli.main(["check", "--format", "github"]) == EXIT_FINDINGS
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "place", ["taxonomy/Knowledge/rivers/danube", "taxonomy/danube", "knowledge/rivers/danube"]
)
def test_a_leaf_that_no_one_would_read_is_found_without_being_named(
    repository: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_knowledge(repository, path=place)
    assert cli.main(["check"]) == EXIT_FINDINGS
    told, _ = capsys.readouterr().out.splitlines()  # and nothing of its document and attribution
    assert told.startswith(f"{place}/qna.yaml:1:1: error: This leaf lies outside the folders")
    assert cli.main(["check", "--rule", "size"]) == EXIT_OK
    assert cli.main(["check", "--compat", "instructlab"]) == EXIT_OK
