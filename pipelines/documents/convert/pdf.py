"""PDF → Markdown by its text: paragraphs joined from lines, words from hyphens, headings by size of type.

Columns, tables and formulas come in the order in which the file writes them; docling does better there.
"""

from __future__ import annotations

import ctypes
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw

from pipelines.documents.convert.sandbox import Refused

_LARGER = 1.15  # a heading's type against that of the text
_HEADING_WORDS = 16
_END = re.compile(r"[.!?:;…。！？][\"'”’»)\]]*$")


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: float
    top: float
    page: int


def convert(data: bytes, pages: int) -> str:
    """Markdown of the whole file; nothing where its pages are pictures."""
    try:
        document = pypdfium2.PdfDocument(io.BytesIO(data))
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Refused("it is locked by a password.") from None
        raise
    if len(document) > pages:
        raise Refused(f"it has {len(document)} pages, and {pages} are allowed.")
    lines = [line for number in range(len(document)) for line in _lines(document, number)]
    return "".join(f"{block}\n\n" for block in _blocks(lines)).rstrip() + "\n" if lines else ""


def _lines(document: pypdfium2.PdfDocument, number: int) -> Iterator[_Line]:
    page = document[number]
    text = page.get_textpage()
    count = text.count_chars()
    content = text.get_text_range(0, count) if count else ""
    at = 0
    for raw in content.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        shown = re.sub(r"\s+", " ", re.sub(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]", "", raw)).strip()
        if shown:
            first = at + len(raw) - len(raw.lstrip())
            yield _Line(shown, _size(text, first), _top(text, first), number)
        at += len(raw) + 2  # PDFium ends a line with two characters
    text.close()
    page.close()


def _size(text: pypdfium2.PdfTextPage, index: int) -> float:
    return round(float(pypdfium2.raw.FPDFText_GetFontSize(text, index)), 1)


def _top(text: pypdfium2.PdfTextPage, index: int) -> float:
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pypdfium2.raw.FPDFText_GetCharBox(text, index, left, right, bottom, top)
    return bottom.value


def _blocks(lines: list[_Line]) -> Iterator[str]:
    """Headings and paragraphs. A paragraph goes on over a page's end while its sentence does."""
    weights: Counter[float] = Counter()
    for line in lines:
        weights[line.size] += len(line.text)
    body = weights.most_common(1)[0][0]
    larger = sorted({line.size for line in lines if line.size > body * _LARGER}, reverse=True)
    paragraph = ""
    before: _Line | None = None
    for line in lines:
        level = larger.index(line.size) + 1 if line.size in larger else 0
        heading = level and len(line.text.split()) <= _HEADING_WORDS
        if before is not None and paragraph and (heading or _parted(before, line, paragraph)):
            yield paragraph
            paragraph = ""
        if heading:
            yield f"{'#' * min(level, 6)} {line.text}"
            before = None
            continue
        paragraph = _joined(paragraph, line.text)
        before = line
    if paragraph:
        yield paragraph


def _parted(before: _Line, line: _Line, paragraph: str) -> bool:
    """Whether a new paragraph begins: a gap of more than a line, or a new page after a full stop."""
    if before.page != line.page:
        return bool(_END.search(paragraph))
    gap = before.top - line.top
    return gap > 1.9 * max(before.size, line.size, 1) or gap < -line.size


def _joined(paragraph: str, text: str) -> str:
    if re.search(r"\w[-\u00ad\u2010]$", paragraph) and text[:1].islower():
        return paragraph[:-1] + text
    return f"{paragraph} {text}" if paragraph else text
