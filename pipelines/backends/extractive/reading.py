"""What a sentence can be asked about: spans of text with the kind of question each one answers.

In: plain prose. Out: ``Fact`` records: a sentence, an answer that is a verbatim span of it, the kind
of question, the words around it. No model and no word list beyond English function words; text in
scripts that this does not split (Japanese, Arabic …) gives few facts or none, never a wrong span.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

Asks = Literal["when", "year", "number", "name", "place", "why", "how", "what", "list", "clause"]

_SENTENCE = re.compile(r"(?<=[.!?。！？])[\"'”’)]*\s+(?=[A-Z0-9“\"'(])|(?<=[。！？])")
_WORD = re.compile(r"\w+(?:[-'’.,]\w+)*|[^\w\s]")
_ABBREVIATION = re.compile(r"(?:\b(?:[A-Z]|St|Mr|Mrs|Dr|Jr|c|cf|e\.g|i\.e|No|vs))\.$")

PREPOSITIONS = frozenset(
    "in on at by from to with for into through over under between among during after before along "
    "around across against without within near behind above below until since towards upon off "
    "beyond beneath despite".split()
)
_JOINTS = frozenset(
    "and or but because although though while when where which who whom whose that so if unless "
    "than as whereas nor yet".split()
)
AUXILIARIES = frozenset(
    "is are was were be been being has have had can could may might must will would shall should "
    "do does did".split()
)
DETERMINERS = frozenset(
    "a an the its his her their this these those each every some many most several both all "
    "another any no one".split()
)
_PRONOUNS = frozenset("it they he she them him we you i there here itself themselves".split())
FUNCTION = (
    PREPOSITIONS
    | _JOINTS
    | AUXILIARIES
    | DETERMINERS
    | _PRONOUNS
    | frozenset("of not only also very more less just even then once still about".split())
)
_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_NUMBER_WORD = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|"
    "hundred|thousand|million|billion|dozen|half"
)
_ABOUT = (
    r"(?:(?:about|nearly|almost|some|roughly|around|over|more than|less than|fewer than|at least|"
    r"at most|up to|just under|just over|something like|well over|only)\s+)?"
)
_DATE = re.compile(
    rf"\b(?:(?P<prep>in|on|by|since|until|from|around|about|after|before|during)\s+)?"
    rf"(?P<date>(?:(?:the )?(?:early|late|middle of|end of|summer of|winter of|spring of|autumn of)\s+)?"
    rf"(?:\d{{1,2}}\s+)?(?:(?:{_MONTH})(?:\s+of)?\s+)?(?:1[0-9]{{3}}|20[0-9]{{2}}|[3-9][0-9]{{2}}(?=\s+(?:BC|AD|CE|BCE)))"
    rf"s?(?:\s+(?:BC|AD|CE|BCE))?|\d{{1,2}}\s+(?:{_MONTH})|(?:{_MONTH})\b(?=[ ,.])|"
    rf"the\s+\w+(?:-\w+)?\s+century(?:\s+(?:BC|AD|CE|BCE))?)(?![\d,-]*\d)"
)
_NUMBER = re.compile(
    rf"{_ABOUT}(?:[$£€]\s?)?\b(?:\d[\d,.]*\d|\d|(?:{_NUMBER_WORD})(?:[- ](?:and )?(?:{_NUMBER_WORD}))*)\b"
    rf"(?:\s*(?:%|per cent|million|billion|thousand|hundred|degrees))*"
    rf"(?:\s+(?!(?:of|and|or|in|on|at|by|to|is|was|are|were|the|which|that|from|for|when|after)\b)[a-z][\w-]*)?",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"\b[A-Z][\w'’-]*(?:\s+(?:(?:de|of|the|van|von|del|la|le|du)\s+)?[A-Z][\w'’-]*)*"
)
_NATION = re.compile(r"(?:ish|ese|ian|can|ch)$")
_VERBAL = re.compile(r"(?:ed|ing|ly)$")
_PLACING = frozenset("in on at under over between near behind above below beneath along".split())
_LEADING = PREPOSITIONS | AUXILIARIES | {"and", "or", "than", "as"}
_BECAUSE = re.compile(r"\b(?:because|so that|in order to|since (?=it|they|the))\b\s*[^.;!?]+")
_CALLED = re.compile(
    r"\b(?:called|named|known as|nicknamed|termed)\s+((?:[^\s.,;:()]+\s?){1,5})"
    r"(?=[.,;:()]|\b(?:and|which|after|by|in|because)\b|$)"
)
_PREDICATE = re.compile(r"\b(?:is|are|was|were|became|becomes|remains)\s+((?:an?|the)\s[^.;:,()]+)")
_SERIES = re.compile(
    r"(?:[\w'’×-]+(?: [\w'’-]+){0,2}, )+[\w'’-]+(?: [\w'’-]+){0,2},? (?:and|or) (?:the |a )?[\w'’-]+"
)
_PURPOSE = re.compile(r"\bto\s+[a-z]+\s[^.;:,()]+")


@dataclass(frozen=True, slots=True)
class Fact:
    """``answer`` is the text ``sentence[start:end]``; ``asks`` says what kind of question it answers.

    ``lead`` is a preposition before the answer that a "when" or "where" answer may keep.
    """

    sentence: str
    start: int
    end: int
    asks: Asks
    lead: str = ""

    @property
    def answer(self) -> str:
        return self.sentence[self.start : self.end]


def sentences(text: str) -> list[str]:
    """The sentences of a passage, whitespace collapsed; initials and common abbreviations held."""
    found: list[str] = []
    for part in _SENTENCE.split(" ".join(text.split())):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {part}"
        elif part.strip():
            found.append(part.strip())
    return found


def words(text: str) -> list[str]:
    """Words and punctuation marks, in order."""
    return _WORD.findall(text)


@lru_cache(maxsize=16384)
def content_words(text: str) -> tuple[str, ...]:
    """The words that carry meaning, in order, function words and punctuation left out."""
    return tuple(word for word in words(text) if word[0].isalnum() and word.lower() not in FUNCTION)


@lru_cache(maxsize=4096)
def facts(sentence: str, limit: int = 4) -> tuple[Fact, ...]:
    """What can be asked about one sentence: at most ``limit`` spans, the surest kinds first."""
    found: list[Fact] = []
    taken: set[tuple[int, int]] = set()
    for fact in [
        *_dates(sentence),
        *_numbers(sentence),
        *_marked(sentence),
        *_names(sentence),
        *_phrases(sentence),
    ]:
        text = fact.answer
        if (fact.start, fact.end) in taken or not content_words(text):
            continue
        if len(text) > 0.75 * len(sentence) and fact.asks != "clause":
            continue
        taken.add((fact.start, fact.end))
        found.append(fact)
    return tuple(found[:limit])


def _dates(sentence: str) -> list[Fact]:
    found = []
    for match in _DATE.finditer(sentence):
        lead = match.group("prep") or ""
        date = match.group("date")
        asks: Asks = "year" if date.isdigit() else "when"
        found.append(Fact(sentence, match.start("date"), match.end("date"), asks, lead))
    return found


def _numbers(sentence: str) -> list[Fact]:
    dates = [match.span("date") for match in _DATE.finditer(sentence)]
    found = []
    for match in _NUMBER.finditer(sentence):
        inside = any(start < match.end() and match.start() < end for start, end in dates)
        text = match.group().strip()
        if not inside and text.lower() not in {"one", "half"}:
            start = match.start() + len(match.group()) - len(match.group().lstrip())
            found.append(Fact(sentence, start, start + len(text), "number"))
    return found


def _marked(sentence: str) -> list[Fact]:
    """Spans that a word announces: because …, called …, is a …, to do …; and series, "a, b and c"."""
    found = [Fact(sentence, m.start(), m.end(), "why") for m in _BECAUSE.finditer(sentence)]
    found += [Fact(sentence, m.start(), m.end(), "list") for m in _SERIES.finditer(sentence)]
    found += [
        Fact(sentence, m.start(1), m.start(1) + len(m.group(1).rstrip()), "what")
        for m in _CALLED.finditer(sentence)
    ]
    for match in _PREDICATE.finditer(sentence):
        end = _clause_end(sentence, match.start(1), match.end(1))
        found.append(Fact(sentence, match.start(1), end, "what"))
    found += [
        Fact(sentence, m.start(), m.end(), "why")
        for m in _PURPOSE.finditer(sentence)
        if 3 <= len(m.group().split()) <= 12
    ]
    return found


def _clause_end(sentence: str, start: int, end: int) -> int:
    """Where the clause that begins at ``start`` gives way to another."""
    joint = re.search(
        r"\s(?:which|who|that|where|when|because|although|while|but)\s", sentence[start:end]
    )
    return start + joint.start() if joint else end


def _names(sentence: str) -> list[Fact]:
    found = []
    for match in _NAME.finditer(sentence):
        text = match.group()
        first = match.start() == 0
        lone = " " not in text
        if (lone and (first or _NATION.search(text))) or text.split()[0].lower() in FUNCTION:
            continue
        before = sentence[: match.start()].rsplit(None, 1)
        lead = before[-1].lower() if before else ""
        place = lead in {"in", "at", "near", "from", "to", "on", "across", "around"}
        found.append(
            Fact(
                sentence,
                match.start(),
                match.end(),
                "place" if place else "name",
                lead if place else "",
            )
        )
    return found


def _phrases(sentence: str) -> list[Fact]:
    """Noun and prepositional phrases, pairs joined by "and", then the first whole clause."""
    pieces = _pieces(sentence)
    found: list[Fact] = []
    for (start, middle, lead), (next_start, end, joint) in pairwise(pieces):
        if joint == "and" and _is_noun(sentence, start, middle, lead) and next_start - middle <= 7:
            found.append(Fact(sentence, start, end, "list", lead))
    for start, end, lead in pieces:
        if _is_noun(sentence, start, end, lead):
            asks: Asks = "how" if lead in {"by", "with", "through", "without"} else "what"
            if lead in _PLACING:
                found.append(Fact(sentence, start, end, "place", lead))
            else:
                found.append(Fact(sentence, start, end, asks, lead))
            part = sentence.rfind(" of ", start, end) + 4
            if part > 3:
                found.append(Fact(sentence, part, end, "what", "of"))
        elif lead in _LEADING and _is_bare_noun(sentence[start:end]):
            found.append(Fact(sentence, start, end, "what", lead))
    for match in re.finditer(r"[^,;:()]+", sentence):
        text = match.group().strip(" .!?")
        if 4 <= len(text.split()) <= 12:
            start = sentence.index(text, match.start())
            return [*found, Fact(sentence, start, start + len(text), "clause")]
    return found


def _is_bare_noun(text: str) -> bool:
    """Whether one word alone may be a noun: long enough, and not bent like a verb or an adverb."""
    return len(text) >= 4 and " " not in text and not _VERBAL.search(text)


def _is_noun(sentence: str, start: int, end: int, lead: str) -> bool:
    """Whether a piece between function words reads like a noun phrase: a guess from its edges."""
    text = words(sentence[start:end])
    if end - start < 4 or len(text) > 9 or text[-1].lower().endswith("ly"):
        return False
    led = lead in PREPOSITIONS and not text[0].lower().endswith("ed")
    return led or text[0].lower() in DETERMINERS


def _pieces(sentence: str) -> list[tuple[int, int, str]]:
    """Spans between function words: (start, end, the word that led into it)."""
    pieces: list[tuple[int, int, str]] = []
    start, end, lead = -1, -1, ""
    for match in _WORD.finditer(sentence):
        word = match.group().lower()
        breaks = word in PREPOSITIONS or word in _JOINTS or word in AUXILIARIES
        breaks = breaks or word in _PRONOUNS or not word[0].isalnum()
        determiner = word in DETERMINERS and start >= 0 and not sentence[start:end].endswith(" of")
        if breaks or determiner:
            if start >= 0 and end > start:
                pieces.append((start, end, lead))
            start, lead = (match.start() if determiner else -1), "" if determiner else word
        elif start < 0:
            start = match.start()
        end = match.end()
    if start >= 0:
        pieces.append((start, end, lead))
    return pieces
