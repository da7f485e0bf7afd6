"""Text as the checks, the leak gate, the filters and the metrics compare it.

In: text in any script. Out: its normalised form, its tokens, n-grams, and how near two texts are.
Checks, duplicate filters, leaks and scores all stand on these functions, so that they agree on
what "the same" means.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache

NEAR = 0.9
CONTAINED_TOKENS = 4

_SPACELESS_RANGES = (
    ("\u0e00", "\u0eff"),  # Thai, Lao
    ("\u1000", "\u109f"),  # Myanmar
    ("\u1780", "\u17ff"),  # Khmer
    ("\u3001", "\u30ff"),  # CJK punctuation, Hiragana, Katakana
    ("\u3400", "\u4dbf"),  # Han
    ("\u4e00", "\u9fff"),
    ("\uf900", "\ufaff"),
    ("\uff01", "\uff9f"),  # full-width punctuation, half-width Katakana
    ("\U00020000", "\U0003ffff"),
)
# The classes of these ranges take longer to compile than a leaf to check: they wait for a text that needs
# them. Below U+0E00 and in the punctuation of Europe is none of them, so that most texts end here.
_PERHAPS_SPACELESS = re.compile("[^\x00-\u0dff\u1e00-\u3000]")


class _Spaceless(dict[str, bool]):
    """Whether a character is of a script without spaces; looked up in the ranges once."""

    def __missing__(self, character: str) -> bool:
        found = any(first <= character <= last for first, last in _SPACELESS_RANGES)
        self[character] = found
        return found


_IS_SPACELESS = _Spaceless().__getitem__


@cache
def _spaceless_class() -> str:
    return "".join(f"{first}-{last}" for first, last in _SPACELESS_RANGES)


@cache
def _token() -> re.Pattern[str]:
    marks = "".join(
        character
        for first, last in _SPACELESS_RANGES[:4]
        for character in map(chr, range(ord(first), ord(last) + 1))
        if unicodedata.category(character).startswith("M")
    )
    spaceless = _spaceless_class()
    return re.compile(rf"[{spaceless}][{marks}]*|[^\s{spaceless}]+")


class _Folding(dict[int, str]):
    """A table for ``str.translate`` that decides about each character once, by its category."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if character in "'\u2019\u02bc" or category == "Cf":  # within a word: don't, soft hyphen
            folded = ""
        elif category[0] in "LMN":
            folded = character
        elif category in ("Sm", "Sc", "So") and character not in "|~":  # "3 + 4" is not "3 > 4"
            folded = f" {character} "
        else:
            folded = " "
        self[code] = folded
        return folded


_FOLDING = _Folding()


@lru_cache(maxsize=16384)
def normalise(text: str) -> str:
    """NFKC, case folded, punctuation and white space as single spaces, none at the ends.

    Letters, combining marks and digits of every script stay; so do symbols such as ``+`` and ``€``,
    each between spaces. Apostrophes and invisible format characters vanish.
    """
    if text.isascii():
        folded = text.lower()
    else:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.translate(_FOLDING).split())


def tokens(text: str) -> list[str]:
    """The words of the normalised text; in scripts without spaces each character on its own."""
    return tokens_of_normal(normalise(text))


def tokens_of_normal(normal: str) -> list[str]:
    """The words of a text that is normalised already."""
    return _token().findall(normal) if has_spaceless(normal) else normal.split()


def spaceless(text: str) -> int:
    """How many characters of ``text`` belong to scripts that put no spaces between words."""
    return sum(map(_IS_SPACELESS, text)) if has_spaceless(text) else 0


def has_spaceless(text: str) -> bool:
    """Whether any character of ``text`` does."""
    if text.isascii() or not _PERHAPS_SPACELESS.search(text):
        return False
    return any(map(_IS_SPACELESS, text))


def count_words(text: str) -> float:
    """The length of a text in words; each character of a script without spaces is half a one."""
    if not has_spaceless(text):
        return len(text.split())
    spaced, characters = re.subn(f"[{_spaceless_class()}]", " ", text)
    return len(spaced.split()) + characters / 2


@cache
def _token_classes() -> tuple[re.Pattern[str], ...]:
    """What tokenizers make of characters; measured on four of them, from 32,000 to 150,000 entries.

    Words of Latin letters, single tokens, Cyrillic, what counts five for four, what counts four.
    """
    return (
        re.compile(r"[A-Za-z]+"),
        re.compile(r"[0-9!-/:-@\[-`{-~\n\t\r\u0080-\u036f\u0530-\u058f]"),
        re.compile("[\u0400-\u052f]"),
        re.compile("[\u0370-\u03ff\u0590-\ud7ff\ue000-\uffff]"),
        re.compile("[\U00010000-\U0010ffff]"),
    )


def estimate_tokens(text: str) -> int:
    """How many tokens a model's tokenizer makes of ``text``: a guess that is rather too high.

    For checks before asking and for plans, where no tokenizer is at hand. A Latin word counts a token
    for each four letters begun, Cyrillic one for two letters; digits, punctuation and accented letters
    one each, letters of Greek, Hebrew, Arabic and all further scripts five for four, emoji four.
    """
    words, single, cyrillic, five_for_four, four_bytes = _token_classes()
    found = sum((len(word) + 3) // 4 for word in words.findall(text))
    found += len(single.findall(text))
    if not text.isascii():
        found += (len(cyrillic.findall(text)) + 1) // 2
        found += (5 * len(five_for_four.findall(text)) + 3) // 4
        found += 4 * len(four_bytes.findall(text))
    return found


def ngrams(tokens: Sequence[str], n: int) -> set[tuple[str, ...]]:
    """All runs of ``n`` tokens; of fewer than ``n`` tokens the one shorter run, of none nothing."""
    if not tokens:
        return set()
    return {tuple(tokens[at : at + n]) for at in range(max(1, len(tokens) - n + 1))}


def similarity(a: str, b: str) -> float:
    """How near two texts are, 0..1: 1 − edits ÷ length, in their own word order or the sorted one.

    Case, punctuation and spacing do not count. Texts of punctuation alone are compared as they are.
    """
    return _similarity(a, b, 0.0)


def too_close(a: str, b: str) -> bool:
    """Whether one text is a near duplicate of the other, so that knowing one gives the other away.

    True where they are similar (``NEAR``), or where one holds the whole other and at most as much
    again; never where their numbers differ: 'the year 1914' and 'the year 1918' are two questions.
    """
    if _numbers(a) != _numbers(b):
        return False
    return _similarity(a, b, NEAR) >= NEAR or _contained(a, b)


def _similarity(a: str, b: str, cutoff: float) -> float:
    """As ``similarity``; anything below ``cutoff`` may come back as 0."""
    # Loaded when two texts are first compared: most checks of one file never do.
    from rapidfuzz import fuzz

    first, second = normalise(a), normalise(b)
    if not first or not second:
        return float(first == second and a.split() == b.split())
    if first == second:
        return 1.0
    ordered = fuzz.ratio(first, second, score_cutoff=100 * cutoff)
    arranged = fuzz.ratio(_arranged(first), _arranged(second), score_cutoff=100 * cutoff)
    return max(ordered, arranged) / 100


@lru_cache(maxsize=16384)
def _arranged(normal: str) -> str:
    return " ".join(sorted(normal.split()))


@lru_cache(maxsize=16384)
def _numbers(text: str) -> tuple[str, ...]:
    """The tokens with digits, in a fixed order."""
    return tuple(sorted(found for found in tokens(text) if any(map(str.isdigit, found))))


@lru_cache(maxsize=16384)
def _spaced(text: str) -> tuple[int, str]:
    """How many tokens, and the tokens with a space on each side."""
    found = tokens(text)
    return len(found), f" {' '.join(found)} "


def _contained(a: str, b: str) -> bool:
    (few, short), (many, long) = sorted((_spaced(a), _spaced(b)))
    return few >= CONTAINED_TOKENS and many <= 2 * few and short in long


def visible(text: str, keep: str = "") -> str:
    """``text`` of a stranger as a terminal or log may show it: control, formatting and line-breaking
    characters that are not to be kept are written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c in keep or _harmless(c) else ascii(c)[1:-1] for c in text)


def _harmless(char: str) -> bool:
    # Cc holds escape sequences and line ends, Cf the marks that turn the direction of text.
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
