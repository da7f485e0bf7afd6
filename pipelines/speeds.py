"""How fast asking and training went on this machine: what a plan's hours come from.

In: rates as they were measured. Out: the last one of a name, from ``speeds.json`` in the cache. It is
an accelerator's note: a file that cannot be read counts as none, and no result depends on it.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from pipelines.artifacts import canonical_json, write_atomic
from pipelines.errors import GraftError

_FILE = "speeds.json"


def measured(cache: Path, name: str) -> float | None:
    """Units a second, as last noted; None where nobody has."""
    found = _read(cache).get(name)
    return found if isinstance(found, float) and found > 0 else None


def note(cache: Path, name: str, units: float, seconds: float) -> None:
    """Remember that so many units took so long; too short a time tells nothing and is passed over."""
    if units <= 0 or seconds < 0.5:
        return
    with contextlib.suppress(GraftError):  # a full disk is told of by who needs it
        rate = round(units / seconds, 3)
        write_atomic(cache / _FILE, canonical_json({**_read(cache), name: rate}))


def _read(cache: Path) -> dict[str, object]:
    try:
        found = json.loads((cache / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
