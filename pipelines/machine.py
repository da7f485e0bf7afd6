"""How much memory a process may still take here, in bytes: read, never guessed."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def free_memory() -> float:
    """Bytes that a process may still take: the machine's, or its container's where that has fewer."""
    found = [_meminfo(), _container()]
    known = [value for value in found if value is not None]
    if known:
        return min(known)
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _meminfo() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024.0 * int(line.split()[1]) for line in lines if "MemAvailable" in line), None)


def _container() -> float | None:
    try:
        limit = (_CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if limit == "max" else float(int(limit) - used)
