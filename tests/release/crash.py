"""Publish a second release over and over, each time killed at the next step that touches the disk.

In: a folder. Out: ``folder/<n>/target``, each as a publish left it that was killed with SIGKILL at
its n-th step; the last one was not killed. Run as ``python -m tests.release.crash FOLDER``; it
forks, and so wants a process without threads.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from pipelines.records import Manifest
from pipelines.release.targets import open_target
from tests.release.builders import build

FIRST = {"knowledge/danube": "a river"}
SECOND = {**FIRST, "knowledge/octopus": "eight arms"}
STEPS = ("os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.chmod", "open", "shutil.")


def prepare(folder: Path) -> Manifest:
    """A target that holds a first release, and a second one, built and not published."""
    target = open_target(f"folder:{folder / 'target'}")
    first = build(folder / "first", target, leaves=FIRST)
    if target.head() is None:
        target.publish(folder / "first", first)
    return build(
        folder / "second",
        target,
        "v2026.01.02",
        leaves=SECOND,
        previous=first.release,
        continues=first.release,
    )


def die_at(step: int, root: Path) -> None:
    """Kill this process at the ``step``-th event of ``STEPS`` that touches ``root``, before it."""
    left = step

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event.startswith(STEPS) and any(str(root) in str(value) for value in arguments):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def main(parent: Path) -> None:
    step = 0
    while True:
        step += 1
        folder = parent / str(step)
        second = prepare(folder)
        child = os.fork()
        if child == 0:
            die_at(step, folder / "target")
            open_target(f"folder:{folder / 'target'}").publish(folder / "second", second)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
