"""A checkout laid out as InstructLab's is checked, compared, mended and planned as it is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.errors import EXIT_FINDINGS, EXIT_OK
from tests.support.flow import FAST
from tests.support.repositories import Repo
from tests.support.upstream import (
    FOUNDATIONAL,
    FREEFORM,
    GROUNDED,
    KNOWLEDGE,
    LEAVES,
    knowledge_v2,
    upstream,
)

Said = tuple[int, str, str]
Graft = Callable[..., Said]


@pytest.fixture(params=["from outside", "from its root"])
def graft(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    repo: Repo,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Graft:
    """A command on the tree, named with --taxonomy or found where one stands."""
    outside = request.param == "from outside"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere" if outside else repo.path)
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    where = ("--taxonomy", str(repo.path)) if outside else ()

    def run(*words: str) -> Said:
        capsys.readouterr()
        code = cli.main([*words, *where])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return upstream(tmp_path / "checkout")


def at(repo: Repo, path: str) -> str:
    """The path as it is shown: from the current folder."""
    return os.path.relpath(repo.path / path)


def test_check_finds_no_error_in_sound_leaves(graft: Graft, repo: Repo) -> None:
    code, out, err = graft("check", "--format", "json")
    assert (code, err) == (EXIT_OK, "")
    found = json.loads(out)
    assert found["checked"] == len(LEAVES)
    assert [f for f in found["findings"] if f["severity"] == "error"] == []
    lacking = [f["path"] for f in found["findings"] if f["rule"] == "attribution"]
    assert lacking == [at(repo, f"{FOUNDATIONAL}/qna.yaml")]


def test_check_of_one_leaf_and_of_its_files(graft: Graft, repo: Repo) -> None:
    for path in (GROUNDED, f"{GROUNDED}/qna.yaml", f"{GROUNDED}/attribution.txt"):
        code, out, _ = graft("check", at(repo, path))
        assert code == EXIT_OK
        assert out.splitlines()[-1].startswith("1 leaf checked: 0 errors")


def test_fix_lays_out_the_leaves_and_nothing_beside_them(graft: Graft, repo: Repo) -> None:
    code, out, err = graft("fix")
    assert (code, err) == (EXIT_OK, "")
    changed = [line.removeprefix("changed: ") for line in out.splitlines()[:-1]]
    assert changed == [at(repo, f"{leaf}/qna.yaml") for leaf in (GROUNDED, FREEFORM, FOUNDATIONAL)]
    assert sorted(repo.git("diff", "--name-only").splitlines()) == [
        f"{leaf}/qna.yaml" for leaf in (GROUNDED, FREEFORM, FOUNDATIONAL)
    ]
    assert graft("fix", "--check")[0] == EXIT_OK
    assert graft("check")[0] == EXIT_OK
    # A new layout changes no leaf's meaning: there is nothing to generate or train.
    code, out, _ = graft("diff", "--format", "json")
    assert code == EXIT_OK
    assert {change["invalidates"] for change in json.loads(out)["changes"]} <= {"nothing"}


def test_diff_of_commits_and_of_the_work_tree(graft: Graft, repo: Repo) -> None:
    base = repo.git("rev-parse", "HEAD")
    repo.branch("topic").move(GROUNDED, "compositional_skills/grounded/notes")
    text = (repo.path / KNOWLEDGE / "qna.yaml").read_text("utf-8")
    repo.write(f"{KNOWLEDGE}/qna.yaml", text.replace("0a1b2c3d", "9f8e7d6c"))
    repo.delete(FOUNDATIONAL).write("docs/more.md", "Nothing about leaves.\n")
    wanted = [
        ("compositional_skills/grounded/notes", "renamed", "nothing"),
        (FOUNDATIONAL, "deleted", "data"),
        (KNOWLEDGE, "modified", "data"),
    ]

    def told(*words: str) -> list[tuple[str, str, str]]:
        code, out, err = graft("diff", *words, "--format", "json")
        assert (code, err) == (EXIT_OK, "")
        changes = json.loads(out)["changes"]
        return sorted((c["leaf"], c["status"], c["invalidates"]) for c in changes)

    assert told() == wanted
    head = repo.commit("Changes")
    assert told("main", "topic") == told(base, head) == wanted


def test_a_plan_needs_no_document(graft: Graft, repo: Repo) -> None:
    """Documents in other repositories are fetched when a leaf is taught, not when it is planned."""
    code, out, err = graft("run", "--plan", "--recipe", str(FAST))
    assert (code, err) == (EXIT_OK, "")
    assert out.startswith("bootstrap: the target has no release yet")
    assert [line for line in out.splitlines() if line.startswith("  learn ")] == [
        f"  learn {leaf}" for leaf in LEAVES
    ]


def test_knowledge_of_version_2_is_one_finding(graft: Graft, repo: Repo) -> None:
    old = "knowledge/science/old_tides"
    repo.write(f"{old}/qna.yaml", knowledge_v2()).write(f"{old}/attribution.txt", "x: y\n")
    repo.commit("An old leaf")
    code, out, _ = graft("check", "--format", "json", at(repo, f"{old}/qna.yaml"))
    assert code == EXIT_FINDINGS
    (finding,) = [f for f in json.loads(out)["findings"] if f["rule"] == "schema"]
    assert finding["path"] == at(repo, f"{old}/qna.yaml")
    assert "version 2 is no longer read" in finding["message"]
    assert graft("fix", "--check", at(repo, f"{old}/qna.yaml"))[0] == EXIT_OK
    # Commands that need every leaf name the one that stands in the way.
    for words in (("diff", "HEAD~1"), ("run", "--plan", "--recipe", str(FAST))):
        _, out, err = graft(*words)
        assert old in out + err
        assert "Traceback" not in err
