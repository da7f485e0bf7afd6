"""Run a command to its end and tell what it cost; environments for the peers of a benchmark.

In: a command line; a folder and the names of packages. Out: a ``Cost`` with what the command printed
last, read as JSON; a Python that can import those packages.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Cost:
    """``cpu`` seconds of the process and all that it waited for; ``memory`` in MB of the largest of them."""

    cpu: float
    memory: float
    told: dict[str, Any]


class Failed(Exception):
    """A command that could not do its work, with the end of what it said."""


def run(command: Sequence[str], limit: int = 900, **environment: str) -> Cost:
    """What it costs. ``Failed`` where it exits with an error or takes more than ``limit`` seconds."""
    quiet = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "TQDM_DISABLE": "1", "NO_COLOR": "1"}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            ["timeout", "--kill-after=5", str(limit), *command],
            cwd=ROOT,
            env={**os.environ, **quiet, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=said,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (out, said):
            stream.seek(0)
        text, errors = out.read().decode(), said.read().decode(errors="replace")
    if process.returncode:
        ended = " ".join((errors or text).split())[-300:]
        raise Failed(ended or f"exit code {process.returncode}")
    told = json.loads(text.strip().splitlines()[-1])
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, told)


def environment(folder: Path, installs: Sequence[Sequence[str]]) -> str:
    """The Python of an environment in ``folder``, made by these ``uv pip install`` where it is not there."""
    python = folder / "bin" / "python"
    if not (folder / "installed").is_file():
        venv.create(folder, clear=True, with_pip=True)
        commands = [[str(python), "-m", "pip", "install", "--quiet", "uv"]]
        uv = [str(folder / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(python)]
        for command in [*commands, *([*uv, *install] for install in installs)]:
            found = subprocess.run(command, capture_output=True, text=True, timeout=900)
            if found.returncode:
                raise Failed(f"cannot be installed: {' '.join(found.stderr.split())[-300:]}")
        (folder / "installed").touch()
    return str(python)
