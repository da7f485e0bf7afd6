"""Lists of words, looked for in a leaf and its documents: whole tokens, in any script.

In: a list of words and phrases. Out: each place where one stands, case, width and punctuation apart.
Where a script puts no spaces between words, a listed word is found within its neighbours.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pipelines.check.passages import Passage, all_text, everything, folded_text
from pipelines.check.subject import LeafSubject
from pipelines.text import has_spaceless, normalise


@dataclass(frozen=True, slots=True)
class Lexicon:
    """``phrases``: the tokens of each entry; ``unspaced``: those of scripts without spaces.

    ``firsts``: the tokens that phrases begin with.
    """

    phrases: tuple[tuple[str, ...], ...]
    unspaced: tuple[str, ...]
    firsts: frozenset[str]


@lru_cache(maxsize=64)
def lexicon(words: tuple[str, ...]) -> Lexicon:
    """The words of a list, ready to be looked for."""
    normal = [normalise(word) for word in words]
    phrases = tuple(tuple(word.split()) for word in normal if word and not has_spaceless(word))
    unspaced = tuple(word for word in normal if has_spaceless(word))
    return Lexicon(phrases, unspaced, frozenset(phrase[0] for phrase in phrases))


def mentions(leaf: LeafSubject, words: Lexicon) -> Iterator[tuple[Passage, int, str]]:
    """Each passage, offset and spelling where one of ``words`` stands in the leaf or a document."""
    tokens = _tokens(leaf)
    there: list[tuple[str, ...]] = []
    if not words.firsts.isdisjoint(tokens):
        there = [phrase for phrase in words.phrases if tokens.issuperset(phrase)]
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
        some = () if all_text(leaf).isascii() else everything(leaf)
        leaf.memo["unspaced"] = [passage for passage in some if has_spaceless(passage.text)]
    found: list[Passage] = leaf.memo["unspaced"]
    return found


def _tokens(leaf: LeafSubject) -> frozenset[str]:
    """Every token of the leaf and its documents, normalised."""
    if "tokens" not in leaf.memo:
        leaf.memo["tokens"] = _normal(set(folded_text(leaf).split()))
    tokens: frozenset[str] = leaf.memo["tokens"]
    return tokens


def _normal(found: set[str]) -> frozenset[str]:
    """Runs without spaces as normalised tokens; nearly all are that already."""
    odd = [rough for rough in found if not (rough.isascii() and rough.isalnum())]
    # All at once, and past the memory of `normalise`: no other text is this one.
    rest = " ".join(rough.strip(".,:;!?()\"'")[:200] for rough in odd)
    return frozenset(found.difference(odd).union(normalise.__wrapped__(rest).split()))


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
