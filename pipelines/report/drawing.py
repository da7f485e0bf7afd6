"""What a chart is before it is written: elements with their places; templates/parts.jinja writes the SVG.

Nothing here is escaped, and nothing has a colour: classes get theirs from report.css, for light, dark and
paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.report.escape import one_line

WIDTH, LEFT, RIGHT = 360, 12, 348


@dataclass(frozen=True, slots=True)
class Mark:
    """One SVG element: its name, its attributes, the text in it."""

    tag: str
    where: Mapping[str, str]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Marks that belong together; ``told`` is shown to a pointer that rests on them."""

    marks: tuple[Mark, ...]
    told: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of the width ``WIDTH``; ``told`` says in words what it shows, ``name`` makes ids unique."""

    name: str
    title: str
    told: str
    height: int
    groups: tuple[Group, ...]


def mark(tag: str, kind: str, **where: float | str) -> Mark:
    """An element of the class ``kind``; numbers are rounded to what can be seen."""
    places = {key: at if isinstance(at, str) else f"{at:.1f}" for key, at in where.items()}
    return Mark(tag, {"class": kind, **places})


def line(kind: str, start: tuple[float, float], end: tuple[float, float]) -> Mark:
    return mark("line", kind, x1=start[0], y1=start[1], x2=end[0], y2=end[1])


def words(kind: str, x: float, y: float, text: str, anchor: str = "start") -> Mark:
    """A text that starts, ends or has its middle at ``x``."""
    place = mark("text", kind, x=x, y=y)
    return Mark("text", {**place.where, "text-anchor": anchor}, text)


def end_of(text: str, limit: int) -> str:
    """The end of a long path says more than its beginning."""
    line = one_line(text)
    return line if len(line) <= limit else "…" + line[-(limit - 1) :]
