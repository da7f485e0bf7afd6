"""How long a command takes to start: wall and processor time beside bare Python, the median of runs."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 15
LEAF = "taxonomy/knowledge/earth/rivers/danube/qna.yaml"
# What the installed script `graft` does.
GRAFT = ["-c", "import sys; from pipelines.cli import main; sys.exit(main())"]
COMMANDS = {
    "bare Python": ["-c", "pass"],
    "`graft --help`": [*GRAFT, "--help"],
    "`graft check ONE_FILE`": [*GRAFT, "check", LEAF],
    "`graft check` (this taxonomy)": [*GRAFT, "check"],
}


def measure() -> Iterator[str]:
    """A row a command; the commands take turns. A first run writes the bytecode, as installing does."""
    for words in COMMANDS.values():
        _run(words)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, words in COMMANDS.items():
            taken[name].append(_run(words))
    yield "| command | wall, ms | CPU, ms |"
    yield "|---|---|---|"
    for name, times in taken.items():
        wall, used = (statistics.median(each) * 1000 for each in zip(*times, strict=True))
        yield f"| {name} | {wall:.0f} | {used:.0f} |"


def _run(words: list[str]) -> tuple[float, float]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used
