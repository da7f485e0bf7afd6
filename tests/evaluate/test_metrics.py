"""The metrics, over scripts, and that each module is registered."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.evaluate import metrics
from pipelines.evaluate.metrics import CHOICE_METRICS, METRICS, rouge_l, score
from pipelines.evaluate.words import words
from pipelines.records import Scores

EXAMPLES = settings(deadline=None, derandomize=True)


def test_every_module_is_registered_and_has_a_field() -> None:
    folder = Path(metrics.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules == set(METRICS) | set(CHOICE_METRICS)
    assert set(METRICS) == {field.name for field in fields(Scores)}


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
    found = score(answer, reference)
    assert (found.exact_match, found.token_f1, found.rouge_l) == (1.0, 1.0, 1.0)
    assert found.numeric_match in (1.0, None)


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
    assert found.rouge_l is not None
    mirrored = replace(score(other, one), numeric_match=found.numeric_match)
    assert found == mirrored  # the numeric match asks what the reference holds
    assert found.exact_match <= found.rouge_l <= found.token_f1 + 1e-12
    assert score(one, one) in (Scores(1.0, 1.0, 1.0), Scores(1.0, 1.0, 1.0, 1.0))


def longest_common(one: str, other: str) -> int:
    """By its definition: the longest of all subsequences of ``one`` that ``other`` holds, too."""
    for size in range(len(one), 0, -1):
        for chosen in itertools.combinations(one, size):
            rest = iter(other)
            if all(letter in rest for letter in chosen):
                return size
    return 0


@EXAMPLES
@given(st.text("abc", max_size=8), st.text("abc", max_size=90))
def test_the_longest_common_subsequence_is_that_of_its_definition(one: str, other: str) -> None:
    assert rouge_l.common(one, other) == rouge_l.common(other, one) == longest_common(one, other)


def test_rouge_l_of_lins_example() -> None:
    wanted = "police killed the gunman".split()  # section 3.1 of the paper: 3/4, 2/4, 2/4
    for given_words, length in (
        ("police kill the gunman", 3),
        ("the gunman kill police", 2),
        ("the gunman police killed", 2),
    ):
        assert rouge_l.common(given_words.split(), wanted) == length
    assert score("the gunman police killed", "police killed the gunman").rouge_l == 2 / 3
    assert score("the gunman police killed", "police killed the gunman").token_f1 == 1.0


@pytest.mark.parametrize(
    ("answer", "reference", "match"),
    [
        ("Built in 1882.", "1882", 1.0),
        ("1881 or 1882", "1882", 0.0),
        ("no idea", "1882", 0.0),
        ("seven", "seven", None),
        ("CO2 of km² and A4", "H2O", None),
        ("1,234,567 people", "1 234 567", 1.0),
        ("1.234.567,5", "1,234,567.5", 1.0),
        ("12\u202f345,67", "12'345.67", 1.0),
        ("12,34,567", "1234567", 1.0),  # as in India
        ("3,5 %", "3.50 percent", 1.0),
        ("3.5", "35", 0.0),
        ("1,234", "1234", 1.0),
        ("1,234", "1.234", 1.0),  # either way of writing it may be meant
        ("0,125", "125", 0.0),
        ("1.5 km", "1500 m", 1.0),
        ("1.5 km", "1.5 m", 0.0),
        ("1.5 km", "1.5", 1.0),
        ("5 km²", "5000 m²", 0.0),
        ("5 km/h", "5 km/h", 1.0),
        ("90 min", "1.5 h", 1.0),
        ("1 h", "3600 g", 0.0),
        ("5 million", "5,000,000", 1.0),
        ("6.02×10²³", "6.02e23", 1.0),
        ("10⁻³", "0.001", 1.0),
        ("0⁰ or 4", "4", 1.0),
        ("\N{MINUS SIGN}40 °C", "-40 \N{DEGREE CELSIUS}", 1.0),
        ("40 °C", "40 °F", 0.0),
        ("40", "-40", 0.0),
        ("1990\N{EN DASH}1995", "1990-1995", 1.0),
        ("on 12.05.1999", "12/05/1999", 1.0),
        ("١٬٢٣٤٫٥", "1234.5", 1.0),  # Arabic digits and separators
        ("\uff11\uff18\uff18\uff12年", "1882", 1.0),
        ("१२३", "123", 1.0),
        ("9" * 70, "7", 0.0),
    ],
)
def test_numeric_match(answer: str, reference: str, match: float | None) -> None:
    assert score(answer, reference).numeric_match == match


@EXAMPLES
@given(st.decimals(-(10**9), 10**9, places=2))
def test_a_number_is_itself_however_it_is_written(value: Decimal) -> None:
    english = f"{value:,}"
    german = english.translate(str.maketrans(",.", ".,"))
    french = english.replace(",", "\u202f").replace(".", ",")
    for written in (str(value), english, german, french):
        assert score(f"It is {written}.", f"{value} m").numeric_match == 1.0, written
        assert score(f"It is {written}.", f"{value + 1} m").numeric_match == 0.0, written


@EXAMPLES
@given(st.text("0123456789.,-+^e×% \u00b2\u0660km", max_size=30))
def test_numbers_of_any_text_can_be_read(text: str) -> None:
    assert score(text, text).numeric_match in (1.0, None)


def test_old_evaluations_lack_the_newer_metrics() -> None:
    assert Scores(exact_match=1.0, token_f1=0.5).rouge_l is None
