"""What a flow's ``parse`` says → a parser and the columns that it writes, or what is wrong with it.

A list names the tags of a block. A mapping has one of ``answer`` (the whole answer is one column),
``pattern`` with ``columns``, and ``schema`` with ``columns`` and, where the rows are a list, its key.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from pipelines.generate import parsers
from pipelines.generate.draft import At, Draft
from pipelines.generate.steps import Parser
from pipelines.records import Json

_TAG = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Parsing:
    """``schema`` is what the server is asked to follow, where there is one."""

    parse: Parser
    columns: tuple[str, ...]
    schema: Json | None = None


def parser(draft: Draft, entry: Json | list[str], at: At) -> Parsing | None:
    """None where something is wrong, which ``draft`` has then noted."""
    if isinstance(entry, list):
        for name in entry:
            if not _TAG.fullmatch(name):
                draft.wrong(at, f"`{name}` cannot be a tag.", "Use letters, digits and `_`.")
                return None
        return Parsing(parsers.tags(entry), tuple(entry))
    ways = [way for way in ("answer", "pattern", "schema") if way in entry]
    if len(ways) != 1:
        draft.wrong(
            at, "An answer is read in one way.",
            "Give a list of tags, or one of `answer`, `pattern` and `schema`.",
        )  # fmt: skip
        return None
    if ways == ["answer"]:
        return Parsing(parsers.whole(entry["answer"]), (entry["answer"],))
    if "columns" not in entry:
        draft.wrong(at, f"`{ways[0]}` goes with `columns`.", "Add `columns:`.")
        return None
    return (_pattern if ways == ["pattern"] else _schema)(draft, entry, at)


def _pattern(draft: Draft, entry: Json, at: At) -> Parsing | None:
    columns = tuple(entry["columns"])
    groups = pattern_groups(draft, entry["pattern"], (*at, "pattern"))
    if groups is None:
        return None
    if max(groups, 1) != len(columns):
        draft.wrong(
            (*at, "pattern"), f"The pattern has {groups} groups for {len(columns)} columns.",
            "Each group in brackets is one column; (?:…) is none.",
        )  # fmt: skip
        return None
    return Parsing(parsers.pattern(entry["pattern"], columns, entry.get("strip", ())), columns)


def pattern_groups(draft: Draft, regex: str, at: At) -> int | None:
    """How many groups a regular expression has; None, and noted, where it is none."""
    try:
        return re.compile(regex, re.DOTALL).groups
    except re.error as error:
        draft.wrong(at, f"This is no regular expression: {error}.")
        return None


def _schema(draft: Draft, entry: Json, at: At) -> Parsing | None:
    schema = entry["schema"]
    if isinstance(schema, str):
        text = draft.text(schema, (*at, "schema"))
        if text is None:
            return None
        try:
            schema = json.loads(text)
        except ValueError as error:
            draft.wrong((*at, "schema"), f"{schema} is no JSON: {error}.")
            return None
    columns = tuple(entry["columns"])
    try:
        read = parsers.by_schema(schema, columns, entry.get("rows", ""))
    except (ValueError, TypeError, AttributeError) as error:
        draft.wrong(
            (*at, "schema"), f"This is no JSON Schema: {' '.join(str(error).split())[:200]}."
        )
        return None
    return Parsing(read, columns, schema)
