"""Folders that misspell the one beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.check.sibling_spelling import near_names
from tests.check.builders import run, skill, write_skill

TOP = "compositional_skills"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("grammar", "grammer"),
        ("rhymes_old", "rhyme_old"),
        ("astronomy", "astornomy"),
        ("machine_learning", "machine-learning"),
        ("machine_learning", "machinelearning"),
        ("machine_learning", "machine_lerning"),
        ("literatura", "literatúra"),
        ("поэзия_и_проза", "поэзиа_и_проза"),
    ],
)
def test_slips(first: str, second: str) -> None:
    assert len(near_names([first, second])) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("iran", "iraq"),
        ("gambia", "zambia"),
        ("version_1", "version_2"),
        ("history_1914", "history_1918"),
        ("vitamin_b", "vitamin_d"),
        ("slovakia", "slovenia"),
        ("verbs_past", "nouns_past"),
        ("geology", "geography"),
        ("arctic", "antarctic"),
        ("日本語", "日本史"),
    ],
)
def test_names_that_only_look_alike(first: str, second: str) -> None:
    assert near_names([first, second]) == []


def test_the_folder_with_fewer_leaves_is_told(tmp_path: Path) -> None:
    for number, name in enumerate(("grammer/a", "grammar/b", "grammar/c")):
        content = skill().replace("Word", f"Word of {number}")
        write_skill(tmp_path, content, f"{TOP}/{name}")
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.severity) == ("sibling-spelling", "warning")
    assert finding.path == f"{TOP}/grammer/a/qna.yaml"
    assert f"`{TOP}/grammar`" in finding.hint
    assert run(tmp_path, paths=[f"{TOP}/grammar"]).findings == ()
    assert len(run(tmp_path, paths=[f"{TOP}/grammer/a/qna.yaml"]).findings) == 1


def test_in_other_folders_a_name_may_be_near(tmp_path: Path) -> None:
    write_skill(tmp_path, path=f"{TOP}/english/grammar")
    write_skill(tmp_path, path=f"{TOP}/german/grammer")
    assert run(tmp_path).findings == ()


def test_thousands_of_names_are_compared_by_their_letters() -> None:
    names = [f"leaf_{chr(97 + n % 26)}{n * 7919 % 100_003:05d}_subject" for n in range(5_000)]
    assert near_names([*names, "grammar", "grammer"]) == [("grammar", "grammer")]
