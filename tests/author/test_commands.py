"""`graft new`, `graft draft` and `graft import` from flags: what is written, said, and refused."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import docx
import openpyxl
import pytest
import yaml

from pipelines import cli
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE
from pipelines.leaves import WorkTree, read_leaf
from tests.author.support import ROOT, environment, git, repository
from tests.check.builders import KNOWLEDGE, SKILL, write_skill

Said = tuple[int, str, str]
Graft = Callable[..., Said]

ORIGIN = ("--title", "Songs", "--licence", "mit", "--creator", "Ada")
SONGS = "compositional_skills/writing/songs"
SONG_FLAGS = ("--path", SONGS, "--task", "Sing a song.", *ORIGIN)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two leaves; the folder is the current one."""
    for name in ("GIT_DIR", "GRAFT_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    made = repository(tmp_path / "site")
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def graft(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Graft:
    """A command in this process; ``given`` is its standard input, which is no terminal."""

    def run(*words: str, given: bytes = b"") -> Said:
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        try:
            code = cli.main(words)
        except SystemExit as stop:
            code = int(str(stop.code))
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def seeds(count: int = 5) -> list[str]:
    return [word for n in range(count) for word in ("--seed", f"How does song {n} go?", f"La {n}")]


def leaf(site: Path, path: str) -> dict[str, object]:
    found = yaml.safe_load((site / "taxonomy" / path / "qna.yaml").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def assert_one_sentence(said: Said, code: int, *parts: str) -> None:
    found, _, err = said
    assert found == code, err
    *_, last = err.splitlines()
    assert last.startswith("graft: ")
    for part in parts:
        assert part in last


# --- new -----------------------------------------------------------------------------------------


def test_a_skill_from_flags_is_committed_with_a_sign_off(graft: Graft, site: Path) -> None:
    (site / "other.txt").write_text("staged, not ours")
    git(site, "add", "other.txt")
    code, out, err = graft("new", *SONG_FLAGS, *seeds(), "--commit")
    assert (code, err) == (EXIT_OK, "")
    assert f"taxonomy/{SONGS} is written.\n1 leaf checked: 0 errors, 0 warnings.\n" in out
    assert "Signed-off-by: Ada Lovelace <ada@example.org>" in git(site, "log", "-1")
    files = git(site, "show", "--name-only", "--format=").split()
    assert files == [f"taxonomy/{SONGS}/attribution.txt", f"taxonomy/{SONGS}/qna.yaml"]
    assert git(site, "status", "--porcelain") == "A  other.txt\n"
    (attribution,) = read_leaf(WorkTree(site / "taxonomy"), SONGS).attribution
    assert (attribution.licence, attribution.link) == ("MIT", "-")


def test_nothing_is_committed_unless_it_is_asked_for(graft: Graft, site: Path) -> None:
    assert graft("new", *SONG_FLAGS, *seeds())[0] == EXIT_OK
    assert git(site, "log", "--format=%s") == "first\n"
    assert git(site, "diff", "--cached", "--name-only") == ""


def test_a_leaf_with_too_few_seeds_is_written_told_and_not_committed(
    graft: Graft, site: Path
) -> None:
    code, out, err = graft("new", *SONG_FLAGS, *seeds(2), "--commit")
    assert code == EXIT_FINDINGS
    assert "[schema]" in out
    assert "It is not committed" in err
    assert len(leaf(site, SONGS)["seed_examples"]) == 2  # type: ignore[arg-type]
    assert git(site, "log", "--format=%s") == "first\n"


def test_knowledge_from_flags_groups_pairs_by_context(graft: Graft, site: Path) -> None:
    lines = [f"Fact {n} is about the tower." for n in range(5)]
    (site / "The Tower.md").write_text("# Tower\n\n" + "\n\n".join(lines) + "\n")
    words = ["--document", "The Tower.md", "--domain", "history", "--outline", "A tower."]
    for n, line in enumerate(lines):
        for pair in range(3):
            words += ["--seed", f"What does fact {n} say at {pair}?", "about the tower", line]
    code, _, err = graft("new", "--path", "knowledge/history/towers/tower", *words, *ORIGIN)
    assert (code, err) == (EXIT_OK, "")
    found = read_leaf(WorkTree(site / "taxonomy"), "knowledge/history/towers/tower")
    assert [len(seed.pairs) for seed in found.seeds] == [3] * 5
    assert [document.path.rsplit("/", 1)[1] for document in found.documents] == ["the_tower.md"]


@pytest.mark.parametrize("source", ["file", "-"])
def test_a_leaf_from_json_and_a_flag_that_outdoes_it(graft: Graft, site: Path, source: str) -> None:
    data = {
        "kind": "grounded",
        "path": "mail/sender",
        "task_description": "Find the sender.",
        "title": "Mails",
        "licence": "MIT",
        "creator": "Ada",
        "created_by": "ada",
        "seed_examples": [
            {
                "question": f"Who wrote mail {n}?",
                "answer": "Yes",
                "context": f"Mail {n}\r\n- Yes \n",
            }
            for n in range(5)
        ],
    }
    text = json.dumps(data).encode("utf-8-sig")
    Path("leaf.json").write_bytes(text)
    name = "leaf.json" if source == "file" else "-"
    code, _, err = graft("new", "--from", name, "--created-by", "eve", given=text)
    assert (code, err) == (EXIT_OK, "")
    found = leaf(site, "compositional_skills/grounded/mail/sender")
    assert found["created_by"] == "eve"
    first = {"question": "Who wrote mail 0?", "answer": "Yes", "context": "Mail 0\n- Yes\n"}
    assert found["seed_examples"][0] == first  # type: ignore[index]


def test_neighbours_and_questions_that_are_nearly_the_same_are_told(
    graft: Graft, site: Path
) -> None:
    seed = ("--seed", "What rhymes with 3?", "Tree.")
    words = (
        "new",
        "--path",
        "compositional_skills/writng/songs",
        *SONG_FLAGS[2:],
        *seeds(4),
        *seed,
    )
    code, _, err = graft(*words)
    assert code == EXIT_OK
    assert f"warning: nearly the same question: {SKILL} asks: What rhymes with 3? (Word 3.)" in err
    assert (
        "warning: there is compositional_skills/writing already; is compositional_skills/writng"
        in err
    )


def test_a_path_on_disk_is_a_path_in_the_tree(graft: Graft, site: Path) -> None:
    assert graft("new", "--path", f"taxonomy/{SONGS}", *SONG_FLAGS[2:], *seeds())[0] == EXIT_OK
    assert leaf(site, SONGS)["version"] == 3


@pytest.mark.parametrize("path", [SKILL, f"{SKILL}/inner", "compositional_skills/writing"])
def test_a_leaf_that_is_there_is_never_overwritten(graft: Graft, site: Path, path: str) -> None:
    before = (site / "taxonomy" / SKILL / "qna.yaml").read_bytes()
    said = graft("new", "--path", path, *SONG_FLAGS[2:], *seeds())
    assert said[0] == EXIT_USAGE
    assert (site / "taxonomy" / SKILL / "qna.yaml").read_bytes() == before
    assert git(site, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        ((), EXIT_USAGE, ("no terminal to ask on", "--kind", "--seed", "--from")),
        (("--path", SONGS), EXIT_USAGE, ("--task, --title, --licence, --creator, --seed",)),
        (("--title", "x"), EXIT_USAGE, ("--kind, --path",)),
        ((*SONG_FLAGS, "--seed", "only one"), EXIT_USAGE, ("--seed takes QUESTION ANSWER",)),
        ((*SONG_FLAGS, "--seed", "q?", "a", "c"), EXIT_USAGE, ("Seed 1 has a context",)),
        ((*SONG_FLAGS, "--seed", "q?", " "), EXIT_USAGE, ("Seed 1 has an empty",)),
        ((*SONG_FLAGS, "--domain", "x", *seeds()), EXIT_USAGE, ("has no domain",)),
        ((*SONG_FLAGS, *seeds(), "--licence", "GPL-3.0"), EXIT_USAGE, ("CC-BY-4.0, MIT, CC0-1.0",)),
        ((*SONG_FLAGS, "--seed", "q?", "bell \a"), EXIT_FINDINGS, ("Seed 1", "U+0007")),
        ((*SONG_FLAGS, *seeds(), "--title", "bell \a"), EXIT_FINDINGS, ("The title", "U+0007")),
        (("--from", "missing.json"), EXIT_FINDINGS, ("missing.json cannot be read",)),
        (("--from", "-"), EXIT_USAGE, ("this is not JSON",)),
    ],
)
def test_what_cannot_be_is_one_sentence(
    graft: Graft, site: Path, words: tuple[str, ...], code: int, parts: tuple[str, ...]
) -> None:
    assert_one_sentence(graft("new", *words), code, *parts)
    assert git(site, "status", "--porcelain") == ""


@pytest.mark.parametrize("given", [b"\xff", b"[" * 100_000, b'{"kind": "\\ud800"}'])
def test_hostile_json_is_one_sentence(graft: Graft, site: Path, given: bytes) -> None:
    said = graft("new", "--from", "-", *SONG_FLAGS, *seeds(), "--title", "x", given=given)
    assert said[0] in (EXIT_USAGE, EXIT_FINDINGS)
    assert said[2].startswith("graft: ")
    assert "Traceback" not in said[2]


def test_a_commit_that_git_refuses_keeps_the_leaf(graft: Graft, site: Path) -> None:
    hook = site / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no songs here >&2\nexit 1\n")
    hook.chmod(0o755)
    said = graft("new", *SONG_FLAGS, *seeds(), "--commit")
    assert_one_sentence(said, EXIT_FINDINGS, "is written, but git commit failed: no songs here")
    assert leaf(site, SONGS)["version"] == 3


# --- draft ---------------------------------------------------------------------------------------

DOCUMENTS = (
    "earth/rivers/danube/danube.md",
    "science/biology/octopuses/octopuses.md",
    "technology/version_control/git_objects/git_objects.md",
)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_draft_passes_the_check_and_is_marked(graft: Graft, site: Path, name: str) -> None:
    source = ROOT / "taxonomy/knowledge" / name
    path = f"knowledge/area/topic/{source.stem}_draft"
    words = ("--path", path, "--licence", "MIT", "--creator", "Ada")
    code, out, err = graft("draft", str(source), *words)
    assert code == EXIT_OK, out
    assert "qna.yaml:1:1: warning: This leaf is a draft" in out
    assert "read each one, mend it" in err
    text = (site / "taxonomy" / path / "qna.yaml").read_text("utf-8")
    assert text.startswith("# DRAFT: proposed by a program.")
    found = read_leaf(WorkTree(site / "taxonomy"), path)
    assert len(found.seeds) == 8
    assert all(len(seed.pairs) == 3 for seed in found.seeds)
    assert found.attribution[0].title == source.read_text("utf-8").split("\n")[0].removeprefix("# ")
    assert (site / ".graft/calls.sqlite").is_file()


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (("danube.md",), EXIT_USAGE, ("--path, --licence, --creator", "knowledge/AREA/TOPIC/x")),
        (("missing.md",), EXIT_USAGE, ("cannot be read",)),
        (("danube.pdf",), EXIT_USAGE, ("cannot be converted",)),
        (("danube.md", "--contexts", "3"), EXIT_USAGE, ("a leaf needs 5",)),
        (("danube.md", "--path", SKILL, *ORIGIN), EXIT_USAGE, ("belongs below knowledge/",)),
        (("danube.md", "--path", "a/b", *ORIGIN, "--recipe", "x"), EXIT_FINDINGS, ("No recipe x",)),
        (("danube.md", "--path", "a/b", *ORIGIN), EXIT_FINDINGS, ("only 0 passages",)),
    ],
)
def test_a_draft_that_cannot_be_is_one_sentence(
    graft: Graft, site: Path, words: tuple[str, ...], code: int, parts: tuple[str, ...]
) -> None:
    Path("danube.md").write_text("# X\n\nShort.\n")
    Path("danube.pdf").write_text("%PDF")
    assert_one_sentence(graft("draft", *words), code, *parts)
    assert not (site / "taxonomy/knowledge/a").exists()


# --- import --------------------------------------------------------------------------------------

TABLE = [("Question", "Answer"), *((f"How does song {n} go?", f"- La: {n} #") for n in range(6))]


def table(name: str, rows: list[tuple[str, ...]]) -> str:
    """A file of that name, made by the library of its format."""
    if name.endswith(".csv"):
        with open(name, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, delimiter=";").writerows(rows)
    elif name.endswith(".xlsx"):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(name)
    else:
        document = docx.Document()
        made = document.add_table(rows=len(rows), cols=len(rows[0]))
        for row, cells in zip(made.rows, rows, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
        document.save(name)
    return name


@pytest.mark.parametrize("name", ["t.csv", "t.xlsx", "t.docx"])
def test_a_new_leaf_from_a_table(graft: Graft, site: Path, name: str) -> None:
    code, _, err = graft("import", table(name, TABLE), *SONG_FLAGS)
    assert (code, err) == (EXIT_OK, "")
    expected = [{"question": question, "answer": answer} for question, answer in TABLE[1:]]
    assert leaf(site, SONGS)["seed_examples"] == expected


@pytest.mark.parametrize("name", ["t.csv", "t.xlsx", "t.docx"])
def test_a_leaf_that_is_there_is_extended_and_each_unused_row_is_told(
    graft: Graft, site: Path, name: str
) -> None:
    rows = [*TABLE, ("", "no question"), TABLE[1]]
    code, out, err = graft("import", table(name, rows), "--path", f"taxonomy/{SKILL}/")
    assert code == EXIT_FINDINGS
    where = "" if name == "t.csv" else {"t.xlsx": "Sheet, ", "t.docx": "table 1, "}[name]
    assert f"not used: {where}row 8: the question is empty.\n" in err
    assert f"not used: {where}row 9: the same question and answer stand in {where}row 2.\n" in err
    assert "6 questions are added." in out
    assert len(leaf(site, SKILL)["seed_examples"]) == 11  # type: ignore[arg-type]
    again = graft("import", name, "--path", SKILL)
    assert_one_sentence(again, EXIT_FINDINGS, "No row can be used (8 were looked at)")


def test_a_knowledge_leaf_gets_pairs_under_its_own_contexts(graft: Graft, site: Path) -> None:
    rows = [
        ("context", "question", "answer"),
        ("Fact 1 of the river.", "Which river is fact 1 about?", "the river"),
        ("", "Without a context?", "none"),
    ]
    code, _, err = graft("import", table("t.csv", rows), "--path", KNOWLEDGE, "--commit")
    assert code == EXIT_FINDINGS
    assert "row 3: the context is empty" in err
    found = read_leaf(WorkTree(site / "taxonomy"), KNOWLEDGE)
    assert [len(seed.pairs) for seed in found.seeds] == [3, 4, 3, 3, 3]
    assert git(site, "log", "-1", "--format=%s") == f"Add questions to {KNOWLEDGE}\n"


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (("t.csv",), EXIT_USAGE, ("--path",)),
        (("t.csv", "--path", SONGS), EXIT_USAGE, ("no leaf", "--task, --title, --licence")),
        (("t.csv", "--path", SKILL, "--title", "x"), EXIT_USAGE, ("--title has no use",)),
        (("t.pdf", "--path", SKILL), EXIT_USAGE, ("tables can be read from",)),
        (("t.csv", "--path", SKILL, "--columns", "question=x,answer=y"), EXIT_USAGE, ("x, y",)),
        (("t.csv", "--path", KNOWLEDGE), EXIT_FINDINGS, ("No row can be used",)),
    ],
)
def test_an_import_that_cannot_be_is_one_sentence(
    graft: Graft, site: Path, words: tuple[str, ...], code: int, parts: tuple[str, ...]
) -> None:
    table("t.csv", TABLE)
    assert_one_sentence(graft("import", *words), code, *parts)
    assert git(site, "status", "--porcelain", "taxonomy") == ""


def test_a_leaf_in_another_form_is_left_as_it_is(graft: Graft, site: Path) -> None:
    pairs = ", ".join(f"{{question: Q{n}, answer: A{n}}}" for n in range(5))
    text = f"version: 3\ncreated_by: ada\ntask_description: t\nseed_examples: [{pairs}]\n"
    write_skill(site / "taxonomy", text)
    said = graft("import", table("t.csv", TABLE), "--path", SKILL)
    assert_one_sentence(said, EXIT_FINDINGS, "cannot be added to safely")
    assert (site / "taxonomy" / SKILL / "qna.yaml").read_text() == text


def test_the_commands_load_no_model_and_no_library_that_they_do_not_need(site: Path) -> None:
    table("t.csv", TABLE)
    program = (
        "import sys; from pipelines.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'transformers', 'pygit2', 'questionary', 'openpyxl', 'docx'}; "
        "print(code, sorted(heavy & set(sys.modules)))"
    )
    for words in (
        ["import", "t.csv", *SONG_FLAGS],
        ["new", *SONG_FLAGS[2:], "--path", SONGS + "2"],
    ):
        words = [*words, *(seeds() if words[0] == "new" else [])]
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "0 []", done.stderr
