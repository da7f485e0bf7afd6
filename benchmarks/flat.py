"""``make bench-flat``: what one more leaf costs where 100, 1,000 and 10,000 are released already.

    python benchmarks/flat.py [SIZE …] [--keep DIR]

For each size a repository of so many leaves and release zero over them by ``graft run``'s own code,
with the recipe of the tests (``tests/support/fast.yaml``), as many tokens replayed as are new and a
small panel; then one knowledge leaf on a branch, and the same ``run``. Counted: calls made, tokens
trained, exam questions asked. Time and memory of that run are told too, though it has to read every leaf.
Each size is a process of its own. Output: Markdown.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.children import Failed, run  # noqa: E402
from benchmarks.generated import words  # noqa: E402
from tests.support.flow import (  # noqa: E402
    Site,
    add_knowledge,
    add_tower,
    run_directory,
    write_recipe,
)
from tests.support.repositories import SkillSeed, skill_leaf  # noqa: E402

SIZES = (100, 1_000, 10_000)
KNOWLEDGE = 10  # of so many leaves one is knowledge with a document, the others are skills
PANEL = 40  # exam questions of earlier leaves, at most
AIM = 1.2


def write_leaves(taxonomy: Path, count: int) -> None:
    """Small sound leaves, the same bytes each time; each has its own words."""
    for number in range(count):
        draw = random.Random(number)
        if number % KNOWLEDGE == 0:
            place = f"knowledge/area_{number % 97}/thing_{number}"
            add_knowledge(taxonomy, place, words(draw, 1), 1100 + number % 800)
            continue
        seeds: list[SkillSeed] = [
            ("", f"What is {words(draw, 8)}?", f"{words(draw, 3)}.") for _ in range(5)
        ]
        place = f"compositional_skills/area_{number % 97}/leaf_{number}"
        skill_leaf(taxonomy, place, seeds=seeds, task=words(draw, 5))


def site(path: Path, count: int) -> Site:
    """A repository of ``count`` leaves, and a recipe for it; no release."""
    found = Site(path)
    path.mkdir(parents=True)
    write_recipe(
        found.recipe,
        bootstrap={"tokens": 20_000},
        generate={"rephrasings": 1},
        evaluate={"panel": PANEL, "new_tokens": 4},
        train={"replay": 1.0},
    )
    write_leaves(found.taxonomy, count)
    found.repo.commit("Many leaves")
    return found


def one_leaf(folder: Path, count: int) -> dict[str, Any]:
    """Release zero, then one leaf more: what the second run took."""
    made = site(folder / str(count), count)
    started = time.monotonic()
    # In a process of its own, since it holds the rows of all leaves, and its memory is not asked for.
    first = multiprocessing.get_context("fork").Process(target=made.run)
    first.start()
    first.join()
    assert first.exitcode == 0, "there is no release zero"
    zero_seconds = time.monotonic() - started
    made.repo.branch("tower")
    add_tower(made.taxonomy)
    made.repo.commit("A leaf about a tower")
    started, before = time.monotonic(), time.process_time()
    outcome = made.run("main")
    assert outcome.release is not None, made.said
    return {
        "leaves": count,
        "zero": zero_seconds,
        "seconds": time.monotonic() - started,
        "cpu": time.process_time() - before,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        **_counted(made),
    }


def _counted(made: Site) -> dict[str, Any]:
    """Calls by what the run said, tokens and questions by what its stages wrote."""
    said = "\n".join(made.said)
    calls = re.search(r"generate: (\d+) calls made, (\d+) read back", said)
    assert calls is not None, said
    directory = run_directory(made)
    record = json.loads((directory / "adapter" / "training.json").read_bytes())
    items = (directory / "evaluation" / "items.jsonl").read_text(encoding="utf-8")
    return {
        "calls": int(calls[1]),
        "tokens": record["tokens"],
        "new rows": record["rows"],
        "replayed rows": sum(record["seen"].values()) - record["rows"],
        "items": len(items.splitlines()),
    }


def measured(sizes: Sequence[int], folder: Path) -> list[str]:
    """A line of the table for each size, and what grew."""
    names = (
        "leaves released", "calls made", "tokens trained", "new rows", "replayed rows",
        "questions asked", "wall, s", "CPU, s", "memory, MB", "release zero before it, s",
    )  # fmt: skip
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    found = []
    for size in sizes:
        words_ = [sys.executable, str(Path(__file__)), "--one", str(size), "--keep", str(folder)]
        try:
            told = run(words_, limit=7200, OMP_WAIT_POLICY="PASSIVE").told
        except Failed as error:
            lines.append(f"| {size:,} | did not run: {error} |")
            continue
        found.append(told)
        cells: list[Any] = [f"{told['leaves']:,}", told["calls"], f"{told['tokens']:,}"]
        cells += [told["new rows"], f"{told['replayed rows']:,}", told["items"]]
        cells += [f"{told[name]:.1f}" for name in ("seconds", "cpu")]
        cells += [f"{told['memory']:,.0f}", f"{told['zero']:.0f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return [*lines, "", *_grown(found)]


def _grown(found: Sequence[dict[str, Any]]) -> list[str]:
    lines = []
    for what in ("calls", "tokens", "items"):
        values = [told[what] for told in found]
        if values and min(values):
            times = max(values) / min(values)
            verdict = "holds" if times <= AIM else f"**missed**, the aim is {AIM}"
            lines.append(f"{what}: largest over smallest {times:.2f} ({verdict})")
    return lines


def main(given_words: list[str]) -> int:
    """Measure the sizes that are named, or all."""
    parser = argparse.ArgumentParser(description="What one more leaf costs.")
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, metavar="SIZE")
    parser.add_argument("--keep", type=Path, help="an empty folder in which everything is left")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(given_words)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.keep or Path(scratch)).absolute()
        if given.one is not None:
            print(json.dumps(one_leaf(folder, given.one)))
            return 0
        print(f"One more leaf (load {os.getloadavg()[0]:.1f})\n", flush=True)
        for line in measured(given.sizes or SIZES, folder):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
