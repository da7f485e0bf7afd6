"""A taxonomy folder on disk as a ``records.Tree``.

In: the folder. Out: names and bytes of its regular files. Nothing outside of it, nothing hidden, no
symlink, pipe or device is ever read, and no file larger than ``MAX_FILE_BYTES``.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import GraftError

MAX_FILE_BYTES = 64 << 20
_READ_ONLY = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class WorkTree:
    """A taxonomy folder on disk as a ``Tree``; hidden folders and symlinks do not exist for it."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise GraftError(f"There is no taxonomy folder {root}; name another with --taxonomy.")
        self.root = root
        self._real = os.path.realpath(root)

    def read(self, path: str) -> bytes:
        """The bytes of a regular file; ``FileNotFoundError`` for all else, symlinks included."""
        full = self._inside(path)
        if full is None:
            raise FileNotFoundError(errno.ENOENT, "it is not a regular file", path)
        # Never blocks: a pipe or device is refused once it is open, and before it is read.
        try:
            descriptor = os.open(full, _READ_ONLY)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENXIO):  # a link, a socket
                raise
            raise FileNotFoundError(errno.ENOENT, "it is not a regular file", path) from error
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise FileNotFoundError(errno.ENOENT, "it is not a regular file", path)
            if state.st_size > MAX_FILE_BYTES:
                raise OSError(errno.EFBIG, f"it is larger than {MAX_FILE_BYTES >> 20} MB", path)
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(MAX_FILE_BYTES)
        finally:
            os.close(descriptor)

    def files(self, under: str = "") -> Iterator[str]:
        """Sorted paths of the regular files below ``under``; never through a symlink."""
        start = self._inside(under)
        if start is not None and os.path.isdir(start):
            yield from sorted(_walk(start, under))

    def _inside(self, path: str) -> str | None:
        """Where ``path`` lies; None outside this tree, behind a symlink or in a hidden folder."""
        parts = path.split("/")
        if ".." in parts or "\0" in path or any(part.startswith(".") for part in parts[:-1]):
            return None
        full = os.path.normpath(os.path.join(self._real, path))
        # realpath() follows symlinks: a path that changes is not one of this tree.
        return full if _lies_in(full, self._real) and os.path.realpath(full) == full else None


def _lies_in(full: str, folder: str) -> bool:
    return full == folder or full.startswith(os.path.join(folder, ""))


def _walk(folder: str, prefix: str) -> Iterator[str]:
    """Every regular file below ``folder``, in no order; a stack, so that no depth is too deep."""
    waiting = [(folder, prefix)]
    while waiting:
        place, name = waiting.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    path = posixpath.join(name, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith("."):
                            waiting.append((entry.path, path))
                    elif entry.is_file(follow_symlinks=False):
                        yield path
        except OSError as error:
            raise GraftError(f"The folder {place} cannot be listed: {error.strerror}.") from error
