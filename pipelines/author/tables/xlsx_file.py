"""XLSX → a ``Sheet`` for each worksheet that is shown, read row by row.

Values are those that the program which saved the file had computed. A figure or date is written out,
and a note says so: the sheet may have shown it in another form.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.author.tables.sheet import (
    MAX_COLUMNS,
    MAX_ROWS,
    Reading,
    Row,
    Sheet,
    opened_zip,
    too_many_rows,
)
from pipelines.errors import UsageError


def read(path: Path, reading: Reading) -> list[Sheet]:
    """The visible worksheets in their order."""
    load, invalid = _library()
    with opened_zip(path, "XLSX"):
        pass  # its size is borne: openpyxl opens the file itself
    try:
        with path.open("rb") as stream:
            book = load(stream, read_only=True, data_only=True, keep_links=False)
            shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            return [Sheet(sheet.title, tuple(_rows(sheet, path))) for sheet in shown]
    except invalid as error:
        reason = " ".join(str(error).split())[:120]
        raise UsageError(f"{path} cannot be read as XLSX ({reason}); save it again.") from None


def _library() -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        # openpyxl parses with it where it is installed, and must not do without.
        from defusedxml.common import DefusedXmlException
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError:
        raise UsageError(
            "Reading XLSX needs openpyxl and defusedxml: pip install 'graft-taxonomy[author]', or "
            "save the table as CSV."
        ) from None
    # A broken workbook fails in whatever way its parts happen to: none of these is a bug of ours.
    broken = (
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        OSError,
        SyntaxError,
        RuntimeError,
    )
    return load_workbook, (InvalidFileException, DefusedXmlException, *broken)


def _rows(sheet: Any, path: Path) -> Iterator[Row]:
    # The size that a sheet declares may be missing or wrong; without it the rows themselves count.
    sheet.reset_dimensions()
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        if number > MAX_ROWS:
            raise too_many_rows(path)
        texts, notes = [], []
        for column, value in enumerate(cells[:MAX_COLUMNS], start=1):
            text = _text(value)
            texts.append(text)
            if value is not None and not isinstance(value, str):
                kind = "date" if isinstance(value, datetime.date | datetime.time) else "number"
                notes.append(f"column {column} holds a {kind}, written as {text!r}")
        yield Row(number, tuple(texts), tuple(notes))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return str(value.date()) if midnight else value.isoformat(" ", "minutes")
    return str(value)
