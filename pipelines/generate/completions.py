"""The call store: every answer of a teacher, committed on arrival, keyed by what determined it.

One SQLite file in WAL mode. The first answer to a key wins; a second process reads it back. A store
that SQLite cannot read is set aside under another name and said so: it is an accelerator, never the
truth.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from pipelines.backends import Backend, Call
from pipelines.errors import GraftError

T = TypeVar("T")
_CHUNK = 500  # keys a query: under SQLite's limit on variables


class Completions:
    """Answers of ``backend``, asked at most once for each key. ``made`` and ``reused`` count."""

    def __init__(self, path: Path, backend: Backend) -> None:
        self.path = path
        self.backend = backend
        self.made = 0
        self.reused = 0
        self.set_aside: Path | None = None
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as error:
            self._db = self._fresh(error)

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GraftError(f"The cache {self.path.parent} cannot be made: {error}.") from error
        db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(
                "CREATE TABLE IF NOT EXISTS answers "
                "(key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID"
            )
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _fresh(self, error: sqlite3.DatabaseError) -> sqlite3.Connection:
        if isinstance(error, sqlite3.OperationalError):
            raise GraftError(
                f"The call store {self.path} cannot be used: {error}. Free the disk; run again."
            ) from error
        self.set_aside = self.path.with_suffix(".damaged")
        self.path.replace(self.set_aside)
        return self._open()

    def answers(self, calls: Sequence[Call]) -> list[str]:
        """One answer for each call, in order; only keys never asked before reach the backend."""
        keys = [call.key for call in calls]
        known = self._sound(lambda: self._known(sorted(set(keys))))
        missing = {key: call for key, call in zip(keys, calls, strict=True) if key not in known}
        texts = self.backend.answer(list(missing.values()))
        fresh = dict(zip(missing, texts, strict=True))
        self._sound(lambda: self._keep(fresh))
        known |= fresh | self._sound(lambda: self._known(sorted(fresh)))
        self.made += len(fresh)
        self.reused += len(set(keys)) - len(fresh)
        return [known[key] for key in keys]

    def _sound(self, action: Callable[[], T]) -> T:
        """Do it; where that shows the store to be damaged, do it again on a fresh one."""
        try:
            return action()
        except sqlite3.DatabaseError as error:
            self._db.close()
            self._db = self._fresh(error)
            return action()

    def _keep(self, fresh: Mapping[str, str]) -> None:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", fresh.items())
            self._db.execute("COMMIT")

    def _known(self, keys: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(keys), _CHUNK):
            part = keys[start : start + _CHUNK]
            marks = ",".join("?" * len(part))
            found.update(
                self._db.execute(f"SELECT key, text FROM answers WHERE key IN ({marks})", part)
            )
        return found

    def __enter__(self) -> Completions:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()
