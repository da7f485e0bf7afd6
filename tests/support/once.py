"""What takes seconds to make is made once for all processes of a test session, and then only read.

In: pytest's base folder and a name. Out: the folder of that name, made by whoever came first.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def once(scratch: Path, name: str, make: Callable[[Path], object]) -> Path:
    """The folder, after ``make`` has made it; another process waits meanwhile."""
    # Of pytest-xdist each worker has a base folder of its own inside the session's.
    top = scratch.parent if "PYTEST_XDIST_WORKER" in os.environ else scratch
    place, made = top / name, top / f"{name}.made"
    with open(top / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(place, ignore_errors=True)  # of one that failed
            make(place)
            made.touch()
        fcntl.flock(lock, fcntl.LOCK_UN)  # a child forked meanwhile may hold the file open
    return place
