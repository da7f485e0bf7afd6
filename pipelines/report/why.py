"""Why an answer is wrong, for the author of a leaf: an exam result and the leaf's kept rows in, a reason out.

Words are compared and nothing is asked of a model, so this is a hint of where to look and no proof.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.records import ItemResult, Message
from pipelines.text import tokens

NOT_TAUGHT = "not taught"
NOT_LEARNT = "taught, not learnt"
OTHERWISE = "answered otherwise"
MEANINGS = {
    NOT_TAUGHT: "no kept row supports the expected answer",
    NOT_LEARNT: "a kept row supports it, and the model does not say it",
    OTHERWISE: "a kept row supports it, and the answer is near it in other words",
}
NEAR = 0.5  # of token F1
SHORT = 6  # words that must stand together in a row; of a longer answer most must be there
MOST = 0.7
TELLING = 4  # letters of a word that ties a row to a question
ARTICLES = frozenset({"a", "an", "the"})


@dataclass(frozen=True, slots=True)
class TaughtRow:
    """The words of a row: those of its question as a set, those of its answer in order."""

    asked: frozenset[str]
    answer: tuple[str, ...]


def taught(rows: Iterable[tuple[Message, ...]]) -> list[TaughtRow]:
    """Conversations as ``why`` reads them."""
    return [
        TaughtRow(
            frozenset(word for turn in row[:-1] for word in _words(turn.content)),
            tuple(_words(row[-1].content)),
        )
        for row in rows
    ]


def why(result: ItemResult, rows: Iterable[TaughtRow]) -> str:
    """The reason of a wrong answer, a key of ``MEANINGS``; "" for a right one."""
    if result.candidate_scores.exact_match == 1:
        return ""
    expected = tuple(_words(result.item.reference))
    asked = {word for word in _words(result.item.question) if _telling(word)} - set(expected)
    if not any(_supports(row, expected, asked) for row in rows):
        return NOT_TAUGHT
    return OTHERWISE if result.candidate_scores.token_f1 >= NEAR else NOT_LEARNT


def _words(text: str) -> list[str]:
    return [word for word in tokens(text) if word not in ARTICLES]


def _telling(word: str) -> bool:
    """A short word ties nothing together; in scripts without spaces a token is one character."""
    return len(word) >= TELLING or not word.isascii()


def _supports(row: TaughtRow, expected: tuple[str, ...], asked: set[str]) -> bool:
    """Whether the row says what is expected, about something that the question names too."""
    if asked and not asked & (row.asked | set(row.answer)):
        return False
    if len(expected) <= SHORT:
        return f" {' '.join(expected)} " in f" {' '.join(row.answer)} "
    wanted = set(expected)
    return len(wanted & set(row.answer)) >= MOST * len(wanted)
