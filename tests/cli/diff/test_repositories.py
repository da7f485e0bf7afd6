"""``graft diff`` in odd repositories: no commit yet, shallow, bare, submodules, symlinks, merges, damage."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.errors import EXIT_FINDINGS
from pipelines.git import NOTHING
from tests.cli.diff.support import (
    BOTH,
    OTHER,
    OWN,
    SKILL,
    TIDES,
    Graft,
    add,
    assert_stops,
    edit,
    in_json,
    listed,
)
from tests.support.repositories import Repo, skill_leaf


def test_before_the_first_commit_every_leaf_is_new(
    graft: Graft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = Repo(tmp_path / "fresh")
    monkeypatch.chdir(repo.path)
    add(repo)
    assert listed(graft()) == OWN
    assert listed(graft("--staged")) == []
    repo.git("add", "--all")
    assert listed(graft("--staged")) == OWN
    assert in_json(graft("--staged", "--format", "json"))["base"] == NOTHING
    assert_stops(graft("HEAD"), EXIT_FINDINGS, "has no commit yet")
    assert_stops(graft("main"), EXIT_FINDINGS, "'main' names no commit")


def test_a_branch_without_a_commit_has_no_merge_base(graft: Graft, repo: Repo) -> None:
    repo.git("checkout", "--quiet", "--orphan", "fresh")
    assert_stops(graft("main"), EXIT_FINDINGS, "has no commit yet")
    assert listed(graft("main", "--exact")) == []


def test_histories_without_a_common_commit(graft: Graft, repo: Repo) -> None:
    repo.git("checkout", "--quiet", "--orphan", "elsewhere")
    add(repo)
    repo.commit("Another beginning")
    assert_stops(graft("main"), EXIT_FINDINGS, "no commit in common")
    assert listed(graft("main", "--exact")) == OWN


def test_a_shallow_clone_says_what_to_fetch(
    graft: Graft, forked: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    url = forked.path.as_uri()
    forked.git("clone", "--quiet", "--depth", "1", "--no-single-branch", url, str(clone))
    monkeypatch.chdir(clone)
    assert_stops(graft("origin/main"), EXIT_FINDINGS, "git fetch --unshallow")
    assert sorted(listed(graft("origin/main", "--exact"))) == sorted(BOTH)
    assert listed(graft()) == []
    first = forked.git("rev-parse", "main~1")
    assert_stops(graft(first), EXIT_FINDINGS, "names no commit", "git fetch --unshallow")
    forked.git("-C", str(clone), "fetch", "--quiet", "--unshallow")
    assert listed(graft("origin/main")) == OWN


def test_a_bare_repository(
    graft: Graft, forked: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare.git"
    forked.git("clone", "--quiet", "--bare", str(forked.path), str(bare))
    assert listed(graft("main", "topic", "--taxonomy", str(bare))) == OWN
    assert_stops(graft("main", "--taxonomy", str(bare)), EXIT_FINDINGS, "bare", "two commits")
    assert_stops(graft("--staged", "--taxonomy", str(bare)), EXIT_FINDINGS, "bare")
    monkeypatch.chdir(bare)
    assert listed(graft("main..topic")) == BOTH


def test_a_taxonomy_at_the_root_of_its_repository(
    graft: Graft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = Repo(tmp_path / "tree")
    skill_leaf(repo.path, SKILL)
    repo.commit("A leaf")
    repo.move("compositional_skills/describe", "compositional_skills/portray").commit("moved")
    bare = tmp_path / "bare.git"
    repo.git("clone", "--quiet", "--bare", str(repo.path), str(bare))
    moved = [("renamed", "compositional_skills/portray")]
    assert listed(graft("HEAD~1", "HEAD", "--taxonomy", str(bare))) == moved
    assert listed(graft("HEAD~1", "--taxonomy", str(repo.path))) == moved
    monkeypatch.chdir(repo.path)
    assert listed(graft("HEAD~1")) == moved
    (repo.path / "compositional_skills/portray/qna.yaml").write_text("7\n")
    assert graft()[2].startswith("compositional_skills/portray/qna.yaml:1:1: ")


def test_a_taxonomy_that_is_a_submodule(
    graft: Graft, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = Repo(tmp_path / "outer")
    allowed = ("-c", "protocol.file.allow=always")
    outer.git(*allowed, "submodule", "--quiet", "add", str(repo.path), "library")
    outer.commit("A submodule")
    monkeypatch.chdir(outer.path)
    inside = ("--taxonomy", "library/taxonomy")
    assert listed(graft(*inside)) == []
    skill_leaf(outer.path / "library" / "taxonomy", SKILL, task="Another task")
    assert listed(graft(*inside)) == [("modified", SKILL)]
    clone = tmp_path / "clone"
    outer.git("clone", "--quiet", str(outer.path), str(clone))
    missing = graft("HEAD", "HEAD", "--taxonomy", str(clone / "library"))
    assert_stops(missing, EXIT_FINDINGS, "submodule", "git submodule update --init")


def test_a_submodule_among_the_leaves_is_none(graft: Graft, repo: Repo, tmp_path: Path) -> None:
    other = Repo(tmp_path / "other")
    skill_leaf(other.path, ".")
    other.commit("A leaf at the root of a repository")
    allowed = ("-c", "protocol.file.allow=always")
    place = f"taxonomy/{OTHER}"
    repo.git(*allowed, "submodule", "--quiet", "add", str(other.path), place)
    assert listed(graft()) == listed(graft("--staged")) == []
    repo.commit("A submodule")
    assert listed(graft("HEAD~1", "HEAD")) == []
    # Neither is a repository that merely lies there: `git add` would not take its files.
    Repo(repo.path / "taxonomy" / "knowledge" / "nested")
    skill_leaf(repo.path / "taxonomy" / "knowledge" / "nested", "deep")
    assert listed(graft()) == []


def test_a_symlink_is_no_leaf(graft: Graft, repo: Repo) -> None:
    taxonomy = repo.path / "taxonomy"
    add(repo)
    repo.commit("Three leaves")
    for path in (OTHER, "compositional_skills/linked"):
        (taxonomy / path).mkdir(exist_ok=True)
        (taxonomy / path / "qna.yaml").unlink(missing_ok=True)
        (taxonomy / path / "qna.yaml").symlink_to("../describe/qna.yaml")
    os.symlink("describe", taxonomy / "compositional_skills" / "again")
    (taxonomy / "knowledge" / "sea").rename(repo.path / "sea")
    os.symlink("../../sea", taxonomy / "knowledge" / "sea")
    expected = [("deleted", OTHER), ("deleted", TIDES)]
    assert listed(graft()) == expected
    repo.git("add", "--all")
    assert listed(graft("--staged")) == expected
    repo.commit("Links")
    assert listed(graft("HEAD~1", "HEAD")) == expected


def test_a_merge_in_progress(graft: Graft, repo: Repo) -> None:
    repo.branch("topic")
    edit(repo, f"{SKILL}/qna.yaml", "Describe an object", "Draw an object")
    repo.commit("One")
    repo.checkout("main")
    edit(repo, f"{SKILL}/qna.yaml", "Describe an object", "Sing of an object")
    repo.commit("Other")
    with pytest.raises(Exception, match="returned non-zero"):
        repo.git("merge", "topic")
    assert_stops(graft("--staged"), EXIT_FINDINGS, f"{SKILL}/qna.yaml is in conflict", "git add")
    code, out, err = graft()
    assert (code, out) == (EXIT_FINDINGS, "No other leaf changed.\n")
    assert err.startswith(f"taxonomy/{SKILL}/qna.yaml:")


def test_a_damaged_index_is_one_sentence(graft: Graft, repo: Repo) -> None:
    (repo.path / ".git" / "index").write_bytes(b"DIRC" + bytes(40))
    assert_stops(graft(), EXIT_FINDINGS, "index", "git status")
    assert listed(graft("HEAD", "HEAD")) == []
