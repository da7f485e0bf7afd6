"""vetoes.jsonl → the training rows that nobody may be taught again, with reasons.

One JSON object a line, beside graft.yaml: ``row`` (a sample's id), ``leaf`` (the path of the leaf whose row
it was), ``reason`` and ``by``. In: the path, which may be None. Out: ``Vetoes``. Lines are only ever added,
so that branches merge; two of the same row are one, the first's reason told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import GraftError
from pipelines.leaf_files import VETO_FILE as VETO_FILE

MOST_MEGABYTES = 64
LONGEST_REASON = 500
_ROW = re.compile(r"[0-9a-f]{32}")
_KEYS = ("row", "leaf", "reason", "by")


@dataclass(frozen=True, slots=True)
class Veto:
    """One row, where it was, why it may not be taught, and who said so."""

    row: str
    leaf: str
    reason: str
    by: str

    @property
    def told(self) -> str:
        """The reason as the rejects tell it."""
        return f"vetoed: {self.reason} ({self.by})"


@dataclass(frozen=True, slots=True)
class Vetoes:
    """All of them by row id."""

    by_row: Mapping[str, Veto] = field(default_factory=dict)

    @property
    def leaves(self) -> frozenset[str]:
        """The leaves whose released rows they name."""
        return frozenset(veto.leaf for veto in self.by_row.values())


def load_vetoes(path: Path | None) -> Vetoes:
    """The vetoes in ``path``; none where there is no file. ``GraftError`` with the line of a bad one."""
    if path is None:
        return Vetoes()
    found: dict[str, Veto] = {}
    for number, veto in lines_of(veto_bytes(path)):
        if isinstance(veto, str):
            raise GraftError(f"{path}:{number}: {veto}")
        found.setdefault(veto.row, veto)
    return Vetoes(found)


def veto_bytes(path: Path) -> bytes:
    """What is in the file; ``GraftError`` where that cannot be read."""
    try:
        if path.stat().st_size > MOST_MEGABYTES * 1024 * 1024:
            raise GraftError(f"The vetoes {path} are larger than {MOST_MEGABYTES} MB.")
        return path.read_bytes()
    except OSError as error:
        raise GraftError(f"The vetoes {path} cannot be read: {error.strerror or error}.") from error


def lines_of(data: bytes) -> Iterator[tuple[int, Veto | str]]:
    """Each line's number, and its veto or a sentence on what is wrong with it."""
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            yield number, _veto(line)


def _veto(line: bytes) -> Veto | str:
    """One line's veto, or a sentence on what is wrong with it."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return "This is no JSON; write one object a line."
    if not isinstance(data, dict) or data.keys() != set(_KEYS):
        return f"A veto has exactly the keys {', '.join(_KEYS)}."
    for key in _KEYS:
        value = data[key]
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_REASON:
            return f"{key} must be text of 1 to {LONGEST_REASON} characters."
        if not value.isprintable():  # it is shown in reports and logs
            return f"{key} holds a character that cannot be shown."
    if not _ROW.fullmatch(data["row"]):
        return "row must be the whole id of a training row, 32 hexadecimal digits."
    return Veto(data["row"], data["leaf"].strip("/"), data["reason"].strip(), data["by"].strip())
