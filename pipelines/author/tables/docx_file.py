"""DOCX → a ``Sheet`` for each table of the document's body, in order.

Only ``word/document.xml`` is read, with a parser that refuses entities. Text that was struck by
tracked changes is left out; a cell's paragraphs become lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

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

_BODY = "word/document.xml"
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_TABLE, _ROW, _CELL, _PARAGRAPH = (f"{_WORD}{name}" for name in ("tbl", "tr", "tc", "p"))
_SIGNS = {f"{_WORD}tab": "\t", f"{_WORD}br": "\n", f"{_WORD}cr": "\n", f"{_WORD}noBreakHyphen": "‑"}
# What was struck, tables of their own, and the second form in which Word keeps a text box.
_SKIPPED = {f"{_WORD}{name}" for name in ("del", "moveFrom", "instrText", "tbl", "pict")} | {
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
}


def read(path: Path, reading: Reading) -> list[Sheet]:
    """The tables by their number; tables inside a cell are read as tables of their own."""
    body = _parsed(path)
    try:
        return list(_tables(body, path))
    except RecursionError:
        raise UsageError(f"{path} is nested too deep for a table; save the table alone.") from None


def _tables(body: Element, path: Path) -> Iterator[Sheet]:
    for number, table in enumerate(body.iter(_TABLE), start=1):
        rows = []
        for place, row in enumerate(_children(table, _ROW), start=1):
            if place > MAX_ROWS:
                raise too_many_rows(path)
            cells = list(_children(row, _CELL))[:MAX_COLUMNS]
            rows.append(Row(place, tuple(text for cell in cells for text in _cell(cell))))
        yield Sheet(f"table {number}", tuple(rows))


def _parsed(path: Path) -> Element:
    try:
        from defusedxml.common import DefusedXmlException
        from defusedxml.ElementTree import fromstring
    except ImportError:
        raise UsageError(
            "Reading DOCX needs defusedxml: pip install 'graft-taxonomy[author]', or save the table "
            "as CSV."
        ) from None
    with opened_zip(path, "DOCX") as archive:
        try:
            data = archive.read(_BODY)
            return fromstring(data, forbid_dtd=True)
        except KeyError:
            raise UsageError(f"{path} is no DOCX file; save it again from Word.") from None
        except (ParseError, DefusedXmlException):
            raise UsageError(f"{path} is damaged; save it again from Word.") from None


def _children(element: Element, tag: str) -> Iterator[Element]:
    """Children of a kind, also those in content controls and tracked insertions, in order."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in {f"{_WORD}sdt", f"{_WORD}sdtContent", f"{_WORD}ins", f"{_WORD}customXml"}:
            yield from _children(child, tag)


def _cell(cell: Element) -> Iterator[str]:
    """The text of a cell, and "" for each further column that it spans."""
    yield "\n".join(_text(paragraph) for paragraph in _children(cell, _PARAGRAPH)).strip()
    span = cell.find(f"{_WORD}tcPr/{_WORD}gridSpan")
    columns = span.get(f"{_WORD}val", "1") if span is not None else "1"
    for _ in range(min(int(columns), MAX_COLUMNS) - 1 if columns.isdecimal() else 0):
        yield ""


def _text(element: Element) -> str:
    parts = []
    for child in element:
        if child.tag == f"{_WORD}t":
            parts.append(child.text or "")
        elif child.tag in _SIGNS:
            parts.append(_SIGNS[child.tag])
        elif child.tag not in _SKIPPED:
            parts.append(_text(child))
    return "".join(parts)
