"""Lists of words, looked for in a leaf and its documents: whole tokens, in any script.

In: a list of words and phrases. Out: each place where one stands, case, width and punctuation apart.
Where a script puts no spaces between words, a listed word is found within its neighbours.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pipelines.check.passages import Passage, everything
from pipelines.check.subject import LeafSubject
from pipelines.text import has_spaceless, normalise


@dataclass(frozen=True, slots=True)
class Lexicon:
    """``phrases``: the tokens of each entry; ``unspaced``: those of scripts without spaces."""

    phrases: tuple[tuple[str, ...], ...]
    unspaced: tuple[str, ...]


@lru_cache(maxsize=64)
def lexicon(words: tuple[str, ...]) -> Lexicon:
    """The words of a list, ready to be looked for."""
    normal = [normalise(word) for word in words]
    return Lexicon(
        tuple(tuple(word.split()) for word in normal if word and not has_spaceless(word)),
        tuple(word for word in normal if has_spaceless(word)),
    )


def mentions(leaf: LeafSubject, words: Lexicon) -> Iterator[tuple[Passage, int, str]]:
    """Each passage, offset and spelling where one of ``words`` stands in the leaf or a document."""
    tokens = _tokens(leaf)
    there = [
        phrase for phrase in words.phrases if phrase[0] in tokens and tokens.issuperset(phrase)
    ]
    for passage in everything(leaf) if there else ():
        yield from _phrases(passage, there)
    for passage in _unspaced(leaf) if words.unspaced else ():
        for word in words.unspaced:
            at = passage.text.find(word)
            if at >= 0:
                yield passage, at, word


def _unspaced(leaf: LeafSubject) -> list[Passage]:
    """The passages that hold a script without spaces."""
    if "unspaced" not in leaf.memo:
        texts = [passage for passage in everything(leaf) if not passage.text.isascii()]
        leaf.memo["unspaced"] = [passage for passage in texts if has_spaceless(passage.text)]
    found: list[Passage] = leaf.memo["unspaced"]
    return found


def _tokens(leaf: LeafSubject) -> frozenset[str]:
    """Every token of the leaf and its documents, normalised."""
    if "tokens" not in leaf.memo:
        found: set[str] = set()
        for passage in everything(leaf):
            found.update(passage.text.casefold().split())
        leaf.memo["tokens"] = frozenset(
            token for rough in found for token in _cleaned(rough.strip(".,:;!?()\"'"))
        )
    tokens: frozenset[str] = leaf.memo["tokens"]
    return tokens


def _cleaned(rough: str) -> Sequence[str]:
    """A run without spaces as normalised tokens; the quick way for nearly all."""
    return (rough,) if rough.isascii() and rough.isalnum() else normalise(rough[:200]).split()


def _phrases(
    passage: Passage, phrases: Sequence[tuple[str, ...]]
) -> Iterator[tuple[Passage, int, str]]:
    found = list(_spans(passage.text))
    for index, (start, token) in enumerate(found):
        for phrase in phrases:
            if phrase[0] == token:
                following = tuple(other for _, other in found[index : index + len(phrase)])
                if following == phrase:
                    yield passage, start, " ".join(phrase)


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
