"""Clauses of plain prose: who did what, and where and when, as spans of the sentence."""

from __future__ import annotations

from hypothesis import given

from pipelines.backends.extractive.clauses import Clause, clauses
from pipelines.backends.extractive.reading import sentences
from pipelines.backends.extractive.tagging import lemma, past, tokens
from tests.backends.test_reading import PROSE


def told(clause: Clause, sentence: str) -> tuple[str, str, list[str]]:
    """Subject, verbs and the phrases around them, as text."""
    phrases = [f"{p.prep} {p.text(sentence)}".strip() for p in (*clause.before, *clause.after)]
    return clause.subject.text(sentence), " ".join(v.text for v in clause.verbs), phrases


def all_told(sentence: str) -> list[tuple[str, str, list[str]]]:
    return [told(clause, sentence) for clause in clauses(sentence)]


def test_subject_verb_object_and_place() -> None:
    assert all_told("The keeper lit 24 candles in the tower.") == [
        ("The keeper", "lit", ["24 candles", "in the tower"])
    ]


def test_a_phrase_before_the_subject_is_not_the_subject() -> None:
    assert all_told("At that time Panama was a part of Colombia.") == [
        ("Panama", "was", ["at that time", "a part of Colombia"])
    ]


def test_a_second_verb_has_the_first_ones_subject() -> None:
    found = all_told("The Americans bought the rights for 40 million dollars and left in 1904.")
    assert found == [
        ("The Americans", "bought", ["the rights", "for 40 million dollars"]),
        ("The Americans", "left", ["in 1904"]),
    ]


def test_a_relative_clause_speaks_of_what_stands_before_it() -> None:
    first, second = clauses("It was led by Ferdinand de Lesseps, who had dug the Suez Canal.")
    assert told(second, "It was led by Ferdinand de Lesseps, who had dug the Suez Canal.") == (
        "Ferdinand de Lesseps", "had dug", ["the Suez Canal"],
    )  # fmt: skip
    assert first.main
    assert not second.main


def test_a_noun_phrase_set_beside_another_says_what_it_is() -> None:
    sentence = "The task was given to William Gorgas, an army doctor."
    _, beside = clauses(sentence)
    assert told(beside, sentence) == ("William Gorgas", "", ["an army doctor"])


def test_a_list_is_one_phrase() -> None:
    sentence = "The mantle holds the gills, the stomach and the other organs."
    assert all_told(sentence)[0][2] == ["the gills, the stomach and the other organs"]


def test_a_reason_is_kept_with_its_clause() -> None:
    sentence = "The blood is blue, because it carries copper."
    assert clauses(sentence)[0].reason == "because it carries copper"


def test_words_before_a_number_that_bound_it_belong_to_it() -> None:
    sentence = "Io has more than 400 active volcanoes."
    assert all_told(sentence) == [("Io", "has", ["more than 400 active volcanoes"])]


def test_forms_of_verbs() -> None:
    assert [lemma(verb) for verb in ("flew", "built", "carries")] == ["fly", "build", "carry"]
    assert [past(base) for base in ("fly", "build", "open")] == ["flew", "built", "opened"]


@given(PROSE)
def test_any_text_is_split_without_a_crash_and_tokens_are_its_own(text: str) -> None:
    for sentence in sentences(text):
        assert all(sentence[t.start : t.end] == t.text for t in tokens(sentence))
        for clause in clauses(sentence):
            assert clause.subject.text(sentence) in sentence


def test_other_languages_give_no_clause() -> None:
    assert clauses("灯台は千八百八十二年に建てられた。") == ()
