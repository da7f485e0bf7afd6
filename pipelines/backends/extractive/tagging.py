"""English words → parts of speech, by lemminflect's lexicon and a few rules of word order.

In: one sentence. Out: ``Token`` records. Good enough for plain encyclopaedic prose, and wrong at times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

PREPOSITIONS = frozenset(
    "in on at by from to with for into through over under between among during after before along "
    "around across against without within near behind above below until since towards toward upon "
    "off beyond beneath despite as like than about onto throughout per of out inside outside".split()
)
BE = frozenset("is are was were be been being am".split())
HAVE = frozenset("has have had having".split())
DO = frozenset("do does did".split())
MODALS = frozenset("can could may might must will would shall should".split())
AUXILIARIES = BE | HAVE | DO | MODALS
DETERMINERS = frozenset(
    "a an the its his her their our this these those each every some many most several both all "
    "another any no few such".split()
)
PRONOUNS = frozenset("it they he she them him we you i there one ones others".split())
RELATIVES = frozenset("which who whom whose that where".split())
JOINTS = frozenset("and or but nor yet so".split())
SUBORDINATORS = frozenset("because although though while when whenever if unless whereas".split())
NUMBER_WORDS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred thousand million billion dozen half".split()
)
APPROXIMATE = frozenset(
    "about nearly almost some roughly around over more less fewer than at least most up to just "
    "under only well every".split()
)
_ADVERBS = frozenset(
    "not never also still only even just then now soon once again later earlier often usually "
    "sometimes always already too very more most less least well almost nearly about far today "
    "therefore however thus instead together first afterwards there here ever quite rather much "
    "away back down up out further perhaps indeed alone".split()
)
MONTHS = frozenset(
    "January February March April May June July August September October November December".split()
)
_TOKEN = re.compile(r"[^\W_](?:[^\W_]|[.,](?=\d)|[-+'’×/⁻](?=[^\W_]))*[’'](?=\s)|"
                    r"[^\W_](?:[^\W_]|[.,](?=\d)|[-+'’×/⁻](?=[^\W_]))*|[^\w\s]")  # fmt: skip

Tag = Literal["det", "num", "adj", "noun", "name", "pron", "prep", "to", "aux", "verb", "adv",
              "rel", "sub", "joint", "punct"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A word or mark: its text, its span in the sentence, its part of speech."""

    text: str
    start: int
    end: int
    tag: Tag

    @property
    def lower(self) -> str:
        return self.text.lower()


@lru_cache(maxsize=16384)
def parts_of_speech(word: str) -> frozenset[str]:
    """What a lower-case word can be, by the lexicon: some of NOUN, VERB, ADJ, ADV; none if unknown."""
    from lemminflect import getAllLemmas

    return frozenset(getAllLemmas(word))


@lru_cache(maxsize=16384)
def lemma(verb: str) -> str:
    """The base form of a verb: "flew" → "fly"."""
    from lemminflect import getLemma

    found = getLemma(verb.lower(), "VERB")
    return str(found[0]) if found else verb.lower()


@lru_cache(maxsize=16384)
def verb_forms(word: str) -> frozenset[str]:
    """Which Penn tags (VB VBD VBG VBN VBP VBZ) a lower-case word can carry as a verb."""
    from lemminflect import getAllLemmas, getInflection

    lemmas = getAllLemmas(word).get("VERB", ())
    return frozenset(
        tag
        for base in lemmas
        for tag in ("VB", "VBD", "VBG", "VBN", "VBP", "VBZ")
        if word in getInflection(base, tag)
    )


def tokens(sentence: str) -> tuple[Token, ...]:
    """The words of a sentence with their parts of speech."""
    found: list[Token] = []
    spans = [(m.group(), m.start(), m.end()) for m in _TOKEN.finditer(sentence)]
    for place, (text, start, end) in enumerate(spans):
        following = spans[place + 1][0] if place + 1 < len(spans) else ""
        tag = _tag(text, place, found, following)
        if tag == "num":
            _approximated(found)
        found.append(Token(text, start, end, tag))
    return tuple(found)


def _approximated(before: list[Token]) -> None:
    """ "more than", "at least", "some" before a number belong to it."""
    for place in range(len(before) - 1, max(-1, len(before) - 4), -1):
        if before[place].lower not in APPROXIMATE:
            return
        before[place] = replace(before[place], tag="adv")


_ORDINALS = frozenset(
    "first second third fourth fifth sixth seventh eighth ninth tenth last".split()
)


def _tag(text: str, place: int, before: Sequence[Token], following: str) -> Tag:
    lower = text.lower()
    last = before[-1] if before else None
    fixed = _closed(lower, last, following)
    if fixed:
        return fixed
    if not text[0].isalnum():
        return "punct"
    if text[0].isdigit() or lower in NUMBER_WORDS or lower.split("-")[0] in NUMBER_WORDS:
        return "num"
    known = parts_of_speech(lower)
    if text[0].isupper() and (place > 0 or not known):
        return "name"
    return _open(lower, known, last, following)


def _closed(lower: str, last: Token | None, following: str) -> Tag | None:
    """The tag of a function word; None for all others."""
    if lower == "to":
        base = "VB" in verb_forms(following.lower()) and not following[:1].isupper()
        return "to" if base and following.lower() not in DETERMINERS else "prep"
    if lower == "that" and last is not None and last.tag in ("punct", "prep") and last.text != ",":
        return "det"
    if lower in AUXILIARIES:
        return "aux"
    if lower in SUBORDINATORS:
        return "sub"
    if lower in RELATIVES:
        return "rel"
    if lower in JOINTS:
        return "joint"
    if lower in DETERMINERS:
        return "det"
    if lower in PRONOUNS and not (lower == "one" and last is not None):
        return "pron"
    if lower in _ORDINALS:
        return "adj"
    if lower == "about" and (following[:1].isdigit() or following.lower() in NUMBER_WORDS):
        return "adv"
    if lower in PREPOSITIONS:
        return "prep"
    return "adv" if lower in _ADVERBS else None


def _open(lower: str, known: frozenset[str], last: Token | None, following: str) -> Tag:
    forms = verb_forms(lower) if "VERB" in known else frozenset()
    after = last.tag if last else "punct"
    if lower.endswith("ly") and "ADV" in known:
        return "adv"
    next_known = parts_of_speech(following.lower()) if following[:1].isalpha() else frozenset()
    next_nominal = bool(next_known & {"NOUN", "ADJ"}) or following[:1].isupper()
    if after in ("to",) or (last is not None and last.lower in MODALS | DO):
        return "verb" if forms else "adv"
    if after == "aux" and forms & {"VBN", "VBG"} and not (known >= {"ADJ"} and next_nominal):
        return "verb"
    if after in ("det", "adj", "num") or (after == "prep" and not forms & {"VBG"}):
        if "ADJ" in known and next_nominal and following.lower() not in PREPOSITIONS:
            return "adj"
        if "NOUN" in known or not known:
            return "noun"
        return "adj" if forms or "ADJ" in known else "noun"
    if last is not None and last.lower in BE and "ADJ" in known and not next_nominal:
        return "adj"
    if after == "joint" and "VBD" in forms and not next_nominal and not forms & {"VB"}:
        return "verb"
    if forms and not known & {"NOUN", "ADJ"}:
        return "verb"
    if forms & {"VBD", "VBN", "VBZ"} and after in ("noun", "name", "pron", "rel", "adv"):
        return "verb"
    if "VBP" in forms and after in ("pron", "rel"):
        return "verb"
    if forms & {"VBD"} and after in ("joint", "punct") and "NOUN" not in known:
        return "verb"
    if "VBP" in forms and after == "noun" and last is not None and last.lower.endswith("s"):
        return "verb" if not next_nominal or following.lower() in DETERMINERS else "noun"
    if "ADJ" in known and (next_nominal or "NOUN" not in known):
        return "adj"
    if "NOUN" in known or not known:
        return "noun"
    return "verb" if forms else "adv"


@lru_cache(maxsize=16384)
def past(base: str) -> str:
    """The past tense of a verb's base form: "fly" → "flew"."""
    from lemminflect import getInflection

    found = getInflection(base, "VBD")
    return str(found[0]) if found else base
