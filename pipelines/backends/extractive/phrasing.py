"""Many ways to ask for one fact, and many ways to say one question.

A student learns a fact from varied phrasings, not from one. Each phrasing keeps another part of the
words that surround the answer, so that what is learnt is the association between those words and
the answer, whatever order a person puts them in. All draws come from the ``random.Random`` given.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence

from pipelines.backends.extractive.reading import AUXILIARIES, FUNCTION, Fact, content_words, words

_WH: dict[str, tuple[str, ...]] = {
    "when": ("When", "When did", "When was", "When were", "At what time", "In which period"),
    "year": ("In what year", "In which year", "What year", "In what year did", "In which year was"),
    "number": ("How many", "How much", "What number", "How large", "About how many"),
    "name": ("Who", "What", "Which", "Who was", "What is the name", "By whom", "Whose"),
    "place": ("Where", "Where did", "Where was", "Where is", "In what", "Which", "What"),
    "why": ("Why", "Why did", "Why was", "For what reason", "What for", "Why do", "Why is"),
    "how": ("How", "By what means", "How was", "How did", "With what", "How do", "How is"),
    "what": ("What", "Which", "What is", "What was", "What kind", "What did", "What are", "Where"),
    "list": ("What", "Which", "Which two", "What are", "Which things", "What kinds"),
    "clause": ("What", "What happens", "How", "What is said", "Why", "What happened", "What does"),
}
_MEASURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"year|month|week|day|hour|minute|second", ("How long", "How many {unit}", "For how long")),
    (
        r"metre|kilometre|mile|feet|foot|inch|centimetre|millimetre|micrometre|yard",
        ("How long", "How high", "How tall", "How wide", "How far", "How deep", "How many {unit}"),
    ),
    (r"ton|tonne|kilogram|gram|pound", ("How heavy", "How much", "What weight", "How many {unit}")),
    (r"degree|celsius|kelvin", ("How hot", "At what temperature", "What temperature", "How cold")),
    (r"per cent|%", ("What share", "What percentage", "How much", "What proportion")),
    (r"dollar|pound|franc|euro|£|\$", ("How much", "What sum", "How much did", "What did")),
)
_FILLERS = (
    "did",
    "was",
    "is",
    "the",
    "of",
    "in",
    "do",
    "were",
    "used",
    "a",
    "for",
    "by",
    "to",
    "at",
)


def question(fact: Fact, setting: Sequence[str], rng: random.Random) -> tuple[str, str]:
    """One (question, answer) for ``fact``; ``setting`` are words that name what the text is about."""
    wh = _wh(fact, rng)
    answer = fact.answer.strip(" ,;:")
    if wh.startswith("How many ") and " " in answer and answer.endswith(wh.rsplit(" ", 1)[1]):
        answer = answer.rsplit(" ", 1)[0]
    if fact.lead and fact.asks in {"when", "year", "place"} and wh.startswith(("When", "Where")):
        answer = f"{fact.lead} {answer}"
    return f"{wh} {' '.join(_body(fact, setting, rng))}?", answer


_OPENERS = frozenset("what which is was did are kind where of".split())


def loose(asked: str, fact: Fact, setting: Sequence[str], rng: random.Random) -> str:
    """The question ``asked`` with its opening kept and the rest said in the words around ``fact``."""
    opening = asked.rstrip("?").split()[: 2 if rng.random() < 0.7 else 1]
    said, _ = question(fact, setting, rng)
    body = list(itertools.dropwhile(lambda word: word.lower() in _OPENERS, said[:-1].split()))
    return f"{' '.join([*opening, *body])}?"


def shortened(asked: str, rng: random.Random, words: int = 13) -> str:
    """The question with words left out by chance until it has ``words``; its opening stays.

    People's questions hold about eleven words: with longer ones the student learns to lean on words that
    nobody says.
    """
    kept = asked.rstrip("?").split()
    while len(kept) > words:
        kept.pop(rng.randrange(2, len(kept)))
    return f"{' '.join(kept)}?"


def _body(fact: Fact, setting: Sequence[str], rng: random.Random) -> list[str]:
    """What follows the question word: words around the answer, in one of several styles."""
    before, after = fact.sentence[: fact.start], fact.sentence[fact.end :]
    if fact.asks == "clause":
        before, after = fact.sentence, ""
    style = rng.random()
    if style < 0.25 and fact.asks != "clause":
        body = _in_order(before, after, rng)
    else:
        body = _keywords(before, after, rng)
    body = [*body, *_named(setting, rng)] if rng.random() < 0.7 else [*_named(setting, rng), *body]
    if style > 0.92:
        rng.shuffle(body)
    if not content_words(" ".join(body)):
        body += content_words(fact.sentence)[:4]
    return body


def _wh(fact: Fact, rng: random.Random) -> str:
    if fact.asks == "number":
        for units, forms in _MEASURES:
            if re.search(units, fact.answer):
                unit = words(fact.answer)[-1]
                return rng.choice(forms).format(unit=unit)
        noun = words(fact.answer)[-1]
        if noun.isalpha() and noun.islower() and rng.random() < 0.6:
            return f"How many {noun}"
    head = words(fact.answer)[-1]
    asked_by_head = fact.asks in {"what", "name", "place", "list"} and rng.random() < 0.35
    if asked_by_head and len(head) > 2 and head.islower() and not head.endswith("ly"):
        return rng.choice(("Which {head}", "What {head}", "What kind of {head}")).format(head=head)
    if fact.asks == "year" and rng.random() < 0.5:
        return rng.choice(_WH["when"])
    return rng.choice(_WH[fact.asks])


def _in_order(before: str, after: str, rng: random.Random) -> list[str]:
    """The clause around the answer, as it stands: function words and all, cut at its commas."""
    left = re.split(r"[,;:()]", before)[-1].split()
    right = re.split(r"[,;:()]", after)[0].split()
    kept = [word.strip(".,;:!?()") for word in [*left, *right]]
    return [_base(word, rng) for word in kept if word][:16]


def _keywords(before: str, after: str, rng: random.Random) -> list[str]:
    """A random part of the meaningful words, the nearest to the answer first in line to stay."""
    left, right = content_words(before), content_words(after)
    total = len(left) + len(right)
    wanted = max(2, round(total * rng.uniform(0.35, 1.0)))
    ranked = sorted(
        [(len(left) - i + rng.random() * 5, i, w) for i, w in enumerate(left)]
        + [(i + 1 + rng.random() * 5, len(left) + i, w) for i, w in enumerate(right)]
    )
    kept = sorted((place, word) for _, place, word in ranked[: min(wanted, total)])
    spoken: list[str] = []
    for _, word in kept:
        if rng.random() < 0.35:
            spoken.append(rng.choice(_FILLERS))
        spoken.append(_base(word, rng))
    return spoken


def _named(setting: Sequence[str], rng: random.Random) -> list[str]:
    """Words that say what the text is about, most of the time."""
    if not setting or rng.random() < 0.35:
        return []
    kept = [word for word in setting if rng.random() < 0.7] or [setting[0]]
    return [rng.choice(("in", "of", "the", "at", "by")), *kept] if rng.random() < 0.6 else kept


def _base(word: str, rng: random.Random) -> str:
    """A word as a question would bend it: "did … open" for "opened", now and then."""
    lower = word.lower()
    if lower in FUNCTION or not word.islower() or rng.random() < 0.5:
        return word
    if lower in _IRREGULAR:
        return _IRREGULAR[lower]
    if lower.endswith("ied") and len(lower) > 5:
        return f"{word[:-3]}y"
    if lower.endswith("ed") and len(lower) > 4:
        stem = word[:-2]
        doubled = len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in "ls"
        return stem[:-1] if doubled else stem if rng.random() < 0.6 else f"{stem}e"
    if lower.endswith("s") and not lower.endswith("ss") and len(lower) > 3:
        return word[:-1]
    return word


_IRREGULAR = dict(
    pair.split("/")
    for pair in (
        "became/become began/begin broke/break brought/bring built/build came/come caught/catch "
        "chose/choose cut/cut drew/draw drove/drive fell/fall felt/feel found/find flew/fly "
        "gave/give grew/grow held/hold kept/keep knew/know laid/lay led/lead left/leave lost/lose "
        "made/make meant/mean met/meet paid/pay put/put ran/run rose/rise sank/sink saw/see "
        "sent/send shone/shine sold/sell spent/spend spoke/speak stood/stand swam/swim "
        "taken/take took/take taught/teach thought/think told/tell threw/throw went/go won/win "
        "wore/wear written/write wrote/write known/know given/give grown/grow shown/show"
    ).split()
)

_OPENINGS = (
    ("", "{rest}"),
    ("", "Tell me: {lower}"),
    ("", "Can you say {lower}"),
    ("", "{rest_plain}, please?"),
    ("", "Do you know {lower}"),
    ("", "I should like to know: {lower}"),
)


def rephrase(text: str, rng: random.Random) -> str:
    """The same question or instruction, said otherwise; numbers and names untouched."""
    if len(text.split()) < 3 and text.isascii():
        return text
    style = rng.random()
    first, _, rest = text.partition(" ")
    lower = f"{first.lower()} {rest}" if first.lower() in _QUESTION_WORDS else text
    if style < 0.35:
        _, form = rng.choice(_OPENINGS)
        return form.format(rest=text, lower=lower, rest_plain=text.rstrip("?.! "))
    if style < 0.7:
        return _dropped(text, rng)
    return _reordered(text, rng)


_QUESTION_WORDS = frozenset("who what when where why how which whose in by at for".split())


_TURNING = frozenset("no not nor without only but unless".split())


def _dropped(text: str, rng: random.Random) -> str:
    """Without some of its function words; never without a word that turns the meaning round."""
    kept = [
        word
        for place, word in enumerate(text.split())
        if place == 0 or word.lower() not in FUNCTION - _TURNING or rng.random() < 0.6
    ]
    return " ".join(kept)


def _reordered(text: str, rng: random.Random) -> str:
    """Its tail first: "In Panama, who led the effort?" for "Who led the effort in Panama?"."""
    body, mark = (text[:-1], text[-1]) if text[-1:] in "?.!" else (text, "")
    places = [
        match.start()
        for match in re.finditer(r"\b(?:in|of|at|on|during|for|by|from)\b", body)
        if match.start() > len(body) // 3
    ]
    if not places:
        parts = body.split()
        kept = [word for word in parts if word.lower() not in AUXILIARIES or rng.random() < 0.3]
        return " ".join(kept) + mark
    cut = rng.choice(places)
    head, tail = body[:cut].strip(), body[cut:].strip()
    first, _, rest = head.partition(" ")
    first = first.lower() if first.lower() in _QUESTION_WORDS else first
    return f"{tail[0].upper()}{tail[1:]}, {first} {rest}".rstrip() + mark
