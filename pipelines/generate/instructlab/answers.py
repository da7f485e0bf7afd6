"""What InstructLab's blocks read in an answer: tags from the prompt file, or a pattern of the block.

They pair the first match of one column with the first of the next, whatever stands where. Where the columns
take turns, or stand in blocks of equal length, so do we; elsewhere a row is only made of what stands
together, and what is left over is given back with the reason.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pipelines.generate.parsers import NOTHING_FOUND, Rows
from pipelines.generate.steps import Parser, Unread

IRREGULAR = "the columns do not occur equally often or in turn, and these not together"


@dataclass(frozen=True, slots=True)
class Tags:
    """Where a column begins and ends; both "" means that it is the whole answer."""

    column: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class _Found:
    column: str
    start: int
    value: str


def tagged(tags: Sequence[Tags]) -> Parser:
    return partial(_tagged, tuple(tags))


def _tagged(tags: Sequence[Tags], text: str) -> Rows:
    text = text.strip()
    if not text:
        return [], []
    found = {tag.column: _matches(tag, text) for tag in tags}
    numbers = {len(matches) for matches in found.values()}
    if numbers == {0}:
        return [], [Unread(text, NOTHING_FOUND)]
    order = sorted(
        (match for matches in found.values() for match in matches), key=lambda match: match.start
    )
    if len(numbers) == 1 and _regular([match.column for match in order], len(tags)):
        rows = zip(*found.values(), strict=True)
        return [{match.column: match.value for match in row} for row in rows], []
    if order[0].column != tags[0].column:
        return [], [Unread(text, IRREGULAR)]
    return _together(order, len(tags), text)


def _regular(columns: list[str], number: int) -> bool:
    """Whether the columns take turns, or stand one after the other."""
    turns = columns[:number] * (len(columns) // number)
    blocks = [column for column, _ in itertools.groupby(columns)]
    return columns == turns or len(blocks) == number


def _matches(tag: Tags, text: str) -> list[_Found]:
    if not tag.start and not tag.end:
        return [_Found(tag.column, 0, text)]
    pattern = re.escape(tag.start) + r"(.*?)" + re.escape(tag.end)
    return [
        _Found(tag.column, match.start(), match[1].strip())
        for match in re.finditer(pattern, text, re.DOTALL)
    ]


def _together(found: list[_Found], columns: int, text: str) -> Rows:
    """Rows of what stands between one match of the first column and the next."""
    lead = found[0].column
    groups: list[list[_Found]] = []
    for match in found:
        if match.column == lead:
            groups.append([])
        groups[-1].append(match)
    good: list[dict[str, str]] = []
    bad: list[str] = []
    ends = [group[0].start for group in groups[1:]] + [len(text)]
    for group, end in zip(groups, ends, strict=True):
        if len(group) == columns == len({match.column for match in group}):
            good.append({match.column: match.value for match in group})
        else:
            raw = text[group[0].start : end].strip()
            bad.append(Unread(raw, IRREGULAR))
    return good, bad


def matched(regex: str, columns: Sequence[str], cleanup: Sequence[str]) -> Parser:
    return partial(_matched, re.compile(regex, re.DOTALL), tuple(columns), tuple(cleanup))


def _matched(
    regex: re.Pattern[str], columns: Sequence[str], cleanup: Sequence[str], text: str
) -> Rows:
    """With one group or none a match is the first column, and nothing is cleaned: so does InstructLab."""
    text = text.strip()
    rows = []
    for found in regex.findall(text):
        parts = [found] if isinstance(found, str) else found
        values = [part.strip() for part in parts]
        for mark in cleanup if not isinstance(found, str) else ():
            values = [value.replace(mark, "") for value in values]
        rows.append(dict(zip(columns, values, strict=False)))
    return rows, ([Unread(text, NOTHING_FOUND)] if text and not rows else [])


def message(column: str) -> Parser:
    """A chat answer as it came."""
    return lambda text: ([{column: text}], []) if text else ([], [])
