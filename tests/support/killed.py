"""``graft`` that kills itself with SIGKILL before its n-th step that touches the disk here.

    python -m tests.support.killed N WORD…

In: a folder to stand in and a command's words. Out: what such a kill leaves; with N = 0 nothing is
killed, and the file ``steps`` holds how many steps there were.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from pipelines.cli import main

STEPS = ("os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.chmod", "open")


def count_steps(deadly: int) -> list[str]:
    """Die at the ``deadly``-th event that changes ``releases/`` or ``runs/``; the list grows."""
    taken: list[str] = []

    def count(event: str, arguments: tuple[object, ...]) -> None:
        told = str(arguments)
        if event in STEPS and ("releases" in told or "runs/" in told):
            taken.append(event)
            if len(taken) == deadly:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    return taken


if __name__ == "__main__":
    steps = count_steps(int(sys.argv[1]))
    code = main(sys.argv[2:])
    Path("steps").write_text(str(len(steps)), encoding="utf-8")
    sys.exit(code)
