"""Reshapes: the columns of one row in, those of one row or several out; nothing is asked, no row is lost.

A row's values are text. Where a column holds another value, as InstructLab's flows may have it, its text
is JSON; ``value_of`` reads it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from pipelines.generate.steps import Row, Setting

Columns = Mapping[str, str]
Change = Callable[[Columns], Sequence[Columns]]


def flatten(columns: Sequence[str], value: str, variable: str) -> Change:
    """A row for each of ``columns``: what stood there as ``value``, which column it was as ``variable``."""

    def change(row: Columns) -> list[Columns]:
        others = {name: text for name, text in row.items() if name not in columns}
        return [{**others, variable: name, value: row[name]} for name in columns]

    return change


def copy(columns: Mapping[str, str]) -> Change:
    """From → to, one after the other."""

    def change(row: Columns) -> list[Columns]:
        made = dict(row)
        for source, target in columns.items():
            made[target] = made[source]
        return [made]

    return change


def rename(columns: Mapping[str, str]) -> Change:
    """From → to, all at once."""

    def change(row: Columns) -> list[Columns]:
        kept = {name: text for name, text in row.items() if name not in columns}
        return [kept | {target: row[source] for source, target in columns.items()}]

    return change


def combine(columns: Sequence[str], into: str, separator: str) -> Change:
    return lambda row: [{**row, into: separator.join(row[name] for name in columns)}]


def drop(columns: Sequence[str]) -> Change:
    """Without these; one that is not there is no mistake."""
    return lambda row: [{name: text for name, text in row.items() if name not in columns}]


def choose(by: str, columns: Mapping[str, str], into: str) -> Change:
    """What ``by`` says names the column whose value goes ``into``."""
    return lambda row: [{**row, into: row[columns[row[by]]]}]


def populate(by: str, sets: Mapping[str, Columns]) -> Change:
    """What ``by`` says names the set of columns that is added."""
    return lambda row: [{**row, **sets[row[by]]}]


def known(by: str, choices: Mapping[str, object]) -> Callable[[Row, Setting], str]:
    """The filter that goes before ``choose`` and ``populate``: what ``by`` says is among the choices."""

    def test(row: Row, setting: Setting) -> str:
        said = row.columns[by]
        return "" if said in choices else f"{by} is {said[:60]!r}, for which nothing is named"

    return test


def repeat(times: int) -> Change:
    return lambda row: [row] * times


def fill(column: str, text: str) -> Change:
    """The same value in every row."""
    return lambda row: [{**row, column: text}]


def convert(column: str, read: Callable[[str], Any]) -> Change:
    """The column as another value, kept as JSON."""
    return lambda row: [{**row, column: json.dumps(read(row[column]))}]


def value_of(is_json: bool, text: str) -> Any:
    return json.loads(text) if is_json else text


def reader(is_json: bool) -> Callable[[str], Any]:
    """A column's text → its value."""
    return partial(value_of, is_json)
