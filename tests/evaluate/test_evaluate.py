"""From students to files and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from pipelines import recipe
from pipelines.errors import BackendError, GraftError
from pipelines.evaluate import Answerer, evaluate, limit_panel, not_worse, read_evaluation
from pipelines.records import ExamItem
from tests.evaluate.support import item

SETTINGS = recipe.Evaluate(margin=0.05, panel=400, new_tokens=48)
SCHEMA = Path(__file__).parents[2] / "schema" / "evaluation.json"


class Knows:
    """A student that knows the references of some leaves."""

    def __init__(self, items: Sequence[ExamItem], *leaves: str) -> None:
        self.known = {one.prompt: one.reference for one in items if one.leaf in leaves}
        self.asked: list[list[str]] = []

    def answers(self, prompts: Sequence[str]) -> list[str]:
        self.asked.append(list(prompts))
        return [self.known.get(prompt, "no idea\u2028::error::\x00") for prompt in prompts]


class Mute:
    def answers(self, prompts: Sequence[str]) -> list[str]:
        return []


@pytest.fixture
def items() -> list[ExamItem]:
    changed = [item("knowledge/new", "changed", n // 2, n, leaked=n == 15) for n in range(16)]
    old = [item(f"knowledge/old{n}", "panel", 0, n) for n in range(9)]
    return [*old, *changed]


def test_a_gain_is_written_and_read_back(tmp_path: Path, items: list[ExamItem]) -> None:
    old = [f"knowledge/old{n}" for n in range(9)]
    base, candidate = Knows(items, *old), Knows(items, *old, "knowledge/new")
    students = {"base": base, "previous": base, "candidate": candidate}
    found = evaluate(items, students, SETTINGS, tmp_path)
    assert found.verdict == "PASS"
    assert not_worse(found)
    assert len(base.asked) == 1  # under two names, asked once
    assert base.asked == candidate.asked

    again, results = read_evaluation(tmp_path)
    assert again == found
    assert len(results) == 25
    order = [(one.item.role, one.item.leaf, one.item.id) for one in results]
    assert order == sorted(order)
    assert results[0].previous == results[0].base != results[0].candidate
    assert sum(one.item.leaked for one in results) == 1
    jsonschema.validate(
        json.loads((tmp_path / "evaluation.json").read_bytes()), json.loads(SCHEMA.read_bytes())
    )


def test_the_same_files_whatever_the_order(tmp_path: Path, items: list[ExamItem]) -> None:
    for name, order in (("a", items), ("b", items[::-1])):
        student = Knows(items, "knowledge/new")
        students = {"base": student, "previous": Knows(items), "candidate": student}
        evaluate(order, students, SETTINGS, tmp_path / name)
    for name in ("evaluation.json", "items.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_no_items(tmp_path: Path) -> None:
    student = Knows([])
    found = evaluate(
        [], {"base": student, "previous": student, "candidate": student}, SETTINGS, tmp_path
    )
    assert student.asked == []
    assert read_evaluation(tmp_path) == (found, [])
    jsonschema.validate(
        json.loads((tmp_path / "evaluation.json").read_bytes()), json.loads(SCHEMA.read_bytes())
    )


def test_answers_that_do_not_match_in_number(tmp_path: Path, items: list[ExamItem]) -> None:
    students: dict[str, Answerer] = {
        "base": Knows(items),
        "previous": Mute(),
        "candidate": Knows(items),
    }
    with pytest.raises(BackendError, match="previous student gave 0 answers to 25 questions"):
        evaluate(items, students, SETTINGS, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_panel_is_limited_leaf_by_leaf() -> None:
    panel = [item(f"knowledge/{leaf}", "panel", n, n) for leaf in "abc" for n in range(4)]
    panel[0] = replace(panel[0], leaked=True)
    changed = [item("knowledge/new", "changed", n, n) for n in range(5)]
    chosen = limit_panel([*panel, *changed], 6)
    assert [one.leaf for one in chosen].count("knowledge/new") == 5
    assert [[one.leaf for one in chosen].count(f"knowledge/{leaf}") for leaf in "abc"] == [2, 2, 2]
    assert panel[0] not in chosen
    assert limit_panel([*panel, *changed], 400) == [*panel, *changed]


@pytest.mark.parametrize("damage", ["", "{}", '{"verdict": "PASS"', "[]"])
def test_what_cannot_be_read_is_said(tmp_path: Path, damage: str) -> None:
    (tmp_path / "items.jsonl").write_text("")
    if damage:
        (tmp_path / "evaluation.json").write_text(damage)
    with pytest.raises(GraftError, match="no evaluation that can be read"):
        read_evaluation(tmp_path)
