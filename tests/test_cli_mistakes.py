"""The command line: one sentence for every mistake, exit codes, and a traceback for a bug alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.errors import EXIT_BUG, EXIT_FINDINGS, EXIT_OK, EXIT_USAGE
from tests.support.commands import Graft, assert_one_sentence, changed, commands, edit, site_in
from tests.support.flow import (
    MILL,
    Site,
    write_recipe,
)


@pytest.fixture
def graft(capsys: pytest.CaptureFixture[str]) -> Graft:
    return commands(capsys)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return site_in(tmp_path / "site", monkeypatch)


def broken_yaml(site: Site) -> str:
    edit(site.taxonomy / MILL / "qna.yaml", "version: 3", "version: 3\ndomain: [")
    site.repo.commit("Broken")
    return f"{MILL}/qna.yaml:4:"


def no_document(site: Site) -> str:
    site.repo.delete(f"taxonomy/{MILL}/document.md").commit("Where is it?")
    return "No document beside the leaf matches"


def unknown_key(site: Site) -> str:
    edit(site.recipe, "name: fast", "name: fast\nspeed: 9")
    return "unknown key speed"


def unknown_key_inside(site: Site) -> str:
    write_recipe(site.recipe, train={"epoch": 3})
    return "unknown key train.epoch"


def not_a_recipe(site: Site) -> str:
    site.recipe.write_text("- a\n- list\n", encoding="utf-8")
    return "the recipe must be a mapping"


def recipe_is_no_yaml(site: Site) -> str:
    site.recipe.write_text("a: [", encoding="utf-8")
    return "cannot be read"


def recipe_is_missing(site: Site) -> str:
    site.recipe.unlink()
    return "give a file, or one of"


def no_commit(site: Site) -> str:
    site.repo.git("update-ref", "-d", "HEAD")
    return "has no commit yet"


def no_repository(site: Site) -> str:
    (site.path / "repo" / ".git").rename(site.path / "elsewhere")
    return "is not in a Git repository; run `git init`"


def no_leaf(site: Site) -> str:
    site.repo.delete("taxonomy").write("taxonomy/README.md", "Leaves grow here.").commit("Bare")
    return "the taxonomy has no leaf"


MISTAKES = [
    broken_yaml,
    no_document,
    unknown_key,
    unknown_key_inside,
    not_a_recipe,
    recipe_is_no_yaml,
    recipe_is_missing,
    no_commit,
    no_repository,
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    graft: Graft, site: Site, mistake: Callable[[Site], str]
) -> None:
    told = mistake(site)
    before = site.files()
    assert_one_sentence(graft(*site.words("run")), EXIT_FINDINGS, told)
    assert_one_sentence(graft(*site.words("run", "--plan")), EXIT_FINDINGS, told)
    assert site.files() == before
    assert not (site.path / ".graft").exists()


def test_an_unknown_base_is_one_sentence(graft: Graft, site: Site) -> None:
    before = site.files()
    said = graft(*site.words("run", "--base", "nowhere"))
    assert_one_sentence(said, EXIT_FINDINGS, "'nowhere' names no commit", "`git branch --all`")
    said = graft("diff", "nowhere", "--taxonomy", "repo/taxonomy")
    assert_one_sentence(said, EXIT_FINDINGS, "'nowhere' names no commit")
    assert site.files() == before


def test_a_taxonomy_without_a_leaf_gives_no_release(graft: Graft, site: Site) -> None:
    told = no_leaf(site)
    code, out, err = graft(*site.words("run"))
    assert (code, out) == (EXIT_FINDINGS, "")
    assert told in err.splitlines()[-1]
    assert "Traceback" not in err
    assert site.unfinished() == []
    assert site.target.head() is None


def test_an_unknown_recipe_names_the_known_ones(graft: Graft, site: Site) -> None:
    said = graft("run", "--taxonomy", "repo/taxonomy", "--recipe", "huge")
    assert_one_sentence(said, EXIT_FINDINGS, "No recipe huge", "tiny")


@pytest.mark.parametrize(
    "words", [[], ["grow"], ["run", "--fast"], ["check", "--format", "xml"], ["release"]]
)
def test_a_wrong_command_line_is_2(graft: Graft, words: list[str]) -> None:
    code, out, err = graft(*words)
    assert (code, out) == (EXIT_USAGE, "")
    assert err.startswith("usage: graft")


@pytest.mark.parametrize("command", ["", "check", "fix", "diff", "run", "status", "log", "doctor"])
def test_every_command_explains_itself(graft: Graft, command: str) -> None:
    code, out, _ = graft(*filter(None, [command]), "--help")
    assert code == EXIT_OK
    assert out.startswith(f"usage: graft {command}".rstrip())


def test_a_bug_keeps_its_traceback_and_is_70(graft: Graft, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(args: object) -> int:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(cli.doctor, "command", crash)
    code, out, err = graft("doctor")
    assert (code, out) == (EXIT_BUG, "")
    assert err.startswith("Traceback (most recent call last):")
    assert "ZeroDivisionError: nobody thought of this" in err


def test_a_reader_that_leaves_early_is_no_error(site: Site) -> None:
    changed(site)
    program = f"{sys.executable} -m pipelines diff --taxonomy repo/taxonomy; echo $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"({program}) | true"],
        cwd=site.path,
        env=site.environment(),
        capture_output=True,
        text=True,
    )
    assert done.stderr == "0\n"
