"""``graft diff`` as it is typed: what is compared with what, and what is printed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import exam
from pipelines.artifacts import tree_digests
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE
from pipelines.leaves import WorkTree, leaf_to_json, read_leaves
from pipelines.records import ManifestLeaf
from pipelines.release.manifest import leaf_file
from pipelines.release.targets import open_target
from tests.cli.diff.support import (
    BOTH,
    OTHER,
    OWN,
    SKILL,
    TIDES,
    Graft,
    Said,
    add,
    assert_stops,
    edit,
    in_json,
    listed,
)
from tests.release import builders as release
from tests.support.repositories import Repo

# --- what is compared with what ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["main"], OWN),
        (["main", "topic"], OWN),
        (["main...topic"], OWN),
        (["main..."], OWN),
        (["main..topic"], BOTH),
        (["main.."], BOTH),
        (["main", "--exact"], BOTH),
        (["main", "topic", "--exact"], BOTH),
        (["main..topic", "--exact"], BOTH),
        (["main", "--staged"], OWN),
        (["main", "--staged", "--exact"], BOTH),
        (["..main"], [("modified", SKILL), ("deleted", OTHER)]),
        (["...main"], [("modified", SKILL)]),
        (["HEAD~1"], OWN),
        (["HEAD~1", "HEAD"], OWN),
        ([], []),
    ],
)
def test_from_the_merge_base_unless_the_commits_are_asked_for(
    graft: Graft, forked: Repo, words: list[str], expected: list[tuple[str, str]]
) -> None:
    assert sorted(listed(graft(*words))) == sorted(expected)


def test_a_detached_head_is_a_head(graft: Graft, forked: Repo) -> None:
    forked.git("checkout", "--quiet", "--detach", "topic")
    assert listed(graft("main")) == OWN
    assert listed(graft("main", "HEAD")) == OWN


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["main...topic", "--exact"], "--exact"),
        (["main..topic", "topic"], "names both commits"),
        (["main", "topic", "--staged"], "--staged"),
        (["main..topic", "--staged"], "--staged"),
    ],
)
def test_words_that_contradict_each_other(
    graft: Graft, forked: Repo, words: list[str], part: str
) -> None:
    assert_stops(graft(*words), EXIT_USAGE, part)


def test_index_and_work_tree(graft: Graft, repo: Repo) -> None:
    add(repo)
    edit(repo, f"{SKILL}/qna.yaml", "Describe an object", "Draw an object")
    repo.git("add", f"taxonomy/{SKILL}")
    edit(repo, f"{TIDES}/document.md", "The Moon", "Our moon")
    assert listed(graft("--staged")) == [("modified", SKILL)]
    assert listed(graft()) == [("modified", SKILL), ("added", OTHER), ("modified", TIDES)]
    repo.git("rm", "-r", "--cached", "--quiet", f"taxonomy/{TIDES}")
    assert listed(graft("--staged")) == [("modified", SKILL), ("deleted", TIDES)]
    assert listed(graft()) == [("modified", SKILL), ("added", OTHER), ("modified", TIDES)]
    names = [in_json(graft(*words, "--format", "json"))["head"] for words in (["--staged"], [])]
    assert names == ["index", "work tree"]


def test_what_gitignore_names_is_not_there(graft: Graft, repo: Repo) -> None:
    repo.write(".gitignore", "other/\n*.tmp\n")
    add(repo)
    repo.write(f"taxonomy/{TIDES}/notes.tmp", "mine")
    assert listed(graft("--all")) == []
    # A tracked file stays in, whatever the patterns say.
    repo.git("add", "--force", f"taxonomy/{OTHER}")
    assert listed(graft()) == OWN


def test_a_sparse_checkout_has_not_deleted_the_rest(graft: Graft, repo: Repo) -> None:
    repo.git("sparse-checkout", "set", f"taxonomy/{SKILL}")
    assert not (repo.path / "taxonomy" / TIDES).exists()
    assert listed(graft()) == []
    (repo.path / "taxonomy" / SKILL / "qna.yaml").unlink()
    assert listed(graft()) == [("deleted", SKILL)]
    repo.git("sparse-checkout", "reapply", "--sparse-index")
    assert_stops(graft(), EXIT_FINDINGS, "index", "cannot be read")


# --- what is told --------------------------------------------------------------------------------


def test_meaning_and_form_are_told_apart(graft: Graft, repo: Repo) -> None:
    edit(repo, f"{SKILL}/qna.yaml", "created_by: ada", "created_by: bo")
    edit(repo, f"{TIDES}/attribution.txt", "Graft contributors", "Ada")
    assert listed(graft()) == []
    assert in_json(graft("--format", "json"))["changes"] == []
    assert graft("--all")[1].splitlines() == [
        f"modified  {SKILL}  seeds +0 -0 ~0  redoes: nothing (created_by)",
        f"modified  {TIDES}  seeds +0 -0 ~0  redoes: nothing (attribution)",
    ]
    found = in_json(graft("--all", "--format", "json"))["changes"]
    none = {"added": [], "removed": [], "changed": []}
    assert [(change["status"], change["seeds"], change["invalidates"]) for change in found] == 2 * [
        ("modified", none, "nothing")
    ]
    repo.commit("form")
    file = repo.path / "taxonomy" / SKILL / "qna.yaml"
    file.write_bytes(b"# a remark\n" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert graft()[1] == "No leaf changed.\n"
    assert graft("--all")[1].endswith("redoes: nothing (formatting)\n")


def test_what_beside_the_seeds_is_named(graft: Graft, repo: Repo) -> None:
    edit(repo, f"{TIDES}/document.md", "The Moon", "Our moon")
    edit(repo, f"{TIDES}/qna.yaml", "domain: science", "domain: nature")
    edit(repo, f"{SKILL}/qna.yaml", "Describe an object", "Draw an object")
    assert graft()[1].splitlines() == [
        f"modified  {SKILL}  seeds +0 -0 ~0  redoes: data (task description)",
        f"modified  {TIDES}  seeds +0 -0 ~0  redoes: data (domain, document text)",
    ]


def test_a_document_that_moved(graft: Graft, repo: Repo) -> None:
    edit(repo, f"{TIDES}/qna.yaml", "repo: .", "repo: https://example.org/docs.git")
    edit(repo, f"{TIDES}/qna.yaml", "commit: HEAD", f"commit: {'a' * 40}")
    repo.commit("A document elsewhere")
    edit(repo, f"{TIDES}/qna.yaml", "a" * 40, "b" * 40)
    line = f"modified  {TIDES}  seeds +0 -0 ~0  redoes: data (document {'a' * 12} -> {'b' * 12})\n"
    assert graft() == (EXIT_OK, line, "")


def test_a_rename_says_where_the_leaf_was(graft: Graft, repo: Repo) -> None:
    repo.move("taxonomy/knowledge/sea", "taxonomy/knowledge/ocean")
    found = in_json(graft("--format", "json"))["changes"]
    assert [(change["leaf"], change["previous_leaf"]) for change in found] == [
        ("knowledge/ocean/tides", TIDES)
    ]
    line = f"renamed   knowledge/ocean/tides (was {TIDES})  seeds +0 -0 ~0  redoes: nothing\n"
    assert graft("--staged")[1] == graft()[1] == line


def test_a_broken_leaf_is_one_line_and_the_rest_goes_on(graft: Graft, repo: Repo) -> None:
    edit(repo, f"{TIDES}/qna.yaml", "domain: science", "domain: [")
    add(repo)
    code, out, err = graft()
    assert code == EXIT_FINDINGS
    assert [line.split()[:2] for line in out.splitlines()] == [["added", OTHER]]
    assert err.count("\n") == 1
    assert err.startswith(f"taxonomy/{TIDES}/qna.yaml:")
    assert err.endswith("Not compared: so it is in the head, work tree.\n")
    code, out, again = graft("--format", "json")
    assert (code, again) == (EXIT_FINDINGS, err)
    assert [change["leaf"] for change in json.loads(out)["changes"]] == [OTHER]
    (repo.path / "taxonomy" / OTHER / "qna.yaml").unlink()
    assert graft()[:2] == (EXIT_FINDINGS, "No other leaf changed.\n")
    broken = repo.commit("broken")
    edit(repo, f"{TIDES}/qna.yaml", "domain: [", "domain: science")
    code, _, err = graft()
    assert code == EXIT_FINDINGS
    assert err.endswith(f"Not compared: so it is in the base, {broken}.\n")


def test_names_cannot_steer_the_terminal(graft: Graft, repo: Repo) -> None:
    add(repo, "compositional_skills/\x1b[2J\u202e")
    out = graft()[1]
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b[2J\\u202e" in out
    text = graft("--format", "json")[1]
    assert json.loads(text)["changes"][0]["leaf"] == "compositional_skills/\x1b[2J\u202e"
    assert text.isascii()


# --- the exam that the last release recorded -------------------------------------------------------


def publish(repo: Repo, folder: Path) -> dict[str, ManifestLeaf]:
    """A release of the leaves as they are now, at the folder ``folder``; its leaves."""
    leaves = read_leaves(WorkTree(repo.path / "taxonomy"))
    target = open_target(f"folder:{folder}")
    built = folder.with_name("built")
    recorded = {}
    for path, leaf in leaves.items():
        rows = target.put_blob(path.encode())
        file = built / leaf_file(leaf.content_hash)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(leaf_to_json(leaf)), encoding="utf-8")
        recorded[path] = ManifestLeaf(leaf.content_hash, rows, exam.split(leaf, None, None))
    manifest = replace(release.manifest(files=tree_digests(built)), leaves=recorded)
    target.publish(built, manifest)
    return recorded


def edit_seed(repo: Repo, side: tuple[str, ...]) -> None:
    """Another answer for the first seed of that side of TIDES's exam split."""
    leaf = read_leaves(WorkTree(repo.path / "taxonomy"))[TIDES]
    seed = next(seed for seed in leaf.seeds if seed.id in side)
    edit(repo, f"{TIDES}/qna.yaml", seed.pairs[0].answer, f"{seed.pairs[0].answer}, it is said")


def redone(said: Said) -> list[str]:
    assert (said[0], said[2]) == (EXIT_OK, "")
    return [line.split("redoes: ")[1] for line in said[1].splitlines()]


def test_an_exam_seed_is_known_from_the_last_release(graft: Graft, repo: Repo) -> None:
    splits = publish(repo, repo.path / "releases")
    repo.write(".gitignore", "/releases/\n/elsewhere/\n/built/\n")
    edit_seed(repo, splits[TIDES].exam.exam)
    assert redone(graft()) == ["exam"]
    assert redone(graft("--target", "folder:elsewhere")) == ["data"]
    assert_stops(graft("--target", "ftp:there"), EXIT_FINDINGS, "is not a release target")
    # What the release knows by its path alone goes on from there, as `graft run` has it.
    repo.commit("An exam seed")
    edit_seed(repo, splits[TIDES].exam.exam)
    assert redone(graft()) == ["exam"]
    repo.git("checkout", "--quiet", "taxonomy")
    edit_seed(repo, splits[TIDES].exam.shown)
    assert redone(graft()) == ["data"]


def test_a_damaged_release_is_said_and_the_diff_goes_on(graft: Graft, repo: Repo) -> None:
    splits = publish(repo, repo.path / "releases")
    edit_seed(repo, splits[TIDES].exam.exam)
    repo.commit("An exam seed")
    edit_seed(repo, splits[TIDES].exam.exam)
    tag = repo.path / "releases" / "v2026.01.01"
    (tag / leaf_file(splits[TIDES].content_hash)).unlink()
    code, out, err = graft()
    assert (code, out.split("redoes: ")[1]) == (EXIT_OK, "data\n")
    assert "graft release verify" in err
    (tag / "manifest.json").write_text("{")
    code, out, err = graft()
    assert (code, out.split("redoes: ")[1]) == (EXIT_OK, "data\n")
    assert "is not JSON" in err
    assert err.count("\n") == 1


def test_a_release_is_not_looked_at_where_no_seed_changed(graft: Graft, repo: Repo) -> None:
    repo.write("releases/HEAD", "no tag")
    repo.move(f"taxonomy/{SKILL}", f"taxonomy/{OTHER}")
    edit(repo, f"{TIDES}/qna.yaml", "domain: science", "domain: nature")
    assert redone(graft()) == ["nothing", "data (domain)"]
