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
from pipelines.generate.database import INSERT, is_damage, open_database, unusable
from pipelines.records import Json, Message

T = TypeVar("T")


class Completions:
    """Answers, asked for at most once for each key. ``made`` and ``reused`` count the asking."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made = 0
        self.reused = 0
        self.set_aside: Path | None = None
        self._under_way: dict[str, asyncio.Future[Answer]] = {}
        self._open(None)

    def _open(self, damaged: int | None) -> None:
        opened = open_database(self.path, damaged)
        self._db, self._inode = opened.db, opened.inode
        self.set_aside = opened.set_aside or self.set_aside

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
        query = "SELECT prompt FROM answers WHERE key = ?"
        row = self._sound(lambda: self._db.execute(query, (key,)).fetchone())
        return [] if row is None else inflated(row[0])

    def recorded(self, key: str) -> Json | None:
        """Task, model, prompt and answer of a call, for people; None where the store lacks it."""
        query = "SELECT task, model, prompt, text FROM answers WHERE key = ?"
        row = self._sound(lambda: self._db.execute(query, (key,)).fetchone())
        if row is None:
            return None
        task, model, prompt, text = row
        return {"task": task, "model": model, "prompt": inflated(prompt) or None, "answer": text}

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
        """Do it; where that shows the store to be damaged, do it again on a fresh one.

        ``GraftError`` for a full disk and its like: nothing is lost then but the one answer.
        """
        try:
            return action()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise unusable(self.path, error) from error
        self._db.close()
        self._open(self._inode)
        try:
            return action()
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

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
            "prompt": deflated(call.messages),
            "at": int(time.time()),
        }
        done = self._db.execute(INSERT, values)
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


def deflated(messages: Sequence[Message] | list[Json]) -> bytes:
    """Messages as the column ``prompt`` holds them."""
    # A small window: the set-up of a large one would cost more than the work.
    deflate = zlib.compressobj(1, zlib.DEFLATED, 13, 6)
    return deflate.compress(canonical_json(messages)) + deflate.flush()


def inflated(prompt: bytes | None) -> list[Json]:
    """The messages in a column ``prompt``; empty where there are none that can be read."""
    try:
        return [] if prompt is None else json.loads(zlib.decompress(prompt))
    except (zlib.error, ValueError, TypeError):
        return []
