"""The browser for transcripts: exam results in, the rows of a table for each leaf out.

Every row can be read without the script; it only adds filters and a search (report.js). Words of an
answer that are not expected are marked. Nothing is escaped here; templates/transcripts.jinja does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.records import ItemResult
from pipelines.report import view
from pipelines.report.escape import cut, one_line
from pipelines.report.inputs import ReportInput
from pipelines.text import tokens

WORD = re.compile(r"\S+|\s+")
COLUMNS = ("Result", "Question", "Expected", "Base", "Previous", "Candidate")

# Runs of words, and whether they are not in the expected answer.
Answer = tuple[tuple[bool, str], ...]
AS_BEFORE: Answer = ((False, "="),)


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is shown: characters of a text, items of a leaf whose answers did not change sides."""

    text: int
    same: int


# Tried in turn until the page is small enough to be opened and passed on.
AMOUNTS = (
    Amount(4000, 10_000),
    Amount(600, 10_000),
    Amount(160, 10_000),
    Amount(60, 20),
    Amount(40, 2),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One item. ``kind`` is what the filters know it by, "" where the answers are alike."""

    kind: str
    result: str
    question: str
    expected: str
    answers: tuple[Answer, Answer, Answer]


@dataclass(frozen=True, slots=True)
class LeafRows:
    """A leaf's items in reading order; ``left_out`` counts those that there is no room for."""

    name: str
    role: str
    items: int
    won: int
    lost: int
    rows: tuple[Row, ...]
    left_out: int


def transcripts(report: ReportInput, amount: Amount) -> list[LeafRows]:
    """Changed leaves first, then the panel, by path."""
    groups: dict[tuple[str, str], list[ItemResult]] = {}
    for one in view.items_in_order(report.items):
        groups.setdefault((one.item.role, one.item.leaf), []).append(one)
    return [
        _leaf(leaf, role, items, report.why, amount)
        for (role, leaf), items in sorted(groups.items())
    ]


def _leaf(
    leaf: str, role: str, items: list[ItemResult], why: Mapping[str, str], amount: Amount
) -> LeafRows:
    words = [view.flip_word(one) for one in items]
    same = [one.item.id for one, word in zip(items, words, strict=True) if word == "same"]
    left_out = set(same[amount.same :])
    rows = tuple(
        _row(one, why.get(one.item.id, ""), amount.text)
        for one in items
        if one.item.id not in left_out
    )
    counts = words.count("won"), words.count("lost")
    return LeafRows(one_line(leaf, 300), role, len(items), *counts, rows, len(left_out))


def _row(one: ItemResult, why: str, limit: int) -> Row:
    word = view.flip_word(one)
    notes = [word, *(["by the teacher"] if one.item.synthetic else []), *([why] if why else [])]
    if one.judged:
        notes.append(f"judge: {one.judged}")
    expected = set(tokens(one.item.reference[:limit]))
    base = _answer(one.base, expected, limit)
    previous = AS_BEFORE if one.previous == one.base else _answer(one.previous, expected, limit)
    now = AS_BEFORE if one.candidate == one.previous else _answer(one.candidate, expected, limit)
    kind = "" if word == "same" else word.partition(",")[0]
    texts = cut(one.item.prompt, limit), cut(one.item.reference, limit)
    return Row(kind, "; ".join(notes), *texts, (base, previous, now))


def _answer(text: str, expected: set[str], limit: int) -> Answer:
    """The answer, with runs of words that are not expected apart."""
    shown = cut(text.strip()[: 2 * limit], limit)
    if not shown:
        return ((False, view.EMPTY_ANSWER),)
    found = set(tokens(text[:limit]))
    if not found - expected:
        return ((False, shown),)
    if not found & expected:
        return ((True, shown),)
    return _marked(shown, expected)


def _marked(text: str, expected: set[str]) -> Answer:
    parts: list[tuple[bool, str]] = []
    for word in WORD.findall(text):
        strange = bool(word.strip()) and not set(tokens(word)) <= expected
        if parts and (parts[-1][0] == strange or not word.strip()):
            parts[-1] = (parts[-1][0], parts[-1][1] + word)
        else:
            parts.append((strange, word))
    return tuple(parts)
