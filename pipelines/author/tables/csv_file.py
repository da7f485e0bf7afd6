"""CSV → one ``Sheet``. Encoding and delimiter are found out, with care, unless the user names them.

UTF-8 with or without a byte-order mark, and UTF-16 with one, are read as they are. What is neither is
not guessed: a wrong guess would spoil every accent without a word.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pipelines.author.tables.sheet import MAX_ROWS, Reading, Row, Sheet, too_many_rows
from pipelines.errors import UsageError

_DELIMITERS = ",;\t|"
_SAMPLE = 200  # rows that the delimiter is judged by
_MAX_FIELD = 1_000_000
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


def read(path: Path, reading: Reading) -> list[Sheet]:
    """The one table of the file."""
    text = _decoded(path, reading.encoding)
    if "\0" in text:
        raise UsageError(
            f"{path} holds NUL characters, so it is no text file; save it as CSV again."
        )
    delimiter = _NAMES.get(reading.delimiter.lower(), reading.delimiter) or _sniffed(text)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UsageError(f"--delimiter {delimiter[:20]!r}: give one character, or the word tab.")
    rows = []
    try:
        for number, cells in enumerate(_parsed(text, delimiter), start=1):
            if number > MAX_ROWS:
                raise too_many_rows(path)
            rows.append(Row(number, tuple(cells)))
    except csv.Error as error:
        raise UsageError(
            f"{path}, row {len(rows) + 1}: this is not valid CSV ({error}); a text that holds quotes "
            "needs each of them twice."
        ) from None
    return [Sheet("", tuple(rows))]


def _decoded(path: Path, encoding: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None
    if not encoding:
        utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        encoding = "utf-16" if utf16 else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{path}, line {line}: this is not {error.encoding.upper()}. Save it as CSV UTF-8, or, "
            "where it comes from an older program on Windows, say --encoding cp1252."
        ) from None
    except (LookupError, UnicodeError):
        raise UsageError(
            f"--encoding {encoding[:40]!r} is not known; take utf-8 or cp1252."
        ) from None


def _parsed(text: str, delimiter: str) -> Iterator[list[str]]:
    # The limit is the module's own global; a field of the default size would be a fault's sign too.
    csv.field_size_limit(_MAX_FIELD)
    return iter(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def _sniffed(text: str) -> str:
    """The delimiter that cuts most rows into the same number of columns, two or more."""
    best, best_share = ",", 0.0
    for delimiter in _DELIMITERS:
        counts: Counter[int] = Counter()
        try:
            for number, cells in enumerate(_parsed(text, delimiter)):
                if number >= _SAMPLE:
                    break
                counts[len(cells)] += bool(cells)
        except csv.Error:
            continue
        several = {columns: rows for columns, rows in counts.items() if columns > 1}
        share = max(several.values(), default=0) / max(1, sum(counts.values()))
        if share > best_share + 1e-9:
            best, best_share = delimiter, share
    return best
