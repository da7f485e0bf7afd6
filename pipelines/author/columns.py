"""Sheets → rows of question, answer and context, and a reason for every row that cannot be used.

In: the sheets of a file and what the user says about its columns. Out: an ``Import``. No row vanishes:
each one that is not blank is a pair, or stands in ``unused`` with its number and the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.author.leaf import NewSeed
from pipelines.author.scalars import refuse_unwritable, tidy
from pipelines.author.tables.sheet import Row, Sheet
from pipelines.errors import GraftError, UsageError
from pipelines.records import QuestionAnswer
from pipelines.text import normalise

_HEADER_ROWS = 10  # among which a header is looked for
FIELDS = ("question", "answer", "context")
Columns = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Import:
    """``notes`` say what was taken how; ``unused`` is a line for each row that was not taken."""

    seeds: tuple[NewSeed, ...]
    unused: tuple[str, ...]
    notes: tuple[str, ...]


def named_columns(given: str) -> dict[str, str]:
    """``--columns question=Frage,answer=2`` as field → a header's text or a number."""
    found: dict[str, str] = {}
    for part in given.split(",") if given else ():
        name, equals, column = part.partition("=")
        name = name.strip().lower()
        if not equals or name not in FIELDS or not column.strip() or name in found:
            raise UsageError(
                f"--columns {given[:60]}: write question=NAME,answer=NAME and, where there is one, "
                "context=NAME; a NAME is a header or a column's number."
            )
        found[name] = column.strip()
    if found and not {"question", "answer"} <= found.keys():
        raise UsageError("--columns must name the column of the question and that of the answer.")
    return found


def import_rows(
    sheets: Sequence[Sheet], columns: str, wanted: str, *, context: str, known: Sequence[NewSeed]
) -> Import:
    """Pairs from ``wanted`` (a sheet's name; "" for every one with known headers, else the first).

    ``context`` is "needed", "allowed" or "none": what the kind of leaf asks for. ``known`` are the
    seeds that the leaf has already.
    """
    named = named_columns(columns)
    chosen, notes = _chosen(sheets, named, wanted)
    seen = {_key(seed.context, pair): "the leaf" for seed in known for pair in seed.pairs}
    seeds: list[NewSeed] = []
    unused: list[str] = []
    for sheet, places, first in chosen:
        for row in sheet.rows[first:]:
            if not any(cell.strip() for cell in row.cells):
                continue
            where = f"{sheet.name}, row {row.number}" if sheet.name else f"row {row.number}"
            seed = _seed(row, places)
            reason = _unusable(seed, context) or _repeats(seed, seen)
            if reason:
                unused.append(f"{where}: {reason}")
                continue
            seen[_key(seed.context, seed.pairs[0])] = where
            seeds.append(seed)
            notes += [f"{where}: {note}" for note in _notes(row, places)]
    return Import(tuple(seeds), tuple(unused), tuple(notes))


def _chosen(
    sheets: Sequence[Sheet], named: Mapping[str, str], wanted: str
) -> tuple[list[tuple[Sheet, Columns, int]], list[str]]:
    """The sheets to be read with their columns and the index of their first row of data; notes."""
    if wanted:
        sheets = [s for s in sheets if normalise(s.name) == normalise(wanted)] or sheets
        if len(sheets) != 1:
            names = ", ".join(sheet.name for sheet in sheets[:10]) or "none"
            raise UsageError(f"There is no one sheet {wanted[:40]!r}; the file has {names}.")
    sheets = [s for s in sheets if any(cell.strip() for row in s.rows for cell in row.cells)]
    if not sheets:
        raise UsageError("The file holds no table with anything in it.")
    found = [(sheet, *places) for sheet in sheets if (places := _places(sheet, named))]
    if found:
        left = [sheet.name for sheet in sheets if all(sheet is not f[0] for f in found)]
        notes = [f"{name} is left out: it has no such columns." for name in left]
        return found, notes + [note for sheet, _, first in found for note in _above(sheet, first)]
    if named:
        raise UsageError(f"No row has the headers {', '.join(named.values())}; look at --columns.")
    first, *others = sheets
    if max(len(row.cells) for row in first.rows) < 2:
        raise UsageError("The table has one column only; questions and answers need two.")
    told = "No header says question and answer: columns 1 and 2 are taken, from the first row on"
    top = ", ".join(f"{tidy(cell)[:40]!r}" for cell in first.rows[0].cells[:2])
    told += f" ({top}). Where that row is a header, name its columns with --columns."
    notes = [told, *(f"{sheet.name} is left out: only the first is read." for sheet in others)]
    return [(first, {"question": 0, "answer": 1}, 0)], notes


def _above(sheet: Sheet, first: int) -> list[str]:
    """A note for each row with text above the header."""
    rows = [row for row in sheet.rows[: max(0, first - 1)] if any(c.strip() for c in row.cells)]
    where = f"{sheet.name}, row" if sheet.name else "row"
    return [f"{where} {row.number} stands above the header and is left out." for row in rows]


def _places(sheet: Sheet, named: Mapping[str, str]) -> tuple[Columns, int] | None:
    """Field → column (from 0), and the index of the row after the header; None without a header.

    Columns that are all given by number need none, and the first row is data. A title may stand above.
    """
    if named and all(column.isdecimal() for column in named.values()):
        if "0" in named.values():
            raise UsageError("--columns: the first column is number 1.")
        return {name: int(column) - 1 for name, column in named.items()}, 0
    headers = {name: normalise(named.get(name, "" if named else name)) for name in FIELDS}
    for index, row in enumerate(sheet.rows[:_HEADER_ROWS]):
        cells = [normalise(cell) for cell in row.cells]
        plain = [cell.removesuffix("s") for cell in cells] if not named else cells
        places = {n: plain.index(h) for n, h in headers.items() if h and h in plain}
        if places.keys() >= (named.keys() or {"question", "answer"}):
            return places, index + 1
    return None


def _seed(row: Row, places: Columns) -> NewSeed:
    texts = {
        name: tidy(row.cells[column]) if column < len(row.cells) else ""
        for name, column in places.items()
    }
    pair = QuestionAnswer(texts["question"], texts["answer"])
    return NewSeed(texts.get("context", ""), (pair,))


def _unusable(seed: NewSeed, context: str) -> str:
    """Why a row cannot be a seed; "" where it can."""
    pair = seed.pairs[0]
    for name, text in (("question", pair.question), ("answer", pair.answer)):
        if not text:
            return f"the {name} is empty"
        if text in ("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"):
            return f"the {name} is the error {text} of a formula"
    if context == "needed" and not seed.context:
        return "the context is empty, and this kind of leaf needs one"
    if context == "none" and seed.context:
        return "it has a context, and this kind of leaf takes none"
    try:
        for text in (pair.question, pair.answer, seed.context):
            refuse_unwritable(text, "it")
    except GraftError as error:
        return str(error)
    return ""


def _repeats(seed: NewSeed, seen: Mapping[tuple[str, str, str], str]) -> str:
    where = seen.get(_key(seed.context, seed.pairs[0]))
    return f"the same question and answer stand in {where}" if where else ""


def _key(context: str, pair: QuestionAnswer) -> tuple[str, str, str]:
    return " ".join(context.split()), pair.question, pair.answer


def _notes(row: Row, places: Columns) -> list[str]:
    taken = tuple(f"column {column + 1} " for column in places.values())
    return [note for note in row.notes if note.startswith(taken)]
