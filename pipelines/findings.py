"""The records that a check of leaves needs: a tree comes in, findings go out.

They stand apart from ``records``, which gives them on, because building its many classes would take a
quarter of the time that ``graft check ONE_FILE`` has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Severity = Literal["error", "warning"]
Json = dict[str, Any]


def as_json(record: Any) -> Any:
    """A record as plain JSON types; keys are the field names."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {f.name: as_json(getattr(record, f.name)) for f in dataclasses.fields(record)}
    if isinstance(record, Mapping):
        return {str(key): as_json(value) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        return [as_json(value) for value in record]
    return record


class Tree(Protocol):
    """A taxonomy at one moment: a folder on disk or a Git commit. Paths are POSIX, from its root."""

    def read(self, path: str) -> bytes:
        """The bytes of a regular file; ``FileNotFoundError`` for anything else, symlinks included."""
        ...

    def files(self, under: str = "") -> Iterator[str]:
        """Sorted paths of the regular files below ``under``; never through a symlink."""
        ...


@dataclass(frozen=True, slots=True)
class Attribution:
    """One block of attribution.txt."""

    title: str
    link: str
    revision: str
    licence: str
    creators: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in a leaf, told so that its author can mend it. Line and column from 1."""

    rule: str
    severity: Severity
    path: str
    line: int
    column: int
    message: str
    hint: str = ""
