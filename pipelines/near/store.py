"""The index on disk: one SQLite file for each taxonomy, below the cache folder.

In: the cache folder and the taxonomy's root. Out: an open ``Index``. A file that is damaged, of another
version or of another taxonomy is set aside under ``.aside``, and said; the index is built anew. Several
processes may use one file; a killed one leaves the state before its last transaction.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from pipelines.near import identity
from pipelines.near.index import Index
from pipelines.near.sql import SCHEMA

try:
    import fcntl
except ImportError:  # Windows: nobody else is waited for when a damaged index is set aside
    fcntl = None  # type: ignore[assignment]

# Raised when the schema, the keys or the signatures change.
VERSION = 3
PATIENCE = 60.0

Say = Callable[[str], None]


class Unusable(Exception):
    """The index cannot be used now; the text is a sentence. Nothing in it was changed."""


def open_index(path: Path, root: Path, *, create: bool, say: Say) -> Index | None:
    """The index in ``path``; None where there is none and ``create`` does not say to begin one."""
    try:
        try:
            if path.exists():
                return _open(path, root)
            return _create(path, root) if create else None
        except _Unfit as error:
            set_aside(path)
            say(f"{error} It was set aside as {path.name}.aside.")
        return _create(path, root) if create else None
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


def _create(path: Path, root: Path) -> Index:
    """An empty index, put into place whole; where another process was quicker, that one's."""
    import tempfile  # brings shutil, which opening one does without

    path.parent.mkdir(parents=True, exist_ok=True)
    ignore = path.parent / ".gitignore"  # Git sees nothing here, whatever the repository ignores
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        new = Path(folder) / path.name
        connection = sqlite3.connect(new, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")  # small writes at half the price
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO meta VALUES('root', ?)", (identity(root),))
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.close()
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
    return _open(path, root)


def _open(path: Path, root: Path) -> Index:
    with contextlib.ExitStack() as stack:
        stack.enter_context(_lock(path, exclusive=False))
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        stack.callback(connection.close)
        try:
            _begin(connection, root)
        except sqlite3.DatabaseError as error:
            if is_refusal(error):
                raise
            raise _Unfit(f"The index of near-duplicates {path} is damaged ({error}).") from error
        return Index(connection, stack.pop_all().close)


def is_damage(error: Exception | None) -> bool:
    """Whether an error says that the file's content is bad: SQLite's, or a value that cannot be."""
    if isinstance(error, sqlite3.OperationalError):
        return "no such" in str(error) or "decode" in str(error)
    return isinstance(error, (sqlite3.DatabaseError, TypeError, ValueError, LookupError))


def is_refusal(error: Exception | None) -> bool:
    """Whether SQLite could not work, with nothing wrong in the file: locked, or the disk full."""
    return isinstance(error, sqlite3.Error) and not is_damage(error)


def _begin(connection: sqlite3.Connection, root: Path) -> None:
    """See that the file is an index, and this taxonomy's."""
    for pragma in ("cache_size = -32768", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}")
    if connection.execute("PRAGMA user_version").fetchone() != (VERSION,):
        raise _Unfit("The index of near-duplicates was written by another version of Graft.")
    named = connection.execute("SELECT value FROM meta WHERE name = 'root'").fetchone()
    if named != (identity(root),):
        raise _Unfit("The index of near-duplicates belongs to another taxonomy.")


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
