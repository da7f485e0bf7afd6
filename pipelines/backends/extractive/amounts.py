"""Dates, counts and measures in a phrase: with what words each is asked for, and what the answer is."""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from pipelines.backends.extractive.clauses import Phrase
from pipelines.backends.extractive.tagging import APPROXIMATE, MONTHS

_YEAR = re.compile(r"\b(?:1\d{3}|20\d{2}|\d{3,4}s?\s+(?:BC|AD|BCE|CE))s?\b")
_PERIOD = re.compile(r"\b(?:century|centuries|decade|summer|winter|autumn|spring|night|morning|"
                     r"evening|day|month|year|week|minute|hour|second|time|moment)s?\b")  # fmt: skip
_UNITS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        r"(?:year|month|week|day|hour|minute|second|centur)\w*$",
        ("How long", "For how long", "How many {unit}"),
    ),
    (
        r"(?:metre|kilometre|mile|feet|foot|inch|inches|centimetre|millimetre|micrometre|yard)s?$",
        ("How long", "How high", "How tall", "How wide", "How far", "How deep", "How many {unit}"),
    ),
    (
        r"(?:ton|tonne|kilogram|gram|ounce)s?$",
        ("How heavy", "How much", "What weight", "How many {unit}"),
    ),
    (
        r"(?:degree|celsius|kelvin)s?$",
        ("How hot", "At what temperature", "What temperature", "How cold"),
    ),
    (r"(?:cent|%)$", ("What share", "What percentage", "How much", "What proportion", "What part")),
    (
        r"(?:dollar|franc|euro|guilder|pound|mark|penny|pence)s?$",
        ("How much", "What sum", "How much money"),
    ),
)
_DATED = frozenset("in on during by at until since after before from within".split())


class Count(NamedTuple):
    """``wh`` asks for ``answer``; ``rest`` are the words of the phrase that belong into the question."""

    wh: str
    rest: str
    answer: str


def is_date(phrase: Phrase, text: str) -> bool:
    """Whether the phrase, which reads ``text``, says when."""
    first, last = phrase.tokens[0], phrase.tokens[-1]
    if (
        _YEAR.search(text)
        and last.tag == "num"
        and first.tag in ("num", "name", "noun", "adj", "det")
    ):
        return phrase.prep != "of" or len(phrase.tokens) == 1
    if any(token.text in MONTHS for token in phrase.tokens):
        return True
    return bool(_PERIOD.search(phrase.head.lower)) and (not phrase.prep or phrase.prep in _DATED)


def date_opening(phrase: Phrase, text: str, rng: random.Random) -> str:
    """What a question after this date begins with."""
    forms = ["When", "When"]
    if _YEAR.search(text):
        forms += ["In what year"]
        if phrase.tokens[-1].text.isdigit():
            forms += ["In which year"]
        if any(token.text in MONTHS for token in phrase.tokens):
            forms += ["On what date", "On which day", "In which month"]
    elif _PERIOD.search(text):
        forms += [f"{(phrase.prep or 'in').capitalize()} which {phrase.head.lower}"]
    return rng.choice(forms)


def counted(phrase: Phrase, sentence: str, rng: random.Random) -> Count | None:
    """The number in the phrase; a unit after it belongs to the answer. None where there is no number."""
    tokens = phrase.tokens
    place = next((i for i, t in enumerate(tokens) if t.tag == "num" and t.lower != "one"), None)
    if place is None or is_date(phrase, phrase.text(sentence)):
        return None
    start = place
    while start and tokens[start - 1].lower in APPROXIMATE and tokens[start - 1].tag == "adv":
        start -= 1
    end = place + 1
    while end < len(tokens) and tokens[end].tag == "num":
        end += 1
    number = sentence[tokens[start].start : tokens[end - 1].end]
    if end == len(tokens):
        return Count(rng.choice(("How many", "What", "Which number")), "", number)
    unit = tokens[end].text
    measured = sentence[tokens[start].start : tokens[end].end]
    for pattern, forms in _UNITS:
        if re.search(pattern, unit):
            wh = rng.choice(forms).format(unit=unit)
            if tokens[-1].tag == "adj" and rng.random() < 0.7:
                wh = f"How {tokens[-1].text}"
            bare = wh.endswith(unit) and rng.random() < 0.5
            return Count(wh, "", number if bare else measured)
    rest = sentence[tokens[end].start : tokens[-1].end]
    return Count("How many", rest, number if rng.random() < 0.8 else measured)
