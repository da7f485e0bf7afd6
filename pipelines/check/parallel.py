"""Many leaves, several processes → the findings of all.

In: a work tree on disk and its leaves. Out: findings, in any order. Each worker reads leaves itself and
sends back findings alone, so that memory does not grow with the tree. A worker that dies is reported.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.check.leafwise import check_leaf
from pipelines.check.policy import Policy
from pipelines.check.subject import Mode, files_below
from pipelines.errors import GraftError
from pipelines.findings import Finding
from pipelines.near.entries import LeafEntries
from pipelines.work_tree import WorkTree

# Below this a check is over before a second process would have started.
WORTH_IT = 600
_CHUNK = 50

# A leaf's folder and the files below it.
_Part = tuple[str, tuple[str, ...]]


def processors() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def check_in_parallel(
    root: Path, leaves: Sequence[str], files: Sequence[str], policy: Policy, how: tuple[str, int]
) -> Iterator[Finding | LeafEntries]:
    """Findings of ``leaves``; ``how`` is the name of the mode and the number of processes.

    ``GraftError`` where a worker dies: what it had in hand is not known to be checked.
    """
    # Only here: a small check never pays for these imports.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    name, jobs = how
    chunks = [
        [(leaf, files_below(files, leaf)) for leaf in leaves[start : start + _CHUNK]]
        for start in range(0, len(leaves), _CHUNK)
    ]
    # A fresh interpreter each: a fork would copy whatever threads and locks the caller has.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _begin, (root, policy, name))
    try:
        for found in pool.map(_check_chunk, chunks):
            yield from found
    except BrokenProcessPool:
        raise GraftError(
            "A worker process was ended from outside or crashed, so not every leaf was checked; "
            "run again, with --jobs 1 where memory is short."
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Worker:
    """What a worker process keeps between chunks."""

    tree: WorkTree
    policy: Policy
    mode: Mode


def _begin(root: Path, policy: Policy, name: str) -> None:
    # Ctrl-C reaches every process: the first one answers it, and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from pipelines.check import MODES

    _Worker.tree, _Worker.policy, _Worker.mode = WorkTree(root), policy, MODES[name]


def _check_chunk(chunk: Sequence[_Part]) -> list[Finding | LeafEntries]:
    return [
        finding
        for leaf, files in chunk
        for finding in check_leaf(_Worker.tree, leaf, files, _Worker.policy, _Worker.mode)
    ]
