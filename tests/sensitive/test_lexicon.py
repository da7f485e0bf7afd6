"""What is found in a text: offsets and kinds, in any script."""

from __future__ import annotations

import pytest

from pipelines.sensitive.abuse import WORDS
from pipelines.sensitive.lexicon import find_words, lexicon
from pipelines.sensitive.personal import find_personal


def test_every_word_of_the_list_is_found_alone_and_in_a_sentence() -> None:
    words = lexicon(WORDS)
    for word in WORDS:
        assert list(find_words(word, words)), word
        assert list(find_words(f"They said: {word.upper()}!", words)), word


@pytest.mark.parametrize("text", ["", "Scunthorpe is a town.", "The heron waits.", "日本の海"])
def test_what_only_holds_a_word_within_another_is_none(text: str) -> None:
    assert list(find_words(text, lexicon(WORDS))) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to ada@lovelace.co.uk today.", ["ada@lovelace.co.uk"]),
        ("Write to ada@example.org today.", []),
        ("Card 4111 1111 1111 1111, thanks", ["4111 1111 1111 1111"]),
        ("Call +44 20 7123 4567 or ada@lovelace.uk", ["ada@lovelace.uk", "+44 20 7123 4567"]),
        ("In 1914 there were 1,234,567 of them", []),
    ],
)
def test_personal_data_is_told_with_its_place(text: str, found: list[str]) -> None:
    assert [text[start:end] for _, start, end in find_personal(text)] == found
