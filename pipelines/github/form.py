"""The body of an issue that was filled in through a form → its fields by id; plain text in, text out.

In: the forms of this repository (``.github/ISSUE_TEMPLATE/*.yml``, for their labels) and an issue's body as
GitHub renders it: ``### Label``, an empty line, the value. Out: a ``Filled``. A body is the word of a
stranger: where a value holds a line that reads like a heading of the form it cannot be told which is which,
and that is said instead of guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.author.scalars import refuse_unwritable, tidy
from pipelines.errors import GraftError
from pipelines.yaml_source import read_yaml

FORMS = Path(".github/ISSUE_TEMPLATE")
KINDS = ("knowledge", "skill", "correction")  # the forms that are answered, by their file's name
MOST = 65_536  # characters of an issue's body, at GitHub
_NOTHING = "_No response_"
_TICKED = re.compile(r"^[ \t]*[-*] \[[xX]\]", re.MULTILINE)
_SAID = re.compile(r"^[ \t]*[*_]{0,2}([QAC])[*_]{0,2}[ \t]*[:：][*_]{0,2}[ \t]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Form:
    """One issue form: its ``kind``, and the label of each field by id, in order."""

    kind: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Filled:
    """What a person wrote; ``problems`` are sentences for that person, and then ``values`` lack some."""

    kind: str
    values: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def signed(self) -> bool:
        """Whether the box of the Developer Certificate of Origin is ticked."""
        return bool(_TICKED.search(self["dco"]))


@dataclass(frozen=True, slots=True)
class Said:
    """A question with its answer, and the context it was given under."""

    question: str
    answer: str
    context: str = ""


def read_forms(folder: Path) -> tuple[Form, ...]:
    """The forms of ``KINDS`` in ``folder``; ``GraftError`` where there is none."""
    found = [
        Form(kind, labels)
        for kind in KINDS
        if (folder / f"{kind}.yml").is_file() and (labels := _labels(folder / f"{kind}.yml"))
    ]
    if not found:
        raise GraftError(
            f"{folder} holds none of {', '.join(f'{kind}.yml' for kind in KINDS)}; run this in a checkout "
            "of the repository, or name the folder with --forms."
        )
    return tuple(found)


def _labels(path: Path) -> dict[str, str]:
    """Fields by id; what has no id is text between them."""
    reading = read_yaml(path.read_bytes(), str(path))
    data: Any = reading.source.data if reading.source else None
    body = data.get("body") if isinstance(data, dict) else None
    fields = [one for one in body or () if isinstance(one, dict) and isinstance(one.get("id"), str)]
    return {one["id"]: tidy(str(one.get("attributes", {}).get("label", ""))) for one in fields}


def parse(body: str, forms: Sequence[Form]) -> Filled | None:
    """The fields of the form that the body was made with; None where it was made with none."""
    if len(body) > MOST:
        return Filled(
            "", {}, (f"The issue is longer than {MOST} characters; attach the document.",)
        )
    lines = tidy(body).split("\n")
    scored = [(_known(lines, form), -at, form) for at, form in enumerate(forms)]
    share, _, form = max(scored, key=lambda one: one[:2])
    return _filled(lines, form) if share >= 0.6 else None


def _known(lines: Sequence[str], form: Form) -> float:
    """The share of the form's headings that the body holds."""
    headings = {f"### {label}" for label in form.labels.values()}
    return len(headings & set(lines)) / len(headings)


def _filled(lines: Sequence[str], form: Form) -> Filled:
    problems: list[str] = []
    places: list[tuple[int, str]] = []
    for name, label in form.labels.items():
        at = [number for number, line in enumerate(lines) if line == f"### {label}"]
        if not at:
            problems.append(
                f"The heading “### {label}” is missing; put it back above its text (the issue's history "
                "has it), or file the form anew."
            )
        elif len(at) > 1:
            problems.append(
                f"The line “### {label}” stands {len(at)} times in the issue, and only the form may "
                "have it; write it in another way where it is part of your text, as in "
                f"“#### {label}”."
            )
        else:
            places.append((at[0], name))
    if places != sorted(places):
        problems.append(
            "The headings of the form are out of order; put them back, or file it anew."
        )
    if problems:
        return Filled(form.kind, {}, tuple(problems))
    ends = [at for at, _ in places[1:]] + [len(lines)]
    values = {
        name: _value(lines[at + 1 : end]) for (at, name), end in zip(places, ends, strict=True)
    }
    for name, value in values.items():
        try:
            refuse_unwritable(value, f"“{form.labels[name]}”")
        except GraftError as error:
            problems.append(str(error))
    return Filled(form.kind, values, tuple(problems))


def _value(lines: Sequence[str]) -> str:
    value = tidy("\n".join(lines))
    return "" if value == _NOTHING else value


def pairs(text: str) -> tuple[list[Said], list[str]]:
    """``C:``/``Q:``/``A:`` paragraphs → pairs in order, and a sentence on each that is incomplete.

    A context holds for the questions below it, until the next one.
    """
    text = text.replace(
        "\u200b", ""
    )  # which our own answer puts into what might be obeyed in a log
    found: list[Said] = []
    problems: list[str] = []
    context = question = ""
    marks = list(_SAID.finditer(text))
    before = tidy(_unfenced(text[: marks[0].start()] if marks else text))
    if before:
        problems.append(
            f"“{_start(before)}” stands above the first “Q:”; begin each question with “Q:” and its "
            "answer, on a line of its own, with “A:”."
        )
    ends = [*(mark.start() for mark in marks[1:]), len(text)][: len(marks)]
    for mark, end in zip(marks, ends, strict=True):
        said, sign = tidy(_unfenced(text[mark.end() : end])), mark[1]
        if sign == "A" and question and said:
            found.append(Said(question, said, context))
        elif sign == "A":
            problems.append(f"The answer “{_start(said)}” has no question, or is empty.")
        elif question:
            problems.append(f"The question “{_start(question)}” has no answer.")
        if sign == "C":
            context = said
        question = said if sign == "Q" else ""
    if question:
        problems.append(f"The question “{_start(question)}” has no answer.")
    return found, problems


def _unfenced(text: str) -> str:
    """Without the fences of a code block that was copied whole."""
    return re.sub(r"^[ \t]*(?:`{3,}|~{3,})\w*[ \t]*$", "", text, flags=re.MULTILINE)


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:60]}…"
