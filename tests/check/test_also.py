"""`graft check --also`: open pull requests as further trees, from real Git repositories."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli import main
from tests.support.repositories import Repo, knowledge_leaf, knowledge_seeds

LIGHT = "knowledge/buildings/lighthouse"
COAST = "knowledge/history/coast"
BELLS = "knowledge/history/bells"
ASKED = "When was the old tower of Marbeck first lit?"


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A repository with one leaf on main."""
    monkeypatch.delenv("GRAFT_CACHE", raising=False)
    made = Repo(tmp_path / "repo")
    monkeypatch.chdir(made.path)
    leaf(made, LIGHT, "1759")
    made.write(".gitignore", ".graft/\n").commit("One leaf")
    return made


def leaf(repo: Repo, path: str, answer: str, *, number: int = 0, asked: str = ASKED) -> None:
    """A leaf of one question, with a context of its own."""
    context, _ = knowledge_seeds(8, 1)[number]
    knowledge_leaf(repo.path / "taxonomy", path, seeds=[(context, [(asked, answer)])])


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["check", "--format", "json", *words]) in (0, 1)
    data = json.loads(capsys.readouterr().out)
    found = [f for f in data["findings"] if f["rule"] in ("near-duplicate", "conflict", "internal")]
    return [f"{f['path']}: {f['rule']}: {f['message']}" for f in found]


def test_two_branches_on_one_topic_find_the_tree_and_each_other(
    repo: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    repo.branch("coast")
    leaf(repo, COAST, "1760", number=1)
    repo.commit("Another leaf")
    repo.branch("bells", "main")
    leaf(repo, BELLS, "in 1760", number=2)
    repo.commit("A third")
    repo.checkout("main")
    assert checked(capsys) == []
    found = checked(capsys, "--also", "coast", "bells")
    asked = f"The question `{ASKED}` is"
    coast, bells = f"taxonomy/{COAST}/qna.yaml", f"taxonomy/{BELLS}/qna.yaml"
    assert found == [
        f"taxonomy/{LIGHT}/qna.yaml: conflict: {asked} answered `1759` here and "
        f"`in 1760` at {bells}:8 in `bells`, `1760` at {coast}:8 in `coast`.",
        f"{bells}: near-duplicate: In `bells`: {asked} asked in another leaf too: "
        f"{coast}:8 in `coast`.",
        f"{coast}: near-duplicate: In `coast`: {asked} asked in another leaf too: "
        f"{bells}:8 in `bells`.",
    ]
    assert checked(capsys) == []


def test_a_contributors_branch_sees_the_other_one(
    repo: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    repo.branch("coast")
    leaf(repo, COAST, "1759", number=1)
    repo.commit("Another leaf")
    repo.branch("bells", "main")
    leaf(repo, BELLS, "1760", number=2)
    one = f"taxonomy/{BELLS}/qna.yaml"
    found = checked(capsys, one, "--also", "coast")
    assert [line.split(": ")[1] for line in found] == ["conflict"]
    assert f"taxonomy/{COAST}/qna.yaml:8 in `coast`" in found[0]
    assert LIGHT not in found[0], "there is no index of the rest yet"
    checked(capsys)
    found = checked(capsys, one, "--also", "coast")
    assert LIGHT in found[0]


def test_an_edited_leaf_is_no_twin_of_itself(
    repo: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    repo.branch("edit")
    leaf(repo, LIGHT, "1760")
    repo.commit("Corrected")
    repo.branch("move", "main").move(f"taxonomy/{LIGHT}", f"taxonomy/{COAST}")
    leaf(repo, COAST, "1761")
    repo.commit("Moved and corrected")
    repo.checkout("main")
    assert checked(capsys, "--also", "edit", "move") == []
    leaf(repo, BELLS, "1759", number=3, asked="Who cast the great bell of Oostvar, and of what?")
    repo.commit("main goes on")
    assert checked(capsys, "--also", "edit", "move") == []
    repo.checkout("move")
    assert checked(capsys, "--also", "edit", "main") == []


def test_what_main_changed_since_is_not_the_branchs(
    repo: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    repo.branch("idle")
    repo.write("notes.txt", "nothing of a leaf").commit("Notes")
    repo.checkout("main").move(f"taxonomy/{LIGHT}", f"taxonomy/{COAST}")
    repo.commit("Moved")
    assert checked(capsys, "--also", "idle") == []


def test_the_same_new_leaf_on_both_sides(repo: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    repo.branch("one")
    leaf(repo, COAST, "the keepers", asked="Who paid for the tower of Zelm in its second year?")
    repo.commit("Theirs")
    repo.branch("two", "main")
    leaf(repo, COAST, "the keepers", asked="Who paid for the tower of Zelm in its second year?")
    assert checked(capsys, "--also", "one") == [], "taken over as it is"
    leaf(repo, COAST, "the abbey", asked="Who paid for the tower of Zelm in its second year?")
    found = checked(capsys, "--also", "one")
    assert [line.split(": ")[1] for line in found] == ["conflict"]
    assert f"taxonomy/{COAST}/qna.yaml:8 in `one`" in found[0]


@pytest.mark.parametrize(("ref", "word"), [("nowhere", "names no commit"), ("--x", "")])
def test_a_ref_that_is_none(
    repo: Repo, capsys: pytest.CaptureFixture[str], ref: str, word: str
) -> None:
    if ref.startswith("--"):
        with pytest.raises(SystemExit):
            main(["check", "--also", ref])
        return
    assert main(["check", "--also", ref]) == 1
    assert word in capsys.readouterr().err


def test_no_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taxonomy").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["check", "--also", "main"]) == 1
    assert "not in a Git repository" in capsys.readouterr().err


def test_without_also_git_is_not_loaded(repo: Repo) -> None:
    program = (
        "import sys; from pipelines.cli import main; main(['check']); "
        "sys.exit(any(name in sys.modules for name in ('pygit2', 'torch')))"
    )
    home = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": home}, cwd=repo.path, check=False
    )
    assert done.returncode == 0
