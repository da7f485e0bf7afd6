"""``make bench-generate``: what generation costs, beside three peers, against one stand-in server.

    python benchmarks/generate.py [SUBJECT …] [--rounds N] [--rows N] [--environments DIR]

Subjects: ``ours`` (CPU a request, requests a second, fixed and heavy-tailed latency), ``peers`` (the same
rows, prompts and concurrency for instructlab-sdg, sdg_hub and distilabel), ``stage`` (rerun, a stored
answer, edit), ``memory`` (10,000 to 1,000,000 rows). Each engine runs as a child process; the server is
another process, whose counter says what was asked. A peer's environment is made on the first use, in
``--environments`` if it shall be kept. Output: Markdown.
"""

from __future__ import annotations

import argparse
import heapq
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.children import Cost, Failed, environment, run  # noqa: E402
from tests.support.openai_server import Counts, start  # noqa: E402

CONCURRENCY = 64
FEW = 8  # rows of the run that tells what starting costs
# Each peer's installs. instructlab-sdg goes without what only reads documents and mixes: see its script.
ENGINE = "datasets<4 jinja2 tenacity xdg-base-dirs tabulate gitpython".split()
PEERS: dict[str, list[list[str]]] = {
    "instructlab_sdg": [
        ["--no-deps", "instructlab-sdg==0.8.3"],
        [*ENGINE, "openai>=1.13.3,<2", "httpx<1"],
    ],
    "sdg_hub": [["sdg_hub"]],
    "distilabel": [["distilabel[openai]", "requests"]],
}


@dataclass(frozen=True, slots=True)
class Given:
    """The command line."""

    rounds: int
    rows: int
    environments: Path


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one engine: its cost, and what the server saw of it."""

    cost: Cost
    counts: Counts
    asked: frozenset[str]
    ideal: float  # seconds that the latencies alone take with so many at once

    @property
    def seconds(self) -> float:
        """The engine alone, without its start."""
        return float(self.cost.told["run"])


def engine(name: str, python: str, rows: int, profile: str = "zero", **variables: str) -> Run:
    """Run ``name`` on so many rows against a server of its own."""
    with start(profile) as server:
        words = [python, f"benchmarks/peers/run_{name}.py", "--url", server.url]
        words += ["--rows", str(rows), "--concurrency", str(CONCURRENCY)]
        cost = run(words, **variables)
        delays = server.delays()
        return Run(cost, server.counts(), frozenset(server.prompts()), ideal(delays))


def ideal(delays: Sequence[float]) -> float:
    """Seconds that ``CONCURRENCY`` slots take, each taking the next request the moment it is free."""
    free = [0.0] * CONCURRENCY
    for delay in delays:
        heapq.heapreplace(free, free[0] + delay)
    return max(free)


def ours(given: Given) -> Iterator[str]:
    """Our engine alone, and by turns a bare client with as many requests: what the machine leaves."""
    rows = given.rows * 3
    small = [engine("graft", sys.executable, FEW) for _ in range(given.rounds)]
    both = _in_turns(given, rows, "zero")
    yield "| what | aim | median | all runs | aiohttp alone, all runs |"
    yield "|---|---|---|---|---|"
    cpu = [marginal(few, many) for few, (many, _) in zip(small, both, strict=True)]
    bare = [least.cost.told["cpu"] / least.counts.prompts * 1e3 for _, least in both]
    yield row(f"CPU a request, {both[0][0].counts.calls} requests, ms", "≤ 1", cpu, 2, bare)
    rate, bare = ([f.counts.calls / f.seconds for f in side] for side in zip(*both, strict=True))
    yield row(f"requests a second, {CONCURRENCY} in flight", "≥ 1,000", rate, 0, bare)
    server, bare = (
        [found.counts.cpu / found.counts.calls * 1e3 for found in side]
        for side in zip(*both, strict=True)
    )
    yield row("of the server: CPU a request, ms", "", server, 2, bare)
    for profile, told, aim in (("fixed", "200 ms", "≥ 95"), ("tail", "heavy tail", "≥ 91")):
        both = _in_turns(given, rows, profile)
        share, bare = (
            [f.ideal / f.seconds * 100 for f in side] for side in zip(*both, strict=True)
        )
        yield row(
            f"share of the ideal at {told} ({both[0][0].ideal:.1f} s), %", aim, share, 1, bare
        )
    yield row("start: wall time until imported, s", "", [f.cost.told["ready"] for f in small], 2)
    yield row("memory at most, MB", "", [many.cost.memory for many, _ in both], 0)


def _in_turns(given: Given, rows: int, profile: str) -> list[tuple[Run, Run]]:
    """Ours and the bare client."""
    names = ("graft", "bare")
    return [
        (
            engine(names[0], sys.executable, rows, profile),
            engine(names[1], sys.executable, rows, profile),
        )
        for _ in range(given.rounds)
    ]


def peers(given: Given) -> Iterator[str]:
    """The same rows for everyone, in turns, and each one's CPU as a multiple of ours."""
    pythons: dict[str, str] = {"graft": sys.executable}
    for name, installs in PEERS.items():
        try:
            pythons[name] = environment(given.environments / name, installs)
        except Failed as error:
            yield f"{name} {error}\n"
    found: dict[str, list[tuple[Run, Run]]] = {}
    for _ in range(given.rounds):
        for name, python in list(pythons.items()):
            try:
                turn = engine(name, python, FEW), engine(name, python, given.rows)
                found.setdefault(name, []).append(turn)
            except Failed as error:
                yield f"{name} did not run: {error}\n"
                del pythons[name]
    names = (
        "engine", "version", "requests", "prompts", "rows out", "same prompts as ours",
        "CPU a prompt, ms", "times ours, paired", f"{FEW} rows with start, s of CPU",
        "wall without start, s", "memory of the largest process, MB",
    )  # fmt: skip
    yield f"| {' | '.join(names)} |"
    yield "|" + "---|" * len(names)
    for name, turns in found.items():
        yield _peer(name, turns, found["graft"])


def _peer(name: str, turns: list[tuple[Run, Run]], base: list[tuple[Run, Run]]) -> str:
    last = turns[-1][1]
    same = "yes" if last.asked == base[-1][1].asked else "**no**"
    cpu = [marginal(*turn) for turn in turns]
    times = [mine / marginal(*turn) for mine, turn in zip(cpu, base, strict=False)]
    cells: list[Any] = [
        name, last.cost.told["version"], last.counts.calls, last.counts.prompts,
        last.cost.told["rows"], same, f"{median(cpu):.2f}", f"{median(times):.1f}",
        f"{median(few.cost.cpu for few, _ in turns):.1f}",
        f"{median(many.seconds for _, many in turns):.2f}",
        f"{median(many.cost.memory for _, many in turns):.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def marginal(few: Run, many: Run) -> float:
    """CPU for one prompt more, in milliseconds: what starting costs is left out."""
    prompts = many.counts.prompts - few.counts.prompts
    return (many.cost.told["cpu"] - few.cost.told["cpu"]) / prompts * 1e3


def stage(given: Given) -> Iterator[str]:
    """The whole stage, from leaves to files, with a teacher in its own process."""
    yield "| what | aim | median | all runs | |"
    yield "|---|---|---|---|---|"
    again = [_part("rerun", 100) for _ in range(given.rounds)]
    yield row("rerun: calls made again", "0", [turn["again"] for turn in again], 0)
    rate = [turn["rows"] / turn["seconds"] for turn in again]
    yield row(f"rerun: rows a second, {again[0]['rows']} rows", "≥ 5,000", rate, 0)
    rate = [turn["rows"] / turn["cpu"] for turn in again]
    yield row("rerun: rows a second of CPU", "", rate, 0)
    read = [_part("stored", 100) for _ in range(given.rounds)]
    each = [turn["cpu"] / turn["reused"] * 1e6 for turn in read]
    yield row(f"a stored answer: CPU, {read[0]['reused']} of them, µs", "≤ 100", each, 0)
    edited = _part("edit", 2)
    share = edited["again"] / edited["calls"] * edited["shown"]
    told = f"edit of one of {edited['shown']} shown seeds: {edited['again']} of {edited['calls']} calls"
    yield f"| {told}, times 1/S | ≤ 1.1 | {share:.2f} | | |"


def memory(given: Given) -> Iterator[str]:
    """Many leaves: what the largest resident set is with ten times the rows."""
    yield "| leaves | rows | rejects | memory at most, MB | CPU, s | wall, s |"
    yield "|---|---|---|---|---|---|"
    for leaves in (6, 53, 521):  # 10,000, 100,000 and 1,000,000 rows
        found = _part("memory", leaves)
        yield (
            f"| {found['leaves']} | {found['rows']:,} | {found['rejects']:,} | {found['peak']:.0f} | "
            f"{found['cpu']:.0f} | {found['seconds']:.0f} |"
        )


def _part(name: str, leaves: int) -> dict[str, Any]:
    words = [sys.executable, "-m", "benchmarks.generate_stage", name, "--leaves", str(leaves)]
    return run(words, limit=3600).told


def row(
    what: str, aim: str, values: Sequence[float], digits: int, others: Sequence[float] = ()
) -> str:
    """A line of a table: the median, all runs, and all runs of what it is compared with."""
    mine, theirs = (
        " ".join(f"{value:.{digits}f}" for value in several) for several in (values, others)
    )
    return f"| {what} | {aim} | {median(values):.{digits}f} | {mine} | {theirs} |"


SUBJECTS: dict[str, Callable[[Given], Iterator[str]]] = {
    "ours": ours,
    "peers": peers,
    "stage": stage,
    "memory": memory,
}


def main(words: list[str]) -> int:
    """Measure the subjects that are named, or all."""
    parser = argparse.ArgumentParser(description="What generation costs.")
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=400, help="rows of the peers; ours: 3 times")
    parser.add_argument("--environments", type=Path, help="a folder that is kept")
    given = parser.parse_args(words)
    unknown = [name for name in given.subjects if name not in SUBJECTS]
    if unknown:
        parser.error(f"there is no subject {unknown[0]}; there are {', '.join(SUBJECTS)}")
    with tempfile.TemporaryDirectory() as folder:
        kept = (given.environments or Path(folder)).absolute()
        print(f"Python {platform.python_version()}, {os.cpu_count()} cores.")
        for name in given.subjects or SUBJECTS:
            print(f"\n## {name} (load {os.getloadavg()[0]:.1f})\n", flush=True)
            for line in SUBJECTS[name](Given(given.rounds, given.rows, kept)):
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
