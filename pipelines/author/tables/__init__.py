"""Tables of questions and answers: a CSV, XLSX or DOCX file → ``Sheet`` records.

A format is one module with ``read`` and a line in ``FORMATS``. A sheet's rows keep the numbers that a
person sees; what a cell holds is text, and whatever was not text there is told in ``notes``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipelines.author.tables import csv_file, docx_file, xlsx_file
from pipelines.author.tables.sheet import Reading, Sheet
from pipelines.errors import UsageError

MAX_MEGABYTES = 20

FORMATS: dict[str, Callable[[Path, Reading], list[Sheet]]] = {
    ".csv": csv_file.read,
    ".tsv": csv_file.read,
    ".txt": csv_file.read,
    ".xlsx": xlsx_file.read,
    ".xlsm": xlsx_file.read,
    ".docx": docx_file.read,
}


def read_tables(path: Path, reading: Reading) -> list[Sheet]:
    """Every table of the file; ``UsageError`` in one sentence where it cannot be read."""
    known = ", ".join(FORMATS)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        instead = " Save it as .xlsx." if suffix in (".xls", ".ods") else ""
        instead = " Save it as .docx." if suffix in (".doc", ".odt", ".rtf") else instead
        raise UsageError(f"{path}: tables can be read from {known}.{instead}")
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UsageError(f"{path} is not a file.")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None
    if size > MAX_MEGABYTES * 1_000_000:
        raise UsageError(f"{path} is larger than {MAX_MEGABYTES} MB; split it.")
    return FORMATS[suffix](path, reading)
