"""Looking after the call store: what it holds, what may go, and carrying it to another machine.

In: the store's path. Out: ``Stats``; how many answers went; a portable file: gzip over JSON lines, a header
and then one answer a line, sorted by key, so that the same answers give the same bytes.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import sqlite3
import tempfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipelines.artifacts import canonical_json, said
from pipelines.errors import GraftError
from pipelines.generate.completions import deflated, inflated
from pipelines.generate.database import COLUMNS, INSERT, open_database, unusable
from pipelines.generate.portable import HEADER, LONGEST, answer_of

CALL = re.compile(rb'"calls":\[([^\]]*)\]')
KEY = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Share:
    """What one model gave for one task."""

    model: str
    revision: str
    task: str
    answers: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Stats:
    """``oldest`` and ``newest`` in seconds since 1970, 0 where nobody noted the time; size in bytes."""

    answers: int
    size: int
    oldest: int
    newest: int
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Stale:
    """Which answers may go; where several are given all must hold. ``before`` as in ``Stats``."""

    before: int | None = None
    model: str | None = None
    used: Collection[str] | None = None


def stats(path: Path) -> Stats:
    """What the store holds."""
    with _open(path) as db:
        counted = db.execute(
            "SELECT model, revision, task, COUNT(*), SUM(prompt_tokens), SUM(completion_tokens) "
            "FROM answers GROUP BY model, revision, task ORDER BY model, revision, task"
        )
        shares = tuple(Share(*row) for row in counted)
        oldest, newest = db.execute("SELECT MIN(at), MAX(at) FROM answers").fetchone()
        return Stats(sum(s.answers for s in shares), _size(path), oldest or 0, newest or 0, shares)


def prune(path: Path, stale: Stale, *, dry_run: bool) -> tuple[int, int, int]:
    """Delete stale answers: how many, and the bytes of the file before and after."""
    before = _size(path)
    with _open(path) as db:
        where, values = ["1"], []
        if stale.before is not None:
            where.append("at < ?")
            values.append(str(stale.before))
        if stale.model is not None:
            where.append("model = ?")
            values.append(stale.model)
        if stale.used is not None:
            db.execute("CREATE TEMP TABLE used (key TEXT PRIMARY KEY) WITHOUT ROWID")
            db.execute("BEGIN")
            db.executemany("INSERT OR IGNORE INTO used VALUES (?)", ((k,) for k in stale.used))
            db.execute("COMMIT")
            where.append("key NOT IN (SELECT key FROM used)")
        condition = " AND ".join(where)
        (gone,) = db.execute(f"SELECT COUNT(*) FROM answers WHERE {condition}", values).fetchone()
        if gone and not dry_run:
            db.execute(f"DELETE FROM answers WHERE {condition}", values)
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return gone, before, _size(path)


def forget(path: Path, keys: Collection[str], texts: Collection[str]) -> int:
    """Delete the answers to these calls, and all whose prompt holds one of the texts; how many."""
    with _open(path) as db:
        gone = set(keys)
        for key, prompt in db.execute("SELECT key, prompt FROM answers") if texts else ():
            said = "\n".join(str(turn.get("content", "")) for turn in inflated(prompt))
            if any(text in said for text in texts):
                gone.add(key)
        count = 0
        db.execute("BEGIN IMMEDIATE")
        for key in gone:
            count += db.execute("DELETE FROM answers WHERE key = ?", (key,)).rowcount
        db.execute("COMMIT")
        db.execute("VACUUM")  # else the text would stay in the file's free pages
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return count


def export(path: Path, out: Path) -> int:
    """Write every answer into ``out``, which is replaced in one step; how many there are."""
    count = 0
    # No name and no time in gzip's own header: the same answers, the same bytes.
    with (
        _open(path) as db,
        _replaced(out) as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
    ):
        packed.write(canonical_json(HEADER) + b"\n")
        for row in db.execute(f"SELECT {', '.join(COLUMNS)} FROM answers ORDER BY key"):
            values = dict(zip(COLUMNS, row, strict=True))
            values["prompt"] = inflated(values["prompt"]) or None
            packed.write(canonical_json(values) + b"\n")
            count += 1
    return count


def import_answers(path: Path, source: Path) -> tuple[int, int]:
    """Take in the answers of an exported file: how many were new, how many known; the first one counts.

    ``GraftError`` with the line where the file is damaged or no such file; then none is taken in.
    """
    new = known = 0
    with _open(path) as db:
        db.execute("BEGIN IMMEDIATE")
        try:
            for values in _answers(source):
                prompt = values["prompt"]
                values["prompt"] = None if prompt is None else deflated(prompt)
                if db.execute(INSERT, values).rowcount:
                    new += 1
                else:
                    known += 1
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    return new, known


def named_calls(rows: bytes) -> set[str]:
    """The keys that rows or rejects name, from their JSON lines."""
    return {key.decode() for found in CALL.finditer(rows) for key in KEY.findall(found[1])}


def _answers(source: Path) -> Iterator[dict[str, Any]]:
    """Each answer of an exported file, held to its form."""
    number = 1
    try:
        with gzip.open(source, "rb") as stream:
            if stream.readline(LONGEST) != canonical_json(HEADER) + b"\n":
                raise GraftError(f"{source}:1: this is no export of a call store of this version.")
            while line := stream.readline(LONGEST + 1):
                number += 1
                values = answer_of(line)
                if isinstance(values, str):
                    raise GraftError(f"{source}:{number}: {values} Nothing was imported.")
                yield values
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise GraftError(
            f"{source}:{number + 1}: the file is damaged or cut off ({error}). Nothing was imported."
        ) from error
    except OSError as error:
        raise GraftError(f"{source} cannot be read: {error.strerror or error}.") from error


@contextlib.contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_database(path)
    if opened.set_aside:
        opened.db.close()
        raise GraftError(
            f"The call store {path} was damaged, and is set aside: {opened.set_aside}."
        )
    try:
        yield opened.db
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    finally:
        opened.db.close()


@contextlib.contextmanager
def _replaced(out: Path) -> Iterator[IO[bytes]]:
    with said(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(name, 0o644)
            os.replace(name, out)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _size(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
