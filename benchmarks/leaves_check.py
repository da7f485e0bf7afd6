"""What ``graft check`` costs: beside instructlab-schema, beside libyaml alone, and on a large tree.

In: generated leaves in a temporary folder. Out: lines of Markdown. Seconds are those of the processor,
of all processes that take part, so that other work on the machine distorts them least.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from benchmarks.generated import generate
from pipelines.check import RULES, How, Policy, check
from pipelines.leaves import WorkTree

ROOT = Path(__file__).resolve().parent.parent
FEW = int(os.environ.get("GRAFT_BENCH_FEW", "500"))
MANY = int(os.environ.get("GRAFT_BENCH_MANY", "20000"))
# These compare with other leaves, a benchmark of its own; here they only take out what is to be compared.
APART = ("near-duplicate", "conflict")


def measure() -> Iterator[str]:
    """The table on few leaves, then the line on many."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _few(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from _many(Path(folder))


def _few(root: Path) -> Iterator[str]:
    files = [root / leaf / "qna.yaml" for leaf in generate(root, FEW)]
    texts = [file.read_bytes() for file in files]
    tree, policy = WorkTree(root), Policy()
    rules = {name: rule for name, rule in RULES.items() if name not in APART}
    ours: dict[str, Callable[[], object]] = {
        "libyaml, compose alone": lambda: _compose(texts),
        "graft check, schema-level rules": lambda: check(tree, policy, how=How("instructlab")),
        f"graft check, the {len(rules)} rules but near-duplicates": lambda: check(
            tree, policy, rules=rules
        ),
        f"graft check, all {len(RULES)} rules, nothing to compare with": lambda: check(
            tree, policy
        ),
    }
    seconds = dict.fromkeys(ours, float("inf"))
    for _ in range(5):  # in turns: what disturbs one disturbs the others
        for name, run in ours.items():
            seconds[name] = min(seconds[name], _processor_seconds(run))
    seconds["instructlab-schema 0.4.2, TaxonomyParser"] = _processor_seconds(
        lambda: _upstream(files)
    )
    floor = seconds["libyaml, compose alone"]
    upstream = seconds["instructlab-schema 0.4.2, TaxonomyParser"]
    mean = sum(map(len, texts)) / len(texts) / 1000
    yield f"{FEW} leaves of {mean:.1f} kB in the mean.\n"
    yield "| what | ms of CPU a leaf | times libyaml | upstream takes |"
    yield "|---|---|---|---|"
    for name, taken in seconds.items():
        each = taken / FEW * 1000
        yield f"| {name} | {each:.2f} | {taken / floor:.1f} | {upstream / taken:.0f} × as much |"


def _compose(texts: list[bytes]) -> None:
    # Nothing is kept: what lives on would make the collector's work part of the floor.
    for text in texts:
        yaml.compose(text, Loader=yaml.CSafeLoader)


def _upstream(files: list[Path]) -> None:
    from tests.support.instructlab import real_verdict

    with contextlib.redirect_stdout(io.StringIO()):
        assert not any(map(real_verdict, files))


def _processor_seconds(run: Callable[[], object]) -> float:
    before = _used()
    run()
    return _used() - before


def _used() -> float:
    """Seconds of this process and of the children that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(use.ru_utime + use.ru_stime for use in map(resource.getrusage, kinds))


def _many(root: Path) -> Iterator[str]:
    generate(root, MANY)
    for jobs in (1, 2):
        before, started = _used(), time.monotonic()
        # No pipe: nobody reads it while memory is watched, and many findings would fill it for good.
        with tempfile.TemporaryFile("w+") as told:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipelines", "check", f"--jobs={jobs}", "--taxonomy", root],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                cwd=root,
                stdout=told,
            )
            peak = 0
            while process.poll() is None:
                peak = max(peak, _memory(process.pid))
                time.sleep(0.05)
            wall = time.monotonic() - started
            told.seek(0)
            said = told.read().split("\n")[-2]
        yield (
            f"\n`graft check --jobs {jobs}` on {MANY} leaves: {wall:.1f} s wall, {_used() - before:.1f} s "
            f"of CPU, at most {peak / 1e6:.0f} MB in all processes together. It said: {said}"
        )


def _memory(process: int) -> int:
    """Resident bytes of a process and all below it; shared pages count once a process."""
    total = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        total = pages * resource.getpagesize()
        for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
            total += _memory(int(child))
    return total
