"""Wrong choices for a question: things of the same kind that the same document speaks of.

In: the question, its right answer and ``kind: text`` lines of what else there is. Out: three wrong answers
in the right one's manner, or none where there are no three. Numbers take the right answer's unit.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from pipelines import text
from pipelines.backends.extractive.reading import FUNCTION, PREPOSITIONS

WRONG = ("wrong_a", "wrong_b", "wrong_c")
_OPENINGS = {"when": "date", "where": "place", "who": "name", "whom": "name", "whose": "name"}
_NUMBER_WORDS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred "
    "thousand million billion dozen"
).split()
_NUMBER = re.compile(rf"\d[\d.,]*(?<=\d)|\b(?:{'|'.join(_NUMBER_WORDS)})\b", re.IGNORECASE)
_MONTH = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b"
)
_YEAR = re.compile(r"^\D*[12]\d{3}s?\D*$")


def distractors(question: str, answer: str, siblings: str, rng: random.Random) -> list[str]:
    """Three wrong answers, those most like the right one in shape; empty where there are fewer."""
    things = [line.partition(": ")[::2] for line in siblings.splitlines()]
    kind = _kind(question, answer)
    found: dict[str, str] = {}
    for other, said in things:
        if _alike(kind, other) and _whole(kind, said):
            wrong = _counted(answer, said) if kind == "number" else _led(answer, said)
            if wrong and apart(wrong, [answer, question]):
                found.setdefault(text.normalise(wrong), wrong)
    ordered = sorted(found.values(), key=lambda wrong: (_unlike(wrong, answer), rng.random()))
    chosen: list[str] = []
    for wrong in ordered:
        if apart(wrong, chosen):
            chosen.append(wrong)
    return chosen[: len(WRONG)] if len(chosen) >= len(WRONG) else []


def apart(one: str, others: Sequence[str]) -> bool:
    """Whether ``one`` neither contains nor is contained in any of ``others``, as words."""
    words = f" {text.normalise(one)} "
    spoken = [f" {text.normalise(other)} " for other in others]
    return bool(words.strip()) and not any(words in other or other in words for other in spoken)


def _kind(question: str, answer: str) -> str:
    opening = next(iter(text.tokens(question)), "")
    if opening in _OPENINGS:
        return _OPENINGS[opening]
    if _MONTH.search(answer) or _YEAR.match(answer):
        return "date"
    if _NUMBER.search(answer):
        return "number"
    return "name" if re.search(r"\b[A-Z]", answer) else ""


def _alike(kind: str, other: str) -> bool:
    """A name after "in" is taken for a place, which is a guess: either may stand for the other."""
    return kind == other or {kind, other} == {"name", "place"}


def _whole(kind: str, said: str) -> bool:
    """Whether a thing is what it was taken for: no month among names, nothing cut off."""
    if kind in ("name", "place") and _MONTH.search(said):
        return False
    return said.split()[-1].lower() not in FUNCTION and not said.endswith(("'s", "’s"))


def _led(answer: str, said: str) -> str:
    """The thing after the right answer's own preposition: "in 1910" beside "in 1785"."""
    first, last = answer.split()[0], said.split()[0]
    leads = first.lower() in PREPOSITIONS and last.lower() not in PREPOSITIONS
    return f"{first} {said}" if leads else said


def _counted(answer: str, said: str) -> str:
    """The right answer with the other's number in it; "" where they are the same number."""
    number, mine = _NUMBER.search(said), _NUMBER.search(answer)
    if number is None or mine is None or number[0].lower() == mine[0].lower():
        return ""
    return answer[: mine.start()] + number[0] + answer[mine.end() :]


def _unlike(wrong: str, answer: str) -> int:
    """How much the two differ in shape: words, digits, capitals."""

    def shape(said: str) -> tuple[int, int, int]:
        return len(said.split()), sum(map(str.isdigit, said)), sum(map(str.isupper, said))

    return sum(abs(one - other) for one, other in zip(shape(wrong), shape(answer), strict=True))
