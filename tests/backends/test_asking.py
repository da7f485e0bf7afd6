"""Questions made from clauses: natural, varied, answered by the sentence itself."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.backends.extractive.asking import Memory, loosened, pairs, worth
from pipelines.backends.extractive.reading import sentences
from tests.backends.test_reading import PROSE


def asked(sentence: str, topic: str = "Bridges", draws: int = 80) -> set[tuple[str, str]]:
    """Every question and answer that ``draws`` draws bring up."""
    return {
        pair
        for seed in range(draws)
        for pair in pairs(sentence, Memory(topic), random.Random(seed))
    }


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("The keeper lit candles in the tower.", "Where did the keeper light candles?", "in the tower"),
        ("The keeper lit candles in 1698.", "When did the keeper light candles?", "in 1698"),
        ("The first light was built by Henry Winstanley.",
         "Who built the first light?", "Henry Winstanley"),
        ("The canal has three locks.", "How many locks does the canal have?", "three"),
        ("The tower is 49 metres tall.", "How high is the tower?", "49 metres"),
        ("The Danish astronomer Ole Rømer timed the eclipses.",
         "Which astronomer timed the eclipses?", "Ole Rømer"),
        ("Panama was a part of Colombia.", "What was Panama a part of?", "Colombia"),
        ("The blood is blue.", "What colour is the blood?", "blue"),
        ("The reef is dark because no light burns.", "Why is the reef?", "because no light burns"),
    ],
)  # fmt: skip
def test_a_question_that_a_person_would_ask_is_among_them(
    sentence: str, question: str, answer: str
) -> None:
    assert (question, answer) in asked(sentence, draws=400)


def test_a_pronoun_is_asked_about_by_what_it_stands_for() -> None:
    memory = Memory("Eddystone")
    rng = random.Random(0)
    pairs("The tower was made of oak.", memory, rng)
    questions = [q for _ in range(20) for q, _ in pairs("It burned in 1755.", memory, rng)]
    assert any("the tower" in question for question in questions)
    assert not any(" it " in question for question in questions)


@given(PROSE, st.integers(0, 1000))
def test_an_answer_stands_in_the_sentence(text: str, seed: int) -> None:
    memory = Memory("Bridges")
    for sentence in sentences(text):
        for question, answer in pairs(sentence, memory, random.Random(seed)):
            assert answer.lower() in sentence.lower()
            assert question.endswith("?")
            assert loosened(question, ["Bridges"], random.Random(seed)).endswith("?")


def test_what_people_ask_for() -> None:
    title = ["Eddystone", "Lighthouse"]
    assert worth("John Smeaton", title) == worth("49 metres", title) == 1.0
    assert (
        worth("the Eddystone", title) == worth("this procedure", title) == worth("it", title) == 0
    )
    assert 0 < worth("a long clause that says many things at once", title) < worth("granite", title)
