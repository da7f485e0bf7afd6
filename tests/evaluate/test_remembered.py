"""Nothing is asked twice of the same weights, and no result hangs on what is remembered."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.backends import local
from pipelines.errors import BackendError
from pipelines.evaluate import remembered
from pipelines.evaluate.remembered import Remembered
from tests.support.flow import run_directory, zero_site


class Echo:
    """Answers with the question, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def answers(self, prompts: Sequence[str]) -> list[str]:
        self.asked.append(list(prompts))
        return [prompt.upper() for prompt in prompts]


def test_only_new_questions_are_asked_each_once(tmp_path: Path) -> None:
    echo = Echo()
    assert Remembered("a", tmp_path, lambda: echo).answers(["x", "y", "x"]) == ["X", "Y", "X"]
    assert Remembered("a", tmp_path, lambda: echo).answers(["y", "z"]) == ["Y", "Z"]
    assert Remembered("b", tmp_path, lambda: echo).answers(["y"]) == ["Y"]
    assert echo.asked == [["x", "y"], ["z"], ["y"]]


@pytest.mark.parametrize("harm", [b"", b"{", b"[1]", b'{"a": 3}', b"\xff"])
def test_a_file_that_cannot_be_read_counts_as_none(tmp_path: Path, harm: bytes) -> None:
    echo = Echo()
    Remembered("a", tmp_path, lambda: echo).answers(["x"])
    (tmp_path / "a.json").write_bytes(harm)
    assert Remembered("a", tmp_path, lambda: echo).answers(["x"]) == ["X"]
    assert len(echo.asked) == 2


def test_a_cache_that_cannot_be_written_costs_no_answer(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert Remembered("a", tmp_path / "file", Echo).answers(["x"]) == ["X"]


def test_a_student_that_answers_too_little_is_told(tmp_path: Path) -> None:
    class Mute:
        def answers(self, prompts: Sequence[str]) -> list[str]:
            return []

    with pytest.raises(BackendError, match="gave 0 answers to 1 questions"):
        Remembered("a", tmp_path, Mute).answers(["x"])


def test_students_of_long_ago_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "KEPT", 3)
    for number in range(6):
        Remembered(f"{number}", tmp_path, Echo).answers(["x"])
    assert len([*tmp_path.glob("*.json")]) == 3
    assert (tmp_path / "5.json").is_file()


def test_a_run_whose_answers_are_known_loads_no_student_for_the_exam(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    first = (run_directory(site) / "evaluation" / "items.jsonl").read_bytes()
    shutil.rmtree(site.path / "releases")
    shutil.rmtree(run_directory(site) / "evaluation")

    def never(*_: object) -> None:
        raise AssertionError("a student was loaded")

    monkeypatch.setattr(local, "Student", never)
    site.run()
    assert (run_directory(site) / "evaluation" / "items.jsonl").read_bytes() == first
