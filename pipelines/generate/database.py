"""The call store's file: opened, widened, set aside; and SQLite's errors in words.

In: a path. Out: a connection in WAL mode. Whoever opens holds a lock beside the file meanwhile, so that two
processes never make, widen or set aside the same file at once.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from pipelines.artifacts import lock
from pipelines.errors import GraftError

# Besides the answer, what `graft trace` and `graft store` tell of a call. `prompt` is the messages'
# JSON, deflated: prompts repeat their document, and would be most of the file.
COLUMNS = {
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
# The first answer to a key counts, whoever gave it.
INSERT = (
    f"INSERT OR IGNORE INTO answers ({', '.join(COLUMNS)}) "
    f"VALUES ({', '.join(f':{name}' for name in COLUMNS)})"
)
MEMORY = ":memory:"
# Pages in the log before SQLite brings them into the file, 16 MB. It waits for the disk then, and everybody
# who waits for an answer with it; a page that changed several times meanwhile is written once.
CHECKPOINT = 4000
_WAIT = 60  # seconds for which another process may hold the file
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_AGAIN = "Run again then: what was answered before is kept."
_MEND = {
    sqlite3.SQLITE_FULL: f"Free the disk. {_AGAIN}",
    sqlite3.SQLITE_IOERR: f"Free or mend the disk. {_AGAIN}",
    sqlite3.SQLITE_BUSY: "Another process holds it; wait for it to end and run again.",
    sqlite3.SQLITE_READONLY: "Make it writable, or name another folder in GRAFT_CACHE.",
    sqlite3.SQLITE_CANTOPEN: "Make it writable, or name another folder in GRAFT_CACHE.",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection, the inode of its file, and where a damaged one before it lies now."""

    db: sqlite3.Connection
    inode: int
    set_aside: Path | None


def open_database(path: Path, damaged: int | None = None) -> Opened:
    """The store in ``path``, made where there is none. ``damaged`` is the inode of a file that showed
    damage: it is set aside, unless another process did that already.

    ``GraftError`` where the place can hold no store now. ``:memory:`` is a store in no file.
    """
    if str(path) == MEMORY:
        return Opened(_connect(path), 0, None)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GraftError(f"The cache {path.parent} cannot be made: {error}.") from error
    with lock(path.with_name(f"{path.name}.lock"), f"the call store {path}", _WAIT):
        aside = None
        if damaged is not None and path.exists() and path.stat().st_ino == damaged:
            aside = _set_aside(path)
        try:
            try:
                db = _connect(path)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                aside = _set_aside(path)
                db = _connect(path)
        except sqlite3.Error as error:
            raise unusable(path, error) from error
        return Opened(db, path.stat().st_ino, aside)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        # A kill loses nothing, a power failure at most the last answers.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        db.execute(f"CREATE TABLE IF NOT EXISTS answers ({columns}) WITHOUT ROWID")
        _widen(db)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _widen(db: sqlite3.Connection) -> None:
    """Give a store of an earlier version the columns that it lacks, all or none."""
    there = {row[1] for row in db.execute("PRAGMA table_info(answers)")}
    if there >= COLUMNS.keys():
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for name, kind in COLUMNS.items():
            if name not in there:
                db.execute(f"ALTER TABLE answers ADD COLUMN {name} {kind}")
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _set_aside(path: Path) -> Path:
    """Rename the file, and its log with it: somebody may want to rescue answers from them."""
    aside = path.with_suffix(".damaged")
    path.replace(aside)
    for end in ("-wal", "-shm"):
        beside = path.with_name(path.name + end)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + end))
    return aside


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is at fault: not the disk, not another process."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return "decode to UTF-8" in str(error)
    return code & 0xFF in _DAMAGE


def unusable(path: Path, error: sqlite3.Error) -> GraftError:
    """One sentence on what is wrong, and one on how to mend it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    mend = _MEND.get(code, "Move it away and run again.")
    return GraftError(f"The call store {path} cannot be used: {error}. {mend}")
