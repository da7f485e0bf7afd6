"""Many leaves, several processes → the findings of all.

In: a work tree on disk and its leaves. Out: findings, in any order. Each worker reads leaves itself and
sends back findings alone, so that memory does not grow with the tree. A worker that dies is reported.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.check.leafwise import check_leaf
from pipelines.check.policy import Policy
from pipelines.check.subject import Mode, files_below
from pipelines.errors import GraftError
from pipelines.findings import Finding
from pipelines.near.entries import LeafEntries
from pipelines.work_tree import WorkTree

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

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
    from multiprocessing.connection import wait

    name, jobs = how
    chunks = iter(
        [(leaf, files_below(files, leaf)) for leaf in leaves[start : start + _CHUNK]]
        for start in range(0, len(leaves), _CHUNK)
    )
    # A fresh interpreter each: a fork would copy whatever threads and locks the caller has. A pipe
    # each: with a queue and its lock in common, one that is killed can leave the others waiting.
    context = multiprocessing.get_context("spawn")
    workers = {}
    try:
        for _, first in zip(range(jobs), chunks, strict=False):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, root, policy, name), daemon=True)
            process.start()
            theirs.close()
            ours.send(first)
            workers[ours] = process
        waiting = list(workers)
        while waiting:
            ready = wait(waiting)
            for ours in [connection for connection in waiting if connection in ready]:
                found = ours.recv()
                following = next(chunks, None)
                if following is None:
                    waiting.remove(ours)
                else:
                    ours.send(following)
                yield from found
    except (EOFError, OSError):
        raise GraftError(
            "A worker process was ended from outside or crashed, so not every leaf was checked; "
            "run again, with --jobs 1 where memory is short."
        ) from None
    finally:
        for ours, process in workers.items():
            ours.close()
            process.terminate()
            process.join()


def _work(ours: Connection, root: Path, policy: Policy, name: str) -> None:
    """A worker's life: chunks in, what was found in each out, until the other end is closed."""
    # Ctrl-C reaches every process: the first one answers it, and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from pipelines.check import MODES

    tree, mode = WorkTree(root), MODES[name]
    with suppress(EOFError, ConnectionError):
        while True:
            ours.send(_check_chunk(ours.recv(), tree, policy, mode))


def _check_chunk(
    chunk: Sequence[_Part], tree: WorkTree, policy: Policy, mode: Mode
) -> list[Finding | LeafEntries]:
    return [
        finding for leaf, files in chunk for finding in check_leaf(tree, leaf, files, policy, mode)
    ]
