"""Questions on a fact and other wordings of a seed: what may vary, and what must not."""

from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from pipelines.backends.extractive.phrasing import question, rephrase
from pipelines.backends.extractive.reading import facts, sentences
from tests.backends.test_reading import PROSE

TEXT = (
    "In 1932 the Sydney Harbour Bridge was opened by Jack Lang near the city of Sydney. It is 1,149 "
    "metres long and carries eight lanes because the old ferries were too slow. The arch was "
    "called the Coathanger by the people of New South Wales."
)


@given(PROSE, st.integers(0, 1000))
def test_an_answer_says_nothing_that_the_sentence_does_not(text: str, seed: int) -> None:
    for sentence in sentences(text):
        for fact in facts(sentence):
            asked, answer = question(fact, ["Bridges"], random.Random(seed))
            assert asked.endswith("?")
            assert asked.strip("? ")
            assert "{" not in asked or "{" in sentence
            assert answer
            # A preposition may lead the answer, in lower case where it began the sentence.
            assert answer.lower() in sentence.lower()


def test_a_fact_is_asked_in_many_ways_that_follow_from_the_seed() -> None:
    for sentence in sentences(TEXT):
        for fact in facts(sentence):
            asked = [question(fact, ["Bridges"], random.Random(seed)) for seed in range(40)]
            again = [question(fact, ["Bridges"], random.Random(seed)) for seed in range(40)]
            assert asked == again
            assert len({text for text, _ in asked}) > 20


@given(PROSE, st.integers(0, 1000))
def test_another_wording_adds_and_loses_no_number(text: str, seed: int) -> None:
    said = text.strip()
    other = rephrase(said, random.Random(seed))
    assert sorted(re.findall(r"\d+", other)) == sorted(re.findall(r"\d+", said))
    assert rephrase(said, random.Random(seed)) == other


def test_a_question_has_several_other_wordings() -> None:
    asked = "Who led the effort to build a canal in Panama?"
    wordings = {rephrase(asked, random.Random(seed)) for seed in range(60)}
    assert len(wordings) > 5
    assert all("Panama" in wording for wording in wordings)
