"""When two texts are one, when they are near, and that near ones are found by their signatures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.near.entries import Entry
from pipelines.near.texts import agree, asks_else, near, signatures, slip, text_of


def question(text: str) -> Entry:
    return Entry("question", 1, 1, text)


def grounded(text: str, context: str) -> Entry:
    return Entry("grounded", 1, 1, text, context=context)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("When was the tower lit?", "when was the  TOWER lit"),
        ("この塔はいつ建てられましたか？", "この塔はいつ建てられましたか"),
        ("متى بُنيت المنارة؟", "متى بُنيت المنارة"),
        ("What is `a[1:]`?", "What is  `a[1:]`?"),
    ],
)
def test_one_question_in_two_spellings_has_one_key(a: str, b: str) -> None:
    assert text_of(question(a)).key == text_of(question(b)).key


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("When was the tower lit?", "When was the tower built?"),
        ("What is `a[1:]`?", "What is `a[:1]`?"),
        ("What is 3 - 4?", "What is 3 / 4?"),
        ("What happened at 3:4?", "What happened at 3.4?"),
        ("Is `a` a name?", "Is `A` a name?"),
        ("???", "!!!"),
    ],
)
def test_two_questions_have_two_keys(a: str, b: str) -> None:
    assert text_of(question(a)).key != text_of(question(b)).key


def test_kind_and_context_are_part_of_the_key() -> None:
    entries = [
        question("When is it?"),
        grounded("When is it?", "At noon."),
        grounded("When is it?", "At night."),
        Entry("context", 1, 1, "When is it?"),
    ]
    assert len({text_of(entry).key for entry in entries}) == 4


def test_of_long_texts_the_end_counts_for_the_key() -> None:
    long = "word " * 1000
    assert text_of(question(long + "a")).key != text_of(question(long + "b")).key


NEAR = [
    (
        "When was the old tower of Marbeck first lit?",
        "When was the old tower of Marbeck frist lit?",
    ),
    ("What is the capital of France?", "Tell me, what is the capital of France?"),
    ("What is the capital of France?", "What is the captial of France?"),
    ("In which year did the abbey burn?", "The abbey did burn in which year?"),
    (
        "Who built the bridge over the river at Oostvar?",
        "Who built a bridge over the river at Oostvar?",
    ),
    ("Photosynthesis?", "photosynthesis!"),
    ("この古い塔は何年に建てられましたか？", "この古い塔は何年ごろに建てられましたか？"),
    ("في أي عام بُنيت منارة الميناء القديمة؟", "في أي سنة بُنيت منارة الميناء القديمة؟"),
    ("法国的首都在历史上是哪一座城市？", "法国的首都在历史上是哪座城市？"),
]


@pytest.mark.parametrize(("a", "b"), NEAR)
def test_near_questions_share_enough_signatures(a: str, b: str) -> None:
    one, other = text_of(question(a)), text_of(question(b))
    assert near(one, other)
    common = set(signatures(one)) & set(signatures(other))
    assert sum(1 + (mark & 1) for mark in common) >= 2


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("When was the tower lit in 1759?", "When was the tower lit in 1760?"),
        ("What is the capital of France?", "What is the capital of Greece?"),
        ("法国的首都是哪里？", "法国的人口有多少？"),
    ],
)
def test_other_questions_are_not_near(a: str, b: str) -> None:
    assert not near(text_of(question(a)), text_of(question(b)))


def test_a_grounded_question_is_near_only_with_its_context() -> None:
    ask, note = "Who wrote the note?", "The note on the table was written by Helena on a rainy day."
    one = text_of(grounded(ask, note))
    assert near(one, text_of(grounded("Who wrote this note?", note.replace("rainy", "sunny"))))
    assert not near(one, text_of(grounded(ask, "Edmund left us a letter before he went to sea.")))
    assert not near(one, text_of(grounded("How was the weather?", note)))
    assert not near(one, text_of(question(ask)))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("in October 1759", "October 1759."),
        ("Vienna", "Vienna, Austria"),
        ("the colour red", "The color red"),
        (
            "The Moon pulls on the ocean and raises two bulges of water.",
            "Because the moon pulls on the ocean it raises two bulges of the water.",
        ),
        ("東京です。", "東京です"),
        ("?!", "?!"),
    ],
)
def test_answers_that_agree(a: str, b: str) -> None:
    assert agree(a, b)
    assert agree(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1759", "1760"),
        ("in October 1759", "in October 1760"),
        ("Vienna", "Verona"),
        ("京都", "東京都"),
        ("?!", "..."),
        ("yes", "no"),
        ("", "no"),
    ],
)
def test_answers_that_do_not(a: str, b: str) -> None:
    assert not agree(a, b)
    assert not agree(b, a)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("What is the captial of France?", "What is the capital of France?", True),
        ("The abbey did burn in which year?", "In which year did the abbey burn?", True),
        ("What is the capital of Guinea?", "What is the capital of Equatorial Guinea?", False),
        ("Which planet does Ganymede orbit?", "Which planet does Callisto orbit?", False),
        ("Is it a cat?", "Is it a bat?", False),
        ("What is `range(3)`?", "What is `ranges(3)`?", False),
    ],
)
def test_slips_of_the_pen(a: str, b: str, expected: bool) -> None:
    one, other = text_of(question(a)), text_of(question(b))
    assert slip(one, other) is slip(other, one) is expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("Who or what is named for the mill?", "Who or what is named for the ferry?", True),
        ("Who built the bridge at Zelm?", "Who built a bridge at Zelm?", False),
        ("Who built the bridge at Zelm?", "Who once built the bridge at Zelm?", False),
        ("Who built the bridge at Zelm?", "Who biult the bridge at Zelm?", False),
    ],
)
def test_words_that_matter(a: str, b: str, expected: bool) -> None:
    one, other = text_of(question(a)), text_of(question(b))
    assert asks_else(one, other) is asks_else(other, one) is expected


@settings(max_examples=40)
@given(st.text(), st.text())
def test_any_text_has_a_key_and_its_own_signatures(a: str, context: str) -> None:
    for entry in (question(a), grounded(a, context), Entry("context", 1, 1, a)):
        text = text_of(entry)
        assert text_of(entry) == text
        marks = signatures(text)
        assert marks == sorted(set(marks))
        assert all(0 <= mark < 2**32 for mark in marks)
    assert agree(a, a)
