"""The steps of a flow as pure functions: parse a teacher's text, filter rows, each with a reason.

``FILTERS`` maps a name, as ``flow.yaml`` uses it, to a function of a ``Row`` and its ``Setting``; it
returns "" to keep the row, else the reason why not, in words for a person.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.backends.tagged import parse as parse
from pipelines.text import normalise, tokens, too_close

LONGEST = 2000  # characters of a row: about the student's longest sequence
CONTROL = re.compile(r"<\|[^|<>\s]{1,40}\|>|\[/?INST\]|</?s>")


@dataclass(frozen=True, slots=True)
class Row:
    """One parsed answer: its fields by name, and the calls and seeds that it came from."""

    fields: Mapping[str, str]
    call: str
    seed: str
    document: str = ""
    chunk: int | None = None
    span: tuple[int, int] | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What filters may compare with: the leaf's exam questions (for skills: with their context)."""

    exam: Sequence[str]


def short_enough(row: Row, setting: Setting) -> str:
    """Neither empty nor longer than a student can read."""
    total = sum(map(len, row.fields.values()))
    return f"longer than {LONGEST} characters" if total > LONGEST else ""


def no_control_token(row: Row, setting: Setting) -> str:
    """Nothing that a chat template would read as a turn: contributed text stays text."""
    found = any(CONTROL.search(text) for text in row.fields.values())
    return "holds a control token of a chat template" if found else ""


def grounded(row: Row, setting: Setting) -> str:
    """The answer's words stand in the chunk, and so does every number of it."""
    source = set(tokens(row.source))
    answer = tokens(row.fields["answer"])
    strange = [word for word in answer if word not in source]
    if any(word.isdigit() for word in strange):
        return "a number of the answer does not stand in the text"
    if len(strange) * 2 > len(answer):
        return "the answer does not stand in the text"
    return ""


def not_an_exam_question(row: Row, setting: Setting) -> str:
    """The leak gate: no row asks what the exam asks. An equal answer alone is no leak."""
    asked = "\n".join(row.fields[name] for name in ("context", "question") if row.fields.get(name))
    close = any(too_close(asked, question) for question in setting.exam)
    return "too close to an exam question" if close else ""


FILTERS: dict[str, Callable[[Row, Setting], str]] = {
    "short_enough": short_enough,
    "no_control_token": no_control_token,
    "grounded": grounded,
    "not_an_exam_question": not_an_exam_question,
}


def distinct_key(name: str, row: Row) -> str:
    """What may not recur within a leaf, normalised."""
    names = {"question": ("question",), "context_and_question": ("context", "question")}[name]
    return "\n".join(normalise(row.fields.get(field, "")) for field in names)
