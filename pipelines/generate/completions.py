"""The call store: every answer of a teacher or judge, committed on arrival, keyed by what determined it.

One SQLite file in WAL mode. The first answer to a key wins; a second process reads it back. A store
that SQLite cannot read is set aside under another name and said so: it is an accelerator, never the
truth.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from pipelines.artifacts import canonical_json
from pipelines.backends import Answer, Backend, Call
from pipelines.errors import GraftError
from pipelines.records import Json

T = TypeVar("T")
# Besides the answer, what `graft trace` and `graft store` tell of a call. `prompt` is the messages'
# JSON, deflated: prompts repeat their document, and would be most of the file.
_COLUMNS = {
    "key": "TEXT PRIMARY KEY",
    "text": "TEXT NOT NULL",
    "task": "TEXT NOT NULL DEFAULT ''",
    "model": "TEXT NOT NULL DEFAULT ''",
    "revision": "TEXT NOT NULL DEFAULT ''",
    "prompt_tokens": "INTEGER NOT NULL DEFAULT 0",
    "completion_tokens": "INTEGER NOT NULL DEFAULT 0",
    "prompt": "BLOB",
    "at": "INTEGER NOT NULL DEFAULT 0",
}


def _deflated(text: bytes) -> bytes:
    """``text`` for ``zlib.decompress``; a small window, as its set-up would cost more than the work."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, 13, 6)
    return deflate.compress(text) + deflate.flush()


def _widen(db: sqlite3.Connection) -> None:
    """Give a store of an earlier version the columns that it lacks."""
    there = {row[1] for row in db.execute("PRAGMA table_info(answers)")}
    if there >= _COLUMNS.keys():
        return
    db.execute("BEGIN IMMEDIATE")  # another process may be at it: look again under the lock
    there = {row[1] for row in db.execute("PRAGMA table_info(answers)")}
    for name, kind in _COLUMNS.items():
        if name not in there:
            db.execute(f"ALTER TABLE answers ADD COLUMN {name} {kind}")
    db.execute("COMMIT")


class Completions:
    """Answers, asked for at most once for each key. ``made`` and ``reused`` count the asking."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made = 0
        self.reused = 0
        self.set_aside: Path | None = None
        self._under_way: dict[str, asyncio.Future[Answer]] = {}
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
            columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
            db.execute(f"CREATE TABLE IF NOT EXISTS answers ({columns}) WITHOUT ROWID")
            _widen(db)
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

    async def answer(self, call: Call, backend: Backend) -> Answer:
        """The stored answer, or that of ``backend``, stored before it is given on.

        Who asks for a key that is under way waits for that answer, or shares its error.
        """
        key = call.key
        waiting = self._under_way.get(key)
        if waiting is not None:
            self.reused += 1
            return await asyncio.shield(waiting)
        known = self._sound(lambda: self._read(key))
        if known is not None:
            self.reused += 1
            return known
        arriving = asyncio.get_running_loop().create_future()
        self._under_way[key] = arriving
        try:
            given = await backend.answer(call)
            kept = self._sound(lambda: self._keep(key, call, given))
        except Exception as error:
            arriving.set_exception(error)
            arriving.exception()  # nobody else may be waiting; then this is not a lost error
            raise
        except BaseException:
            arriving.cancel()
            raise
        finally:
            del self._under_way[key]
        arriving.set_result(kept)
        self.made += 1
        return kept

    def answers(self, calls: Sequence[Call], backend: Backend) -> list[str]:
        """The text of one answer for each call, in order, for callers without an event loop."""

        async def ask() -> list[str]:
            found = await asyncio.gather(*(self.answer(call, backend) for call in calls))
            return [answer.text for answer in found]

        return asyncio.run(ask())

    def prompt(self, key: str) -> list[Json]:
        """The messages that the answer to ``key`` was given to; empty where the store lacks them."""
        row = self._db.execute("SELECT prompt FROM answers WHERE key = ?", (key,)).fetchone()
        return [] if row is None or row[0] is None else json.loads(zlib.decompress(row[0]))

    def read(self, key: str) -> Answer | None:
        """The stored answer to ``key``."""
        return self._sound(lambda: self._read(key))

    def some(self, task: str, model: str, revision: str) -> list[Answer]:
        """Stored answers to a task, for guesses about others: keys are hashes, so the first of them
        are a fair draw, and a large store is not read through."""
        query = (
            "SELECT text, prompt_tokens, completion_tokens FROM (SELECT * FROM answers LIMIT 5000) "
            "WHERE task = ? AND model = ? AND revision = ? LIMIT 200"
        )

        def read() -> list[Answer]:
            found = self._db.execute(query, (task, model, revision)).fetchall()
            return [Answer(*row) for row in found]

        return self._sound(read)

    def _sound(self, action: Callable[[], T]) -> T:
        """Do it; where that shows the store to be damaged, do it again on a fresh one."""
        try:
            return action()
        except sqlite3.DatabaseError as error:
            self._db.close()
            self._db = self._fresh(error)
            return action()

    def _read(self, key: str) -> Answer | None:
        query = "SELECT text, prompt_tokens, completion_tokens FROM answers WHERE key = ?"
        row = self._db.execute(query, (key,)).fetchone()
        return None if row is None else Answer(*row)

    def _keep(self, key: str, call: Call, given: Answer) -> Answer:
        """Store the answer; of two processes that asked at once the first one's counts."""
        values = {
            "key": key,
            "text": given.text,
            "task": call.task,
            "model": call.model,
            "revision": call.revision,
            "prompt_tokens": given.prompt_tokens,
            "completion_tokens": given.completion_tokens,
            "prompt": _deflated(canonical_json(call.messages)),
            "at": int(time.time()),
        }
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        done = self._db.execute(
            f"INSERT OR IGNORE INTO answers ({names}) VALUES ({marks})", list(values.values())
        )
        return given if done.rowcount else self._read(key) or given

    def __enter__(self) -> Completions:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()
