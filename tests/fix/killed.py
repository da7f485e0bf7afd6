"""``graft fix`` over and over, each time killed with SIGKILL at the next step that touches the disk.

In: a taxonomy folder that it would change, and an empty folder. Out: ``<n>/``, a copy of the taxonomy as
a fix left it that was killed before its n-th step; in the last one it was not killed. Run as
``python -m tests.fix.killed TAXONOMY FOLDER``; it forks, and so wants a process without threads.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
from pathlib import Path

from pipelines.cli import main as graft

STEPS = ("open", "os.rename", "os.remove", "os.chmod", "os.scandir", "os.listdir")


def die_at(step: int, root: Path) -> None:
    """Kill this process before the ``step``-th event that touches ``root``, or a descriptor."""
    left = step

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        touches = any(str(root) in str(value) for value in arguments) or event == "os.chmod"
        if event in STEPS and touches:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def main(taxonomy: Path, parent: Path) -> None:
    # Once here, so that no child has to import them again.
    for module in ("pipelines.check.render", "pipelines.fix", "ruamel.yaml"):
        importlib.import_module(module)
    step = 0
    while True:
        step += 1
        folder = parent / str(step)
        shutil.copytree(taxonomy, folder)
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            die_at(step, folder)
            os._exit(graft(["fix", "--taxonomy", str(folder)]))
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
