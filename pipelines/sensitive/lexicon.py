"""Lists of words, looked for in a text: whole tokens, in any script.

In: a list of words and phrases. Out: each place where one stands, case, width and punctuation apart.
Where a script puts no spaces between words, a listed word is found within its neighbours.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from pipelines.text import has_spaceless, normalise


class Lexicon(NamedTuple):
    """``phrases``: the tokens of each entry; ``unspaced``: those of scripts without spaces.

    ``first`` holds the token that each phrase begins with: few texts hold any of them.
    """

    phrases: tuple[tuple[str, ...], ...]
    unspaced: tuple[str, ...]
    first: frozenset[str]


@lru_cache(maxsize=64)
def lexicon(words: tuple[str, ...]) -> Lexicon:
    """The words of a list, ready to be looked for."""
    normal = [normalise(word) for word in words]
    phrases = tuple(tuple(word.split()) for word in normal if word and not has_spaceless(word))
    unspaced = tuple(word for word in normal if has_spaceless(word))
    return Lexicon(phrases, unspaced, frozenset(phrase[0] for phrase in phrases))


def there(words: Lexicon, tokens: set[str] | frozenset[str]) -> list[tuple[str, ...]]:
    """The phrases that a text of these normalised tokens may hold."""
    return [phrase for phrase in words.phrases if phrase[0] in tokens and tokens.issuperset(phrase)]


def find_phrases(text: str, phrases: Sequence[tuple[str, ...]]) -> Iterator[tuple[int, str]]:
    """Each offset and normalised spelling at which one of ``phrases`` stands."""
    found = list(_spans(text))
    for index, (start, token) in enumerate(found):
        for phrase in phrases:
            if phrase[0] == token:
                following = tuple(other for _, other in found[index : index + len(phrase)])
                if following == phrase:
                    yield start, " ".join(phrase)


def find_words(text: str, words: Lexicon) -> Iterator[tuple[int, str]]:
    """Each offset and spelling at which one of ``words`` stands."""
    tokens = set(normalise(text).split())
    if not words.first.isdisjoint(tokens):
        yield from find_phrases(text, there(words, tokens))
    if not text.isascii() and has_spaceless(text):
        yield from find_unspaced(text, words)


def find_unspaced(text: str, words: Lexicon) -> Iterator[tuple[int, str]]:
    """The first place of each word of a script without spaces."""
    for word in words.unspaced:
        at = text.find(word)
        if at >= 0:
            yield at, word


def _spans(text: str) -> Iterator[tuple[int, str]]:
    """Each token with the offset it begins at."""
    start: int | None = None
    for index, char in enumerate(text + " "):
        category = unicodedata.category(char)
        inside = category[0] in "LMN" or (start is not None and (char in "'’ʼ" or category == "Cf"))
        if inside and start is None:
            start = index
        elif not inside and start is not None:
            yield from ((start, token) for token in normalise(text[start:index]).split())
            start = None
