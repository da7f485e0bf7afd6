"""The mirrors of documents' repositories: noted when they are used, and deleted when they have not been.

In: the cache folder and a time. Out: how many mirrors went, and their bytes. What goes is fetched again when
a leaf asks for it.

A mirror's folder bears the time of its last use. Who uses it writes that first, and who deletes looks
at it, each with the folder locked: a mirror in use is thus never an old one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipelines.artifacts import lock
from pipelines.errors import GraftError


def note_use(mirror: Path) -> None:
    """Write down that the mirror is used now; nothing where there is none, or it cannot be written."""
    with contextlib.suppress(OSError), _held(mirror, fcntl.LOCK_SH) as folder:
        os.utime(folder)


def prune_mirrors(cache: Path, before: float, *, dry_run: bool = False) -> tuple[int, int]:
    """Delete the mirrors last used before a time; how many, and the bytes of their files.

    One that another process fetches into is left alone.
    """
    count = total = 0
    for path in sorted((cache / "mirrors").glob("*.lock")):
        mirror = path.with_suffix(".git")
        with contextlib.suppress(GraftError), lock(path, f"the mirror {mirror}"):
            size = _prune(mirror, before, dry_run=dry_run)
            if size is not None:
                count, total = count + 1, total + size
    return count, total


def _prune(mirror: Path, before: float, *, dry_run: bool) -> int | None:
    """The bytes of the mirror, which is gone now; None where it stays."""
    # Under a name that the next fetch sweeps up, should this process be killed.
    aside = mirror.with_name(f".{mirror.name}.pruned")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        with _held(mirror, fcntl.LOCK_EX) as folder:
            if os.fstat(folder).st_mtime >= before:
                return None
            size = sum(path.stat().st_size for path in mirror.rglob("*") if path.is_file())
            if not dry_run:
                os.rename(mirror, aside)
    except FileNotFoundError:
        return None
    shutil.rmtree(aside, ignore_errors=True)
    return size


@contextlib.contextmanager
def _held(folder: Path, how: int) -> Iterator[int]:
    """The folder, open and locked; the kernel frees it when the process ends, however."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, how)
        yield opened
    finally:
        os.close(opened)
