"""The unfinished leaf of an interrupted wizard: kept after every answer, offered at the next start.

In and out: a ``NewLeaf`` as JSON in the cache folder. A file that cannot be read, or that the person
does not want to go on with, is set aside under another name, never deleted.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.artifacts import pretty_json, write_atomic
from pipelines.author.leaf import NewLeaf, from_json, to_json
from pipelines.errors import UsageError


class Kept:
    """The file in which one unfinished leaf is kept."""

    def __init__(self, cache: Path) -> None:
        self.path = cache / "new.json"

    def load(self) -> NewLeaf | None:
        """The unfinished leaf; None where there is none. One that is damaged is set aside."""
        try:
            return from_json(json.loads(self.path.read_bytes()), str(self.path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError, UsageError):
            self.set_aside()
            return None

    def save(self, leaf: NewLeaf) -> None:
        write_atomic(self.path, pretty_json(to_json(leaf)))

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)

    def set_aside(self) -> Path:
        """Rename the file, so that a new leaf can be begun; gives its new name."""
        number = 1
        while (aside := self.path.with_name(f"new-{number}.json")).exists():
            number += 1
        self.path.rename(aside)
        return aside
