"""The metrics, over scripts, and that each module is registered."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.evaluate import metrics
from pipelines.evaluate.metrics import METRICS, score
from pipelines.evaluate.words import words
from pipelines.records import Scores

EXAMPLES = settings(deadline=None, derandomize=True)


def test_every_module_is_registered_and_has_a_field() -> None:
    folder = Path(metrics.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules == set(METRICS) == {field.name for field in fields(Scores)}


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("The Danube.", "danube"),
        ("  a  Lighthouse\n", "the lighthouse!"),
        ("\uff11\uff18\uff18\uff12", "1882"),  # full width
        ("cafe\u0301", "café"),
        ("نهر الدانوب", "نهر الدانوب."),
        ("", "  "),
    ],
)
def test_equal_in_meaning_is_an_exact_match(answer: str, reference: str) -> None:
    assert score(answer, reference) == Scores(1.0, 1.0)


@pytest.mark.parametrize(
    ("answer", "reference", "f1"),
    [
        ("in 1882 at Plymouth", "1882", 2 / 5),
        ("red red blue", "red blue blue", 2 / 3),
        ("东京塔", "东京", 4 / 5),  # each character is a word
        ("Paris", "Rome", 0.0),
        ("", "Rome", 0.0),
        ("Rome", "", 0.0),
        ("A", "B", 0.0),
        ("+", "\N{RIGHTWARDS ARROW}", 0.0),
    ],
)
def test_partial_overlap(answer: str, reference: str, f1: float) -> None:
    found = score(answer, reference)
    assert found.exact_match == 0.0
    assert found.token_f1 == pytest.approx(f1)


def test_an_answer_that_is_an_article_is_kept() -> None:
    assert words("A") == ["a"]
    assert score("The A", "A").token_f1 > 0


@EXAMPLES
@given(st.text(max_size=60), st.text(max_size=60))
def test_bounds_symmetry_and_agreement(one: str, other: str) -> None:
    found = score(one, other)
    assert 0.0 <= found.token_f1 <= 1.0
    assert found == score(other, one)
    assert found.exact_match <= found.token_f1
    assert score(one, one) == Scores(1.0, 1.0)
