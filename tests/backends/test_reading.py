"""Facts are verbatim spans, whatever the text; sentences lose nothing but white space."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.backends.extractive.reading import FUNCTION, content_words, facts, sentences, words

# Words that every rule of the module looks at, and some that none does.
PIECES = (
    "In in the The of and, because it was built by Ada Lovelace near Paris. A an is called named "
    "Monday-Club 1914 3,000 metres June 12 century BC three hundred $5 million so that which who "
    "(Rome) “quoted” don’t to measure depth; however: rivers, lakes and seas! Why? e.g. Dr. 東京は。 "
    "شارع İstanbul ß half one about nearly 7 % not no Who"
).split()
PROSE = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join),
    st.text(max_size=80),
    st.text(st.sampled_from(" .,;:()\n“”'ofaand1In-"), max_size=60),
)


@given(PROSE)
def test_a_fact_s_answer_is_a_verbatim_span_of_its_sentence(text: str) -> None:
    for sentence in sentences(text):
        for fact in facts(sentence):
            assert fact.sentence == sentence
            assert 0 <= fact.start < fact.end <= len(sentence)
            assert fact.answer == sentence[fact.start : fact.end]
            assert fact.answer in text or fact.answer in " ".join(text.split())
            assert content_words(fact.answer)


@given(PROSE, st.integers(0, 5))
def test_facts_are_few_distinct_and_always_the_same(text: str, limit: int) -> None:
    found = facts(text, limit)
    assert len(found) <= limit
    assert len({(fact.start, fact.end) for fact in found}) == len(found)
    assert facts(text, limit) == found


@given(PROSE)
def test_sentences_hold_the_text_in_order(text: str) -> None:
    found = sentences(text)
    assert all(sentence and sentence == " ".join(sentence.split()) for sentence in found)
    closing = str.maketrans("", "", " \"'”’)")  # marks after a full stop go with the cut
    joined = "".join(found).translate(closing)
    assert joined == "".join(text.split()).translate(closing)


def test_initials_and_abbreviations_do_not_end_a_sentence() -> None:
    text = "It was J. Smith who met Dr. Brown in St. Ives. They talked.\nNobody knows why."
    assert sentences(text) == [
        "It was J. Smith who met Dr. Brown in St. Ives.",
        "They talked.",
        "Nobody knows why.",
    ]


def test_content_words_leave_out_function_words_and_marks() -> None:
    assert content_words("The Moon, it pulls on the ocean!") == ("Moon", "pulls", "ocean")
    assert all(word not in FUNCTION for word in content_words(" ".join(sorted(FUNCTION))))
    assert words("don’t stop: 3,000") == ["don’t", "stop", ":", "3,000"]


@pytest.mark.parametrize(
    ("sentence", "answer", "asks"),
    [
        ("The bridge was opened in 1932 by the king.", "1932", "year"),
        ("The bridge was opened on 19 March 1932.", "19 March 1932", "when"),
        ("The tower is 324 metres high.", "324 metres", "number"),
        ("The ship was built in Glasgow.", "Glasgow", "place"),
        ("The ship left because the ice had melted.", "because the ice had melted", "why"),
        ("The comet was seen first by Caroline Herschel.", "Caroline Herschel", "name"),
    ],
)
def test_plain_facts_are_found_with_the_right_kind_of_question(
    sentence: str, answer: str, asks: str
) -> None:
    assert (answer, asks) in [(fact.answer, fact.asks) for fact in facts(sentence)]


@pytest.mark.parametrize("text", ["", "  \n ", "...", "和。", "—"])
def test_text_without_facts_gives_none(text: str) -> None:
    assert [fact for sentence in sentences(text) for fact in facts(sentence)] == []
