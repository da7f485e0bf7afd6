"""What a reader of tables gives back, and what the user may say about the file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import UsageError

MAX_ROWS = 50_000
MAX_COLUMNS = 64
MAX_UNPACKED = 100_000_000  # bytes of all members of a zip file, and members
MAX_MEMBERS = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table under the number that a person sees; ``notes`` tell of cells not text."""

    number: int
    cells: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table; ``name`` is "" where the file can hold only one."""

    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the user says about a CSV file: "" means that it is found out."""

    encoding: str = ""
    delimiter: str = ""


@contextmanager
def opened_zip(path: Path, kind: str) -> Iterator[zipfile.ZipFile]:
    """The file as a zip archive that unpacks to a size that can be borne.

    Python's reader gives no more bytes of a member than its entry declares, so the sum is a limit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > MAX_UNPACKED or len(members) > MAX_MEMBERS:
                raise UsageError(
                    f"{path} would unpack to {total // 1_000_000} MB in {len(members)} files, which "
                    "is more than a table needs; save the table alone."
                )
            if any(member.flag_bits & 1 for member in members):
                raise UsageError(f"{path} is locked with a password; save it without one.")
            yield archive
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError):
        raise UsageError(f"{path} is damaged or no {kind} file; save it again.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None


def too_many_rows(path: Path) -> UsageError:
    return UsageError(f"{path} has more than {MAX_ROWS} rows; split it.")
