"""A program and all that it starts, ended with certainty: ``python guard.py PROGRAM ARGUMENT …``.

The program leads a process group of its own. It runs until it ends by itself, or until standard input
does: that is a pipe which only the process that started this one holds, so it ends with that process even
where that is killed. Then the group gets TERM and, where that is not enough, KILL. Imports nothing of
Graft. Exit code: the program's; 127 where it cannot be started.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

GRACE = 10.0  # seconds between TERM and KILL


class _Stop(Exception):
    """This process was told to end."""


def main(words: list[str]) -> int:
    """Run the program and end its group."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, process_group=0)
    except OSError as error:
        print(f"{words[0]} cannot be started: {error.strerror}", file=sys.stderr)
        return 127
    try:
        while child.poll() is None:
            ready, _, _ = select.select([0], [], [], 0.1)
            if ready and not os.read(0, 4096):
                break
    except _Stop:
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end(child)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + GRACE
        try:
            os.killpg(child.pid, number)
            while time.monotonic() < until:
                child.poll()
                os.killpg(child.pid, 0)
                time.sleep(0.05)
        except ProcessLookupError:
            return


def _stop(number: int, frame: object) -> None:
    raise _Stop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
