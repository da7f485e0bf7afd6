"""Replace a file in one step: a run that is killed, or a disk that is full, leaves the old one whole.

In: a file, the bytes it held when it was read, the bytes it shall hold. Out: nothing, or one
``GraftError``. The new bytes are written beside the file, flushed, and renamed over it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path

from pipelines.errors import GraftError

_MARK = ".graft-fix."


def write_in_place(path: Path, before: bytes, after: bytes) -> None:
    """Put ``after`` where ``before`` is; owner and mode stay as they are."""
    try:
        _write(path, before, after)
    except OSError as error:
        raise GraftError(
            f"The file cannot be written: {error.strerror or error}. It is as it was."
        ) from error


def _write(path: Path, before: bytes, after: bytes) -> None:
    _clear_away(path)
    if not os.access(path, os.W_OK):
        raise GraftError("The file is write-protected. It is as it was.")
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}{_MARK}")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            # Held for as long as this process lives, so that nobody clears its file away.
            fcntl.flock(stream, fcntl.LOCK_EX)
            old = path.stat(follow_symlinks=False)
            _like(stream.fileno(), old)
            stream.write(after)
            stream.flush()
            os.fsync(stream.fileno())
            if path.is_symlink() or path.read_bytes() != before:
                raise GraftError("The file was changed meanwhile; run the command again.")
            os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _like(descriptor: int, old: os.stat_result) -> None:
    """Give the new file the owner and the mode of the old one."""
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):  # only the superuser may give files away
            os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, old.st_mode & 0o7777)


def _clear_away(path: Path) -> None:
    """Delete what a killed run left beside ``path``; a living run still holds its lock."""
    prefix = f".{path.name}{_MARK}"
    with os.scandir(path.parent) as entries:
        stale = [entry.path for entry in entries if entry.name.startswith(prefix)]
    for name in stale:
        with contextlib.suppress(OSError), open(name, "rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
