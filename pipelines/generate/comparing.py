"""Comparisons: a ``keep`` step that holds a column against one value or several.

In: the row's text, as text or as a number. Out: "" where it holds for any of the values, else the reason.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipelines.generate.steps import Row, Setting

# Name in a flow → the comparison, and how a reject says it.
OPERATIONS: Mapping[str, tuple[Callable[[Any, Any], bool], str]] = {
    "equal": (operator.eq, "equal to"),
    "unequal": (operator.ne, "unequal to"),
    "less": (operator.lt, "less than"),
    "at_most": (operator.le, "at most"),
    "more": (operator.gt, "more than"),
    "at_least": (operator.ge, "at least"),
    "contains": (operator.contains, "holding"),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether ``column``, read by ``read``, compares with any of ``values`` by ``operation``."""

    column: str
    operation: str
    values: tuple[Any, ...]
    read: Callable[[str], Any]

    def __call__(self, row: Row, setting: Setting) -> str:
        test, words = OPERATIONS[self.operation]
        text = row.columns[self.column]
        shown = " or ".join(repr(value) for value in self.values)
        try:
            value = self.read(text)
            held = any(test(value, wanted) for wanted in self.values)
        except (TypeError, ValueError):
            return f"{self.column} is {text[:60]!r}, which cannot be compared with {shown}"
        return "" if held else f"{self.column} is {text[:60]!r}, not {words} {shown}"


def compared(
    column: str, operation: str, values: Sequence[Any], kind: str, default: float | None
) -> Comparison:
    """A comparison of the native format: as ``number`` or as ``text``, whose case does not matter."""
    if kind == "number":
        read: Callable[[str], Any] = partial(number, default)
        return Comparison(column, operation, tuple(float(value) for value in values), read)
    return Comparison(column, operation, tuple(folded(str(value)) for value in values), folded)


def number(default: float | None, text: str) -> float:
    """The number that the text is; else ``default``; ``ValueError`` where there is none."""
    try:
        return float(text)
    except ValueError:
        if default is None:
            raise
        return float(default)


def folded(text: str) -> str:
    return text.strip().casefold()
