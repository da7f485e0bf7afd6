"""Refs, merge bases, commits as trees and contributors, on real repositories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines import trees
from pipelines.errors import GraftError
from pipelines.git import open_repository
from tests.support.repositories import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


def test_refs_resolve_to_full_shas(repo: Repo) -> None:
    first = repo.write("a", "1").commit("one")
    second = repo.write("a", "2").commit("two")
    repo.git("tag", "-a", "v1", "-m", "v1", first)
    opened = open_repository(repo.path)
    assert opened.head() == second
    assert opened.resolve("main") == second
    assert opened.resolve("HEAD~1") == first
    assert opened.resolve("v1") == first
    assert opened.resolve(first[:8]) == first


@pytest.mark.parametrize("ref", ["nowhere", "", "a b", "main:a", "HEAD~7", "0" * 40, "x" * 3000])
def test_an_unknown_ref_is_one_sentence_that_names_it(repo: Repo, ref: str) -> None:
    repo.write("a", "1").commit("one")
    with pytest.raises(GraftError, match="git branch --all") as caught:
        open_repository(repo.path).resolve(ref)
    assert ref[:80] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_branch_that_only_the_remote_has_is_pointed_out(repo: Repo, tmp_path: Path) -> None:
    repo.write("a", "1").commit("one")
    repo.branch("topic").commit("two")
    repo.git("clone", "--quiet", str(repo.path), str(tmp_path / "clone"))
    with pytest.raises(GraftError, match="origin/main"):
        open_repository(tmp_path / "clone").resolve("main")


def test_a_repository_without_a_commit(repo: Repo) -> None:
    with pytest.raises(GraftError, match="no commit yet"):
        open_repository(repo.path).head()


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(GraftError, match="is not in a Git repository; run `git init`"):
        open_repository(tmp_path)


def test_a_repository_is_found_from_a_folder_inside(repo: Repo, tmp_path: Path) -> None:
    repo.write("taxonomy/knowledge/a.md", "1").commit("one")
    opened = open_repository(repo.path / "taxonomy" / "knowledge")
    assert opened.root == repo.path.resolve()
    assert opened.prefix(repo.path / "taxonomy") == "taxonomy"
    assert opened.prefix(repo.path) == ""
    with pytest.raises(GraftError, match="not inside the Git repository"):
        opened.prefix(tmp_path)


def test_merge_base(repo: Repo) -> None:
    fork = repo.write("a", "1").commit("one")
    topic = repo.branch("topic").write("b", "1").commit("two")
    repo.checkout("main").write("c", "1").commit("three")
    assert open_repository(repo.path).merge_base("main", topic) == fork


def test_histories_without_a_common_commit(repo: Repo) -> None:
    repo.write("a", "1").commit("one")
    repo.git("checkout", "--quiet", "--orphan", "other")
    repo.commit("elsewhere")
    with pytest.raises(GraftError, match="main and other have no commit in common"):
        open_repository(repo.path).merge_base("main", "other")


def test_a_commit_is_a_tree_of_regular_files(repo: Repo) -> None:
    repo.write("taxonomy/knowledge/z/qna.yaml", "z").write("taxonomy/knowledge/a.md", "a\r\n")
    repo.write("taxonomy/.hidden/secret", "no").write("elsewhere/file", "no")
    repo.write("taxonomy/knowledge/Grüße/qna.yaml", "ü")
    os.symlink("a.md", repo.path / "taxonomy/knowledge/link.md")
    os.symlink("z", repo.path / "taxonomy/knowledge/folder")
    sha = repo.commit("one")
    repo.write("taxonomy/knowledge/a.md", "not committed")
    tree = open_repository(repo.path).tree(sha, "taxonomy")
    assert list(tree.files()) == [
        "knowledge/Grüße/qna.yaml",
        "knowledge/a.md",
        "knowledge/z/qna.yaml",
    ]
    assert list(tree.files("knowledge/z")) == ["knowledge/z/qna.yaml"]
    assert list(tree.files("nowhere")) == []
    assert tree.read("knowledge/a.md") == b"a\r\n"


@pytest.mark.parametrize(
    "path", ["link", "folder/file", "here", "nowhere", "", ".hidden/file", "../top", "here/../top"]
)
def test_what_is_no_regular_file_is_not_there(repo: Repo, path: str) -> None:
    repo.write("top", "1").write("in/here/file", "1").write("in/.hidden/file", "1")
    os.symlink("here/file", repo.path / "in/link")
    os.symlink("here", repo.path / "in/folder")
    sha = repo.commit("one")
    with pytest.raises(FileNotFoundError):
        open_repository(repo.path).tree(sha, "in").read(path)


def test_a_commit_without_the_folder_is_an_empty_tree(repo: Repo) -> None:
    sha = repo.write("README.md", "1").commit("one")
    assert list(open_repository(repo.path).tree(sha, "taxonomy").files()) == []


def test_bare_and_shallow_clones_do(repo: Repo, tmp_path: Path) -> None:
    repo.write("t/a", "1").commit("one", author="Early Bird <early@example.org>")
    sha = repo.write("t/b", "2").commit("two")
    url = repo.path.as_uri()
    repo.git("clone", "--quiet", "--bare", "--depth", "1", url, str(tmp_path / "bare.git"))
    opened = open_repository(tmp_path / "bare.git")
    assert opened.root == (tmp_path / "bare.git").resolve()
    assert list(opened.tree(sha, "t").files()) == ["a", "b"]
    # Its one commit shows every file as new: to credit its author with all would be wrong.
    assert opened.contributors(sha, ["t"]) == ()


def test_a_shallow_clone_without_the_merge_base_says_how_to_get_it(
    repo: Repo, tmp_path: Path
) -> None:
    repo.write("a", "1").commit("one")
    repo.branch("topic").write("b", "1").commit("two")
    repo.checkout("main").write("c", "1").commit("three")
    clone = tmp_path / "clone"
    url = repo.path.as_uri()
    repo.git("clone", "--quiet", "--depth", "1", "--no-single-branch", url, str(clone))
    with pytest.raises(GraftError, match="git fetch --unshallow"):
        open_repository(clone).merge_base("origin/main", "origin/topic")


def test_a_clone_without_its_files_is_one_sentence(repo: Repo, tmp_path: Path) -> None:
    sha = repo.write("a", "1").commit("one")
    repo.git("config", "uploadpack.allowFilter", "true")
    clone = str(tmp_path / "clone.git")
    repo.git("clone", "--quiet", "--bare", "--filter=blob:none", repo.path.as_uri(), clone)
    with pytest.raises(GraftError, match="lacks an object"):
        open_repository(tmp_path / "clone.git").tree(sha, "").read("a")


def test_a_tree_that_is_a_few_objects_and_very_many_files_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten folders that are one and the same, in ten that are; with ten levels it would be 10^10 files."""
    monkeypatch.setattr(trees, "MOST", 5_000)
    objects = {
        b"0" * 20: b"",
        b"1" * 20: b"".join(b"100644 f%d\0" % k + b"b" * 20 for k in range(10)),
    }
    for level in b"2345":
        below = bytes([level - 1]) * 20
        objects[bytes([level]) * 20] = b"".join(b"40000 d%d\0" % k + below for k in range(10))
    bomb = trees.CommitTree(objects.__getitem__, b"5" * 20)
    nothing = trees.CommitTree(objects.__getitem__, b"0" * 20)
    for look in (
        lambda: list(bomb.files()),
        lambda: trees.changed_names(nothing, bomb),
        lambda: trees.changed_files(nothing, bomb),
    ):
        with pytest.raises(GraftError, match="more than 5,000 files and folders"):
            look()


def test_contributors(repo: Repo) -> None:
    repo.write("t/one/qna.yaml", "1").commit("one", author="Zoë <zoe@example.org>")
    repo.write("t/two/qna.yaml", "1").commit("two", author="Elsewhere <else@example.org>")
    repo.write("t/one/qna.yaml", "2").commit(
        "three\n\nCo-authored-by: Bo Li <bo@example.org>", author="ada <ada@work.example.org>"
    )
    repo.write(".mailmap", "Ada Lovelace <ada@example.org> <ada@work.example.org>\n").commit("map")
    opened = open_repository(repo.path)
    assert opened.contributors("HEAD", ["t/one"]) == ("Ada Lovelace", "Bo Li", "Zoë")
    assert opened.contributors("HEAD", ["t/two/qna.yaml"]) == ("Elsewhere",)
    assert opened.contributors("HEAD", ["t/on"]) == ()


def test_a_merge_credits_those_who_wrote_not_who_merged(repo: Repo) -> None:
    repo.write("a", "1").commit("one")
    repo.branch("topic").write("t/b", "1").commit("two", author="Writer <w@example.org>")
    repo.checkout("main").write("c", "1").commit("three")
    repo.git("merge", "--quiet", "--no-ff", "topic", author="Merger <m@example.org>")
    assert open_repository(repo.path).contributors("main", ["t"]) == ("Writer",)


def test_an_annotated_tag_is_the_same_object_everywhere_and_never_moves(
    repo: Repo, tmp_path: Path
) -> None:
    first = repo.write("a", "1").commit("one")
    second = repo.write("a", "2").commit("two")
    repo.git("clone", "--quiet", "--no-tags", ".", str(tmp_path / "clone"))
    clone = Repo(tmp_path / "clone")
    new = f"tag model/v1 on {first[:12]}"
    for one, told in ((repo, new), (clone, new), (repo, "")):
        opened = open_repository(one.path)
        assert opened.annotate("model/v1", first, "Release v1\n", 86400) == told
    assert repo.git("rev-parse", "model/v1") == clone.git("rev-parse", "model/v1")
    told = repo.git("tag", "-l", "--format=%(contents:subject) %(taggername)")
    assert told.strip() == "Release v1 Graft"
    opened = open_repository(repo.path)
    for commit, message in ((second, "Release v1\n"), (first, "Another\n")):
        assert "is left where it is" in opened.annotate("model/v1", commit, message, 86400)
    for unknown in ("c" * 40, "no commit"):
        assert "is not in" in opened.annotate("model/v2", unknown, "Release v2\n", 86400)
    assert repo.git("rev-parse", "model/v1^{commit}").strip() == first
    assert repo.git("tag", "-l").split() == ["model/v1"]
