"""`graft check` against the whole tree: real trees on disk, the index in a real cache folder."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import jsonschema
import pytest

from pipelines.check import RULES, Policy, check
from pipelines.check.comparison import TreeComparison
from pipelines.cli import main
from pipelines.leaves import WorkTree
from pipelines.near import index_path, store
from pipelines.schemas import load_schema
from tests.support.repositories import SkillSeed, knowledge_leaf, knowledge_seeds, skill_leaf

ROOT = Path(__file__).parents[2]
LIGHT = "knowledge/buildings/lighthouse"
OTHER = "knowledge/history/coast"
NOTE = "compositional_skills/grounded/reading/note"
LETTER = "compositional_skills/grounded/reading/letter"
ASKED = "When was the old tower of Marbeck first lit?"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, with an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRAFT_CACHE", raising=False)
    (tmp_path / "taxonomy").mkdir()
    return tmp_path


def leaf(here: Path, path: str, *asked: tuple[str, str], number: int = 0) -> Path:
    """A knowledge leaf of one context of its own, with these questions."""
    context, _ = knowledge_seeds(8, 1)[number]
    return knowledge_leaf(here / "taxonomy", path, seeds=[(context, asked)])


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[list[str], str]:
    """What the two rules say, ``path:line: rule: message``; and standard error."""
    main(["check", "--format", "json", *words])
    out, err = capsys.readouterr()
    data = json.loads(out)
    jsonschema.validate(data, load_schema("findings"))
    found = [f for f in data["findings"] if f["rule"] in ("near-duplicate", "conflict", "internal")]
    assert all(f["severity"] == "warning" for f in found)
    return [f"{f['path']}:{f['line']}: {f['rule']}: {f['message']}" for f in found], err


def test_this_repository_has_no_false_warnings(
    monkeypatch: pytest.MonkeyPatch, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "taxonomy", here / "taxonomy", dirs_exist_ok=True)
    for more in ("docs/examples/taxonomy", "benchmarks/leaves/taxonomy"):
        shutil.copytree(ROOT / more, here / "taxonomy", dirs_exist_ok=True)
    assert checked(capsys) == ([], "")


def test_a_conflict_shows_both_places_and_answers(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf(here, LIGHT, (ASKED, "in October 1759"))
    leaf(
        here,
        OTHER,
        ("Who paid for it, the guild or the abbey?", "the guild"),
        (ASKED, "1760"),
        number=1,
    )
    found, err = checked(capsys)
    assert err == ""
    assert found == [
        f"taxonomy/{LIGHT}/qna.yaml:8: conflict: The question `{ASKED}` is answered "
        f"`in October 1759` here and `1760` at taxonomy/{OTHER}/qna.yaml:10.",
        f"taxonomy/{OTHER}/qna.yaml:10: conflict: The question `{ASKED}` is answered `1760` here and "
        f"`in October 1759` at taxonomy/{LIGHT}/qna.yaml:8.",
    ]


def test_near_and_repeated_questions(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leaf(here, LIGHT, (ASKED, "in October 1759"))
    leaf(here, OTHER, (ASKED.upper(), "October 1759"), number=1)
    leaf(here, "knowledge/sea/light", (ASKED.replace("first", "frist"), "1759"), number=2)
    found, _ = checked(capsys)
    assert found[0].startswith(
        f"taxonomy/{LIGHT}/qna.yaml:8: near-duplicate: The question `{ASKED}` is"
    )
    assert f"`{ASKED.upper()}` at taxonomy/{OTHER}/qna.yaml:8" in found[0]
    assert "taxonomy/knowledge/sea/light/qna.yaml:8" in found[0]
    assert len(found) == 3


@pytest.mark.parametrize(
    ("asked", "again"),
    [
        (
            "この古い灯台は何年に初めて点灯されましたか？",
            "この古い灯台は何年に初めて点灯されましたか",
        ),
        ("في أي عام أُضيئت منارة الميناء القديمة؟", "في أي عام أُضيئت منارة الميناء القديمة"),
    ],
)
def test_other_scripts(
    here: Path, capsys: pytest.CaptureFixture[str], asked: str, again: str
) -> None:
    leaf(here, LIGHT, (asked, "1759"))
    leaf(here, OTHER, (again, "1760"), number=1)
    leaf(here, "knowledge/sea/light", (again[:-1], "1759"), number=2)
    found, _ = checked(capsys)
    rules = [line.split(": ")[1] for line in found]
    assert rules.count("conflict") == 2
    assert rules.count("near-duplicate") >= 2


def grounded(*told: tuple[str, str]) -> list[SkillSeed]:
    """Seeds of one instruction over many contexts."""
    return [(context, "Who wrote the letter?", answer) for context, answer in told]


def test_one_instruction_over_other_contexts_is_fine(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = grounded(("A letter from Ada lies here.", "Ada"), ("Bo wrote to us in May.", "Bo"))
    second = grounded(("The sea took Cy's last letter.", "Cy"), ("Signed: your Di.", "Di"))
    skill_leaf(here / "taxonomy", NOTE, seeds=first)
    skill_leaf(here / "taxonomy", LETTER, seeds=second)
    assert checked(capsys) == ([], "")
    skill_leaf(here / "taxonomy", LETTER, seeds=[*second, (first[0][0], first[0][1], "nobody")])
    found, _ = checked(capsys)
    assert [line.split(": ")[1] for line in found] == ["conflict", "conflict"]


def test_a_leaf_that_shares_much_is_told_of_once(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    knowledge_leaf(here / "taxonomy", LIGHT)
    knowledge_leaf(here / "taxonomy", OTHER)
    found, _ = checked(capsys)
    assert found == [
        f"taxonomy/{one}/qna.yaml:1: near-duplicate: This leaf has much in common with "
        f"taxonomy/{other}/qna.yaml:6 (15 questions and 5 contexts)."
        for one, other in ((LIGHT, OTHER), (OTHER, LIGHT))
    ]


def test_within_one_leaf_it_is_not_this_rules_matter(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf(here, LIGHT, (ASKED, "1759"), (ASKED, "1760"), (f"{ASKED} Say.", "1759"))
    assert checked(capsys) == ([], "")


def test_deleted_and_renamed_leaves(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leaf(here, LIGHT, (ASKED, "1759"))
    other = leaf(here, OTHER, (ASKED, "1760"), number=1)
    assert len(checked(capsys)[0]) == 2
    other.rename(other.with_name("shore"))
    found, _ = checked(capsys)
    assert len(found) == 2
    assert "/shore/qna.yaml:8" in found[0]
    shutil.rmtree(other.with_name("shore"))
    assert checked(capsys) == ([], "")


def test_one_file_without_an_index_is_not_compared_and_that_is_said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf(here, LIGHT, (ASKED, "1759"))
    leaf(here, OTHER, (ASKED, "1760"), number=1)
    found, err = checked(capsys, f"taxonomy/{LIGHT}/qna.yaml")
    assert found == []
    assert err.count("\n") == 1
    assert "there is no index yet" in err
    assert not (here / ".graft").exists()


def test_one_file_with_an_index_sees_the_tree_as_it_is_now(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf(here, OTHER, (ASKED, "1760"), number=1)
    assert checked(capsys) == ([], "")
    leaf(here, LIGHT, (ASKED, "1759"))
    one = f"taxonomy/{LIGHT}/qna.yaml"
    found, err = checked(capsys, one)
    assert err == ""
    assert [line.split(": ")[1] for line in found] == ["conflict"]
    leaf(here, OTHER, ("Who lit it?", "Ada"), (ASKED, "1759"), number=1)
    found, _ = checked(capsys, one)
    assert found[0].endswith(f"is asked in another leaf too: taxonomy/{OTHER}/qna.yaml:10.")
    (here / "taxonomy" / OTHER / "qna.yaml").write_text("{ broken")
    assert checked(capsys, one)[0] == []
    leaf(here, OTHER, (ASKED, "1760"), number=1)
    assert len(checked(capsys)[0]) == 2
    shutil.rmtree(here / "taxonomy" / OTHER)
    assert checked(capsys, one) == ([], "")


def test_a_damaged_index_is_set_aside_and_the_check_goes_on(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf(here, LIGHT, (ASKED, "1759"))
    leaf(here, OTHER, (ASKED, "1760"), number=1)
    before, _ = checked(capsys)
    path = index_path(Path(".graft"), Path("taxonomy"))
    whole = path.read_bytes()
    for bad in (b"", b"x" * 5000, whole[:4096], whole[:4096] + b"\xff" * (len(whole) - 4096)):
        path.write_bytes(bad)
        found, err = checked(capsys)
        assert found == before
        assert "set aside" in err
        assert checked(capsys) == (before, "")


def test_a_cache_that_cannot_be_written(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf(here, LIGHT, (ASKED, "1759"))
    leaf(here, OTHER, (ASKED, "1760"), number=1)
    (here / "file").write_text("no folder")
    monkeypatch.setenv("GRAFT_CACHE", "file/cache")
    found, err = checked(capsys)
    assert len(found) == 2
    assert "cannot be used" in err


def test_a_disk_that_is_full(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf(here, LIGHT, (ASKED, "1759"))
    assert checked(capsys) == ([], "")
    path = index_path(Path(".graft"), Path("taxonomy"))
    before = path.read_bytes()
    begin = store._begin

    def full(connection: sqlite3.Connection, root: Path) -> None:
        begin(connection, root)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    monkeypatch.setattr(store, "_begin", full)
    for number in range(1, 8):
        asked = (ASKED if number == 1 else f"Why did keeper {number} leave {OTHER}?", "1760" * 500)
        leaf(here, f"{OTHER}/l{number}", asked, number=number)
    found, err = checked(capsys)
    assert [line.split(": ")[1] for line in found] == ["conflict", "conflict"]
    assert "full" in err
    assert "set aside" not in err
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert path.read_bytes() == before
    assert checked(capsys) == (found, "")


def test_rules_that_compare_nothing_leave_the_index_alone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf(here, LIGHT, (ASKED, "1759"))
    checked(capsys)
    path = index_path(Path(".graft"), Path("taxonomy"))
    index = store.open_index(path, Path("taxonomy"), create=False, say=print)
    assert index is not None
    comparison = TreeComparison(lambda: index, whole=True)
    tree = WorkTree(Path("taxonomy"))
    check(tree, Policy(), rules={"schema": RULES["schema"]}, comparison=comparison)
    assert list(index.digests()) == [LIGHT]
    index.close()


def test_hostile_text_is_cut_and_kept_on_its_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "Who `is`\n::error::it\x1b[31m \u202e" + "very " * 300 + "long?"
    leaf(here, LIGHT, (evil, "a\n::set-output name=x::y"))
    leaf(here, OTHER, (evil, "b" * 500), number=1)
    found, _ = checked(capsys)
    assert [line.split(": ")[1] for line in found] == ["conflict", "conflict"]
    assert all(len(line) < 500 and "\n" not in line for line in found)
    for form in ("text", "github"):
        main(["check", "--format", form])
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert not [line for line in out.splitlines() if line.startswith(("::error::", "::set"))]


def test_halves_of_characters_and_odd_shapes(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (LIGHT, OTHER):
        folder = leaf(here, path, (ASKED, "1759"))
        # A tab sends the file to the parser that lets halves of characters through.
        (folder / "qna.yaml").write_text(
            'version: 3\ncreated_by: a\nseed_examples:\n  - 3\n  - context: "\\ud83d\tx"\n'
            "    questions_and_answers: no\n  - questions_and_answers:\n    - question: [a]\n"
            f'    - question: "{ASKED}\\ud83d"\n      answer: 3\n    - answer: x\n'
        )
    found, err = checked(capsys)
    assert err == ""
    assert [line.split(": ")[1] for line in found] == ["near-duplicate"] * 2
