"""What an answer's text says: parsers, each giving the rows that it found and raw what it could not read.

In: the raw text. Out: ``(rows, unread)`` as ``steps.Parser`` says. No parser pairs a field of one block
with a field of another: what does not add up is given back with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pipelines.backends import tagged
from pipelines.generate.steps import Parser, Unread
from pipelines.records import Json

Rows = tuple[list[dict[str, str]], list[str]]
NOTHING_FOUND = "nothing in the answer has the form that was asked for"


def tags(columns: Sequence[str]) -> Parser:
    """``[COLUMN] … [END]``: every block whole, or given back."""
    return partial(tagged.parse, tags=tuple(columns))


def whole(column: str) -> Parser:
    """The answer as it is, as one column."""
    return partial(_whole, column)


def _whole(column: str, text: str) -> Rows:
    return ([{column: text.strip()}], []) if text.strip() else ([], [])


def pattern(regex: str, columns: Sequence[str], strip: Sequence[str]) -> Parser:
    """Each match of ``regex`` is a row, a group a column; the marks of ``strip`` are taken out."""
    return partial(_pattern, re.compile(regex, re.DOTALL), tuple(columns), tuple(strip))


def _pattern(
    regex: re.Pattern[str], columns: Sequence[str], strip: Sequence[str], text: str
) -> Rows:
    good: list[dict[str, str]] = []
    bad: list[str] = []
    for match in regex.finditer(text):
        found = match.groups() if regex.groups else (match[0],)
        values = [_cleaned(value or "", strip) for value in found]
        if all(values[: len(columns)]):
            good.append(dict(zip(columns, values, strict=False)))
        else:
            bad.append(Unread(match[0], "a part of the match is empty"))
    if not good and not bad and text.strip():
        bad.append(Unread(text.strip(), NOTHING_FOUND))
    return good, bad


def _cleaned(value: str, strip: Sequence[str]) -> str:
    for mark in strip:
        value = value.replace(mark, "")
    return value.strip()


def by_schema(schema: Json, columns: Sequence[str], rows: str) -> Parser:
    """JSON that follows ``schema``: the items of its list ``rows``, or it is itself a list or one row."""
    item = schema
    if rows:
        item = schema.get("properties", {}).get(rows, {}).get("items", {})
    elif schema.get("type") == "array":
        item = schema.get("items", {})
    return partial(_by_schema, _item_check(schema, item), tuple(columns), rows)


def _item_check(schema: Json, item: Json) -> Callable[[Any], bool]:
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator({**item, "$defs": schema.get("$defs", {})}).is_valid


def _by_schema(fits: Callable[[Any], bool], columns: Sequence[str], rows: str, text: str) -> Rows:
    if not text.strip():
        return [], []
    data, whole = _json(text)
    if rows:
        data = data.get(rows) if isinstance(data, dict) else None
    items = data if isinstance(data, list) else [data]
    if data is None or data == "":
        return [], [Unread(text.strip(), NOTHING_FOUND)]
    good: list[dict[str, str]] = []
    bad: list[str] = []
    for number, item in enumerate(items):
        raw = json.dumps(item, ensure_ascii=False)
        if not whole and number == len(items) - 1:
            bad.append(Unread(raw, "the answer was cut off here"))
            continue
        values = [_text(item.get(column)) for column in columns] if isinstance(item, dict) else [""]
        if all(values) and fits(item):
            good.append(dict(zip(columns, values, strict=True)))
        else:
            bad.append(Unread(raw, "does not follow the schema"))
    return good, bad


def _json(text: str) -> tuple[Any, bool]:
    """What JSON the text holds, mended where it can be, and whether it was closed at its end."""
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    if not starts:
        return None, True
    body = text[min(starts) :]
    end = max(body.rfind("}"), body.rfind("]"))
    try:
        return json.loads(body[: end + 1]), True
    except ValueError:
        from json_repair import loads

        closed = body.rstrip().rstrip("`").rstrip().endswith(("}", "]"))
        return loads(body), closed


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value) if isinstance(value, (int, float)) else ""
