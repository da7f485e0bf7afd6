"""The whole stage of generation in a process of its own, for ``generate.py``: one line of JSON each.

    python -m benchmarks.generate_stage rerun|stored|edit|memory --leaves N

``rerun``: the stage twice with one call store; calls and time of the second turn. ``stored``: what it
takes to have answers that are stored, from row to text. ``edit``: one of S shown seeds changed; the share
of the calls that are made again. ``memory``: many leaves, 1,920 rows each and 240 rejects. The teacher is
scripted and in this process, so that nothing but the stage is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.generated import generate as generate_leaves
from pipelines.artifacts import digest
from pipelines.backends import Answer, Call
from pipelines.documents import documents
from pipelines.exam import split
from pipelines.generate import Teaching, first_rows, generate
from pipelines.generate.completions import Completions
from pipelines.generate.steps import Ask
from pipelines.leaves import WorkTree, read_leaves
from pipelines.recipe import load_recipe
from pipelines.records import ExamSplit, Leaf, QuestionAnswer

Work = dict[str, tuple[Leaf, ExamSplit]]


class Scripted:
    """A teacher that writes ``pairs`` questions on each chunk and ``strange`` answers that are not in it."""

    def __init__(self, pairs: int, strange: int) -> None:
        self.pairs, self.strange, self.asked = pairs, strange, 0

    async def answer(self, call: Call) -> Answer:
        self.asked += 1
        known = call.variables
        fact = " ".join((known.get("chunk") or known.get("answer") or "nothing").split()[:8])
        blocks = [
            f"[QUESTION]\nWhat does {call.key[:12]} say in line {number}?\n[ANSWER]\n{fact}\n[END]"
            for number in range(self.pairs)
        ]
        blocks += [
            f"[QUESTION]\nWhat is {call.key[:12]} not, {number}?\n[ANSWER]\nNone of 77777\n[END]"
            for number in range(self.strange)
        ]
        return Answer("\n".join(blocks))

    async def close(self) -> None:
        return None


def _work(tree: WorkTree) -> Work:
    """The knowledge leaves: four in five of what is generated."""
    return {
        leaf.content_hash: (leaf, split(leaf, None, None))
        for leaf in read_leaves(tree).values()
        if leaf.kind == "knowledge"
    }


def _turn(folder: Path, name: str, work: Work, tree: WorkTree, teacher: Scripted) -> dict[str, int]:
    """One run of the stage: rows, calls and rejects."""
    out = folder / name
    out.mkdir()
    with Completions(folder / "calls.sqlite") as store:
        teaching = Teaching(load_recipe("tiny"), store, teacher)
        generate(work, partial(documents, tree), teaching, out, lambda line: None)
    rows = json.loads((out / "summary.json").read_bytes())
    with (out / "rejects.jsonl").open("rb") as lines:
        rejects = sum(1 for _ in lines)
    return {"rows": sum(entry["rows"] for entry in rows.values()), "rejects": rejects}


def rerun(leaves: int, folder: Path) -> dict[str, float]:
    """All leaves, and all of them again."""
    generate_leaves(folder / "taxonomy", leaves)
    tree = WorkTree(folder / "taxonomy")
    work, teacher = _work(tree), Scripted(3, 0)
    _turn(folder, "first", work, tree, teacher)
    asked = teacher.asked
    began, cpu = time.perf_counter(), time.process_time()
    found = _turn(folder, "second", work, tree, teacher)
    took = time.perf_counter() - began
    return {
        **found, "calls": asked, "again": teacher.asked - asked, "seconds": took,
        "cpu": time.process_time() - cpu,
    }  # fmt: skip


def stored(leaves: int, folder: Path) -> dict[str, float]:
    """All leaves; then every first call again: its prompt rendered, its key taken, its answer read."""
    generate_leaves(folder / "taxonomy", leaves)
    tree = WorkTree(folder / "taxonomy")
    work, recipe = _work(tree), load_recipe("tiny")
    _turn(folder, "first", work, tree, Scripted(3, 0))
    with Completions(folder / "calls.sqlite") as store:
        teaching = Teaching(recipe, store, Scripted(0, 0))
        asking = [
            (next(step for step in flow.steps if isinstance(step, Ask)), row)
            for leaf, sides in work.values()
            for flow in teaching.flows(leaf.kind)
            for row in first_rows(flow, leaf, sides, partial(documents, tree), recipe)
        ]

        async def all_of_them() -> None:
            for step, row in asking:
                for call in teaching.calls(step, row):
                    await teaching.answer(step, call)

        cpu = time.process_time()
        asyncio.run(all_of_them())
        return {"cpu": time.process_time() - cpu, "reused": store.reused, "made": store.made}


def edit(leaves: int, folder: Path) -> dict[str, float]:
    """One knowledge leaf, one of whose shown seeds is then written anew."""
    generate_leaves(folder / "taxonomy", 2)
    tree = WorkTree(folder / "taxonomy")
    leaf, sides = next(iter(_work(tree).values()))
    teacher = Scripted(3, 0)
    _turn(folder, "first", {leaf.content_hash: (leaf, sides)}, tree, teacher)
    before = teacher.asked
    seeds = tuple(
        replace(
            seed, pairs=tuple(QuestionAnswer(p.question, f"{p.answer} Or so.") for p in seed.pairs)
        )
        if seed.id == sides.shown[0]
        else seed
        for seed in leaf.seeds
    )
    edited = replace(leaf, seeds=seeds, content_hash=digest([leaf.content_hash, "edited"]))
    _turn(folder, "second", {edited.content_hash: (edited, sides)}, tree, teacher)
    return {"shown": len(sides.shown), "calls": before, "again": teacher.asked - before}


def memory(leaves: int, folder: Path) -> dict[str, float]:
    """At least ``leaves`` knowledge leaves of 1,920 rows."""
    generate_leaves(folder / "taxonomy", leaves * 5 // 4 + 2)
    tree = WorkTree(folder / "taxonomy")
    work = _work(tree)
    read = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began, cpu = time.perf_counter(), time.process_time()
    found = _turn(folder, "out", work, tree, Scripted(40, 8))
    return {
        **found, "leaves": len(work), "before": read, "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


PARTS: dict[str, Callable[[int, Path], dict[str, float]]] = {
    "rerun": rerun,
    "stored": stored,
    "edit": edit,
    "memory": memory,
}


def main(words: list[str]) -> int:
    """Run one part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--leaves", type=int, default=100)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(PARTS[given.part](given.leaves, Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
