"""The index on disk: one SQLite file for each taxonomy, below the cache folder.

In: the cache folder and the taxonomy's root. Out: an open ``Index``. A file that is damaged, of another
version or of another taxonomy is set aside under ``.aside``, and said; the index is built anew. Several
processes may use one file; a killed one leaves the state before its last transaction.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from pipelines.near.index import SCHEMA, Index

try:
    import fcntl
except ImportError:  # Windows: nobody else is waited for when a damaged index is set aside
    fcntl = None  # type: ignore[assignment]

# Raised when the schema, the keys or the signatures change.
VERSION = 1
PATIENCE = 60.0

Say = Callable[[str], None]


class Unusable(Exception):
    """The index cannot be used now; the text is a sentence. Nothing in it was changed."""


def index_path(cache: Path, root: Path) -> Path:
    """Where the index of the taxonomy in ``root`` lies."""
    named = os.fsencode(root.resolve())
    return cache / "near" / f"{hashlib.sha256(named).hexdigest()[:16]}.sqlite"


def open_index(path: Path, root: Path, *, create: bool, say: Say) -> Index | None:
    """The index in ``path``; None where there is none and ``create`` does not say to begin one."""
    if not create and not path.is_file():
        return None
    try:
        _prepare(path.parent)
        try:
            return _open(path, root)
        except _Unfit as error:
            set_aside(path)
            say(f"{error} It was set aside as {path.name}.aside.")
        return _open(path, root) if create else None
    except (OSError, sqlite3.Error) as error:
        raise Unusable(f"The index {path} cannot be used ({error}).") from error


def memory_index() -> Index:
    """An index that ends with the process."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    return Index(connection, connection.close)


def set_aside(path: Path) -> None:
    """Rename an index that is no good; ``Unusable`` while another process has it open."""
    # SQLite's rollback journal goes by the file's name: renaming a database in use would damage both.
    with _lock(path, exclusive=True):
        os.replace(path, f"{path}.aside")
        for ending in ("-journal", "-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)


class _Unfit(Exception):
    """The file is no index that this program can use for this taxonomy; the text is a sentence."""


def _prepare(folder: Path) -> None:
    """Make the cache folder; Git does not see what lies in it, whatever the repository ignores."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def _open(path: Path, root: Path) -> Index:
    with contextlib.ExitStack() as stack:
        stack.enter_context(_lock(path, exclusive=False))
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        stack.callback(connection.close)
        try:
            _begin(connection, root)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and not is_damage(error):
                raise
            raise _Unfit(f"The index of near-duplicates {path} is damaged ({error}).") from error
        return Index(connection, stack.pop_all().close)


def is_damage(error: Exception) -> bool:
    """Whether an error says that the file's content is bad, not that it is locked or the disk full."""
    if isinstance(error, sqlite3.OperationalError):
        return "no such" in str(error) or "decode" in str(error)
    return True


def _begin(connection: sqlite3.Connection, root: Path) -> None:
    """Fill a new file with the schema; refuse one that another version or taxonomy has filled."""
    for pragma in ("cache_size = -32768", "temp_store = MEMORY", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}")
    named = str(root.resolve()).encode("utf-8", "surrogateescape")
    if _version(connection) == 0:
        connection.execute("BEGIN IMMEDIATE")
        if _version(connection) == 0:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES('root', ?)", (named,))
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    if _version(connection) != VERSION:
        raise _Unfit("The index of near-duplicates was written by another version of Graft.")
    row = connection.execute("SELECT value FROM meta WHERE name = 'root'").fetchone()
    if row is None or row[0] != named:
        raise _Unfit("The index of near-duplicates belongs to another taxonomy.")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def _lock(path: Path, *, exclusive: bool) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    with open(f"{path}.lock", "a", encoding="utf-8") as stream:
        try:
            # Who wants it alone does not wait for checks that may take minutes.
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
        except BlockingIOError:
            raise Unusable(f"The index {path} is in another process's hands.") from None
        yield
