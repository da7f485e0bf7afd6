"""Which of many questions on a passage read most like a person's.

In: questions with their answers. Out: a measure of each, and the best few, each about another fact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pipelines import text
from pipelines.backends.extractive.tagging import parts_of_speech

Pair = tuple[str, str]

# A sentence's first word in the midst of a question: its words were thrown together.
_STRAY = re.compile(r"(?<=\w )(?:The|It|Its|In|On|At|A|An|They|This|These|Of|By|For|As)\b")
# A question that ends in the midst of a phrase.
_HANGING = re.compile(r"\b(?:he|she|it|they|him|her|them|the|a|an|of|by|to|and|or|whose|which)\?$")
_AUXILIARIES = frozenset("was were is are did does do had has have can could will would".split())
_ASKING = frozenset(
    "who whom whose what when where why which how in at on by from for to with under during".split()
)


def naturalness(question: str, passage: str, title: str) -> float:
    """How much a question reads like a person's: its length, its beginning, words in their order."""
    words = text.tokens(question)
    if not words:
        return 0.0
    score = 1.0 if words[0] in _ASKING else 0.0
    score += 1.0 if 6 <= len(words) <= 18 else 0.0
    score -= len(words) - len(set(words))  # a word said twice
    score -= len(_STRAY.findall(question))
    said = set(words)
    score += 0.5 if said & set(text.tokens(title)) else 0.0
    # Runs of two words that the passage has too: keywords thrown together have none.
    pairs = text.ngrams(words[1:], 2)
    score += 2.0 * len(pairs & text.ngrams(text.tokens(passage), 2)) / max(1, len(pairs))
    return score


def examinable(question: str, answer: str) -> bool:
    """Whether grammar alone can be trusted with the pair: who did, when, where, how many; answered by a
    name or a number. Others ask for the wrong thing too often to count in an exam."""
    words = question.rstrip("?").split()
    if len(words) < 5 or _STRAY.search(question) or _HANGING.search(question):
        return False
    opening, second = words[0].lower(), words[1].lower()
    named = re.search(r"\b[A-Z]", answer) is not None
    if opening == "who":
        return named and "VERB" in parts_of_speech(second) and second not in _AUXILIARIES
    if opening in ("when", "where"):
        told = named if opening == "where" else any(map(str.isdigit, answer))
        # "Where is the reef a danger?": what follows a form of "be" is seldom a place.
        return (
            told and second in _AUXILIARIES and (opening == "when" or second not in ("is", "are"))
        )
    things = [word for word in words[2:4] if len(word) > 3 and word.endswith("s")]
    return opening == "how" and second == "many" and bool(things)


def best(proposed: Iterable[Pair], passage: str, title: str) -> Iterator[Pair]:
    """From the most natural question down, those that ask for another fact than any before.

    Left out is what gives its answer away, and what is nearly a question that came before.
    """
    ordered = sorted(
        proposed, key=lambda pair: (-naturalness(pair[0], passage, title), pair[0], pair[1])
    )
    asked: list[str] = []
    told: list[str] = []
    for question, answer in ordered:
        normal = text.normalise(answer)
        if not normal or normal in text.normalise(question):
            continue
        if any(normal in other or other in normal for other in told):
            continue
        if any(text.too_close(question, other) for other in asked):
            continue
        asked.append(question)
        told.append(normal)
        yield question, answer
