"""What of a leaf is compared with other leaves, and when two texts are twins.

In: the questions and contexts of leaves as ``Entry`` s. Out: ``Text`` s with a key (equal texts have
equal keys) and signatures (near texts share some), and the judgements ``near``, ``agree``, ``slip``.

A question of a grounded skill means nothing without its context: there the two are compared together,
and one instruction over many contexts is many questions.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

from pipelines.near.entries import Entry, EntryKind
from pipelines.text import (
    NEAR,
    normalise,
    similarity,
    spaceless,
    tokens,
    tokens_of_normal,
    too_close,
)

# A longer text is compared by its beginning, so that a hostile one costs no more than others.
COMPARED = 2000
# Of a long text's shingles so many, chosen by their hash: near texts have some of them in common.
SHINGLES = 10
# Up to so many words, a text is also found by all of its words but one: there, one other word in
# the middle leaves no shingle of three whole.
SHORT = 7
# Two people explain one thing in sentences that are so similar; names and figures are the same or not.
SENTENCE_WORDS = 8
AGREE_SENTENCE = 0.6
AGREE_NAME = 0.85

_MIX = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
_NEAR = 100 * NEAR
_ALL = 0xFFFFFFFF
_EVEN = 0xFFFFFFFE

# Where these stand, punctuation carries meaning: `a[1:]` is not `a[:1]`, and 3-4 is not 3:4.
_EXACT = re.compile(r"[][{}<>=*/\\^%_#@&|~+$`]|(?<!\w)-|-(?!\w)|\d\s*[^\w\s]+\s*\d")


class Text(NamedTuple):
    """One text as it is compared: normalised, and ``context`` for a grounded question.

    ``exact``: it holds code or signs, so that normalising it loses what matters.
    """

    key: int
    kind: EntryKind
    exact: bool
    first: str
    context: str = ""


def text_of(entry: Entry) -> Text:
    """The entry's text, ready to be compared."""
    first, whole, exact = _forms(entry.text, signs=entry.kind != "context")
    context, beside, _ = _forms(entry.context)
    named = f"{entry.kind}\0{whole}\0{beside}".encode("utf-8", "surrogatepass")
    key = int.from_bytes(hashlib.blake2b(named, digest_size=8).digest(), signed=True)
    return Text(key, entry.kind, exact, first, context)


def signatures(text: Text) -> list[int]:
    """Hashes of parts of the text, sorted; near texts share several, or one that is odd.

    Parts are runs of three words (characters, in scripts without spaces) and, of a short text, all
    words but one in any order. A grounded question is found by its context.
    """
    salt = zlib.crc32(text.kind.encode())
    words = [_hash(word) ^ salt for word in tokens_of_normal(text.context or text.first)]
    # Of a long text a third of them will do: those that begin with certain words.
    runs = _runs(words, third=len(words) > 3 * SHINGLES + 2) or _runs(words, third=False)
    found = set(sorted(runs)[:SHINGLES])
    if 0 < len(words) <= SHORT:
        total = sum(words)
        without = words if len(words) > 1 else []
        found |= {(total - word) & _ALL | 1 for word in (0, *without)}
    return sorted(found)


def _runs(words: list[int], *, third: bool) -> set[int]:
    return {
        (a * _MIX[0] ^ b * _MIX[1] ^ c * _MIX[2]) & _EVEN
        for a, b, c in zip(words, words[1:], words[2:], strict=False)
        if not (third and a % 3)
    }


def near(a: Text, b: Text) -> bool:
    """Whether the two say nearly the same, answers aside."""
    if a.kind != b.kind or not _close(a.first, b.first):
        return False
    return a.kind != "grounded" or _close(a.context, b.context)


def _close(a: str, b: str) -> bool:
    """``too_close`` of two normalised texts; most pairs that are not are told from it in a microsecond."""
    # Loaded when two texts are first compared, as few checks of one file do.
    from rapidfuzz import fuzz

    possible = (
        fuzz.ratio(a, b, score_cutoff=_NEAR) >= _NEAR
        or a in b
        or b in a
        or fuzz.token_sort_ratio(a, b, score_cutoff=_NEAR) >= _NEAR
    )
    return possible and too_close(a, b)


def agree(a: str, b: str) -> bool:
    """Whether two answers may be one in other words: nearly equal, or one says the other and more."""
    first, second = (_compared(answer) for answer in (a, b))
    if first == second:
        return first != "" or a.split() == b.split()
    if spaceless(first) or spaceless(second):  # 京都 stands in 東京都, and is another place
        return too_close(first, second)
    words, more = sorted((set(tokens(first)), set(tokens(second))), key=len)
    if not _numbers(words) <= _numbers(more) and not _numbers(more) <= _numbers(words):
        return False
    wanted = AGREE_NAME if len(words) < SENTENCE_WORDS else AGREE_SENTENCE
    return bool(words) and (words <= more or similarity(first, second) >= wanted)


def slip(a: Text, b: Text) -> bool:
    """Whether near texts differ only in the order of words and by a letter in a longer word.

    Only then is another answer to a near question worth showing: "the capital of Guinea" and "of
    Equatorial Guinea" are near and are two questions.
    """
    left, right = _only(a, b)
    return not a.exact and not b.exact and not left and not right


def asks_else(a: Text, b: Text) -> bool:
    """Whether near texts have each a word that matters and that the other lacks: mill, ferry."""
    return all(any(len(word) > 3 for word in words) for words in _only(a, b))


def sentences(a: str, b: str) -> bool:
    """Whether both answers are so long that they do not agree by chance."""
    return min(len(tokens(_compared(answer))) for answer in (a, b)) >= SENTENCE_WORDS


def _only(a: Text, b: Text) -> tuple[list[str], list[str]]:
    """The words that each text has alone, but for those that are one word with a letter changed."""
    mine, others = Counter(tokens_of_normal(a.first)), Counter(tokens_of_normal(b.first))
    left, right = sorted((mine - others).elements()), sorted((others - mine).elements())
    for word in tuple(left):
        like = next((other for other in right if _misspelt(word, other)), None)
        if like is not None:
            left.remove(word)
            right.remove(like)
    return left, right


def _misspelt(a: str, b: str) -> bool:
    if min(len(a), len(b)) <= 3:
        return False
    from rapidfuzz.distance import OSA

    return bool(OSA.distance(a, b, score_cutoff=1) <= 1)


def _forms(text: str, *, signs: bool = True) -> tuple[str, str, bool]:
    """A text as it is compared; what equal texts have in common; whether that is another form.

    It is for a very long text, for one of punctuation alone and, if ``signs`` count, for code.
    """
    normal = _compared(text)
    if len(text) <= COMPARED and normal and not (signs and _EXACT.search(text)):
        return normal, normal, False
    return normal, " ".join(unicodedata.normalize("NFKC", text).split()), True


def _numbers(words: set[str]) -> set[str]:
    return {word for word in words if any(map(str.isdigit, word))}


def _compared(text: str) -> str:
    # A long text seldom comes twice: it shall not fill the memory of what was normalised.
    return (normalise if len(text) < 200 else normalise.__wrapped__)(text[:COMPARED])


@lru_cache(maxsize=65536)
def _hash(word: str) -> int:
    # No secret: who makes two hashes meet gets two texts compared that are not near.
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))
