"""What a person should read of a run before it is believed: rows drawn by step, and why answers are wrong.

In: a finished dataset and evaluation. Out: ``Drawn`` rows beside their source, and a reason for each
wrong answer of a changed leaf.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import zip_longest

from pipelines.artifacts import conversations, digest
from pipelines.documents import Library, documents
from pipelines.errors import GraftError
from pipelines.generate import read_summary
from pipelines.generate.completions import Completions
from pipelines.generate.flow import flows_of
from pipelines.job import Job
from pipelines.records import ItemResult, Json, Leaf, LeafData
from pipelines.report import Drawn, taught, why

DRAWN = 20
SOURCE = 20_000  # characters of a source that are kept; a report shows a part around the answer


def reasons(job: Job, items: Iterable[ItemResult]) -> dict[str, str]:
    """Exam item → why its answer is wrong, for the wrong ones of the changed leaves."""
    data = _data(job)
    by_leaf: dict[str, list[ItemResult]] = {}
    for one in items:
        if one.item.role == "changed" and not one.item.leaked:
            by_leaf.setdefault(one.item.leaf, []).append(one)
    found = {}
    for path, results in by_leaf.items():
        rows = taught(conversations(_bytes(job, data, job.leaves[path].content_hash)))
        found.update({one.item.id: why(one, rows) for one in results})
    return {item: reason for item, reason in found.items() if reason}


def drawn(job: Job) -> list[Drawn]:
    """Up to ``DRAWN`` rows of what this run learns, the steps that made them taken in turn.

    The order within a step is that of a hash with the run's input digest: by chance, and always the same.
    """
    data = _data(job)
    steps: dict[str, list[_Row]] = {}
    store = job.options.cache / "calls.sqlite"
    with Completions(store) if store.is_file() else nullcontext() as recorded:
        named = _Steps(job, recorded)
        for path in job.plan.learn:
            leaf = job.leaves[path]
            for line in _bytes(job, data, leaf.content_hash).splitlines():
                row = json.loads(line)
                steps.setdefault(named.step(leaf, row), []).append(_Row(leaf, row))
    for rows in steps.values():
        rows.sort(key=lambda one: digest([job.plan.input_digest, one.row["id"]]))
    turns = zip_longest(*([(step, row) for row in steps[step]] for step in sorted(steps)))
    chosen = [pair for turn in turns for pair in turn if pair is not None][:DRAWN]
    sources = _Sources(job)
    return [sources.drawn(step, one) for step, one in sorted(chosen, key=lambda pair: pair[0])]


@dataclass(frozen=True, slots=True)
class _Row:
    leaf: Leaf
    row: Json


def _data(job: Job) -> Mapping[str, LeafData]:
    return {**job.kept, **read_summary(job.directory / "dataset")}


def _bytes(job: Job, data: Mapping[str, LeafData], content_hash: str) -> bytes:
    return job.row_bytes(content_hash, data[content_hash].data_hash)


class _Steps:
    """What made a row: its flow by name, and the task of its last call where the store knows it."""

    def __init__(self, job: Job, store: Completions | None) -> None:
        self._job = job
        self._store = store
        self._flows: dict[str, dict[str, str]] = {}
        self._tasks: dict[str, str] = {}

    def step(self, leaf: Leaf, row: Json) -> str:
        if leaf.kind not in self._flows:
            flows = flows_of(self._job.recipe, leaf.kind)
            self._flows[leaf.kind] = {flow.hash: flow.name for flow in flows}
        flow = self._flows[leaf.kind].get(row["flow"], "an earlier flow")
        task = self._task(row["calls"][-1]) if row["calls"] else ""
        return f"{flow}: {task}" if task else flow

    def _task(self, key: str) -> str:
        if key not in self._tasks:
            call = self._store.recorded(key) if self._store is not None else None
            self._tasks[key] = call["task"] if call else ""
        return self._tasks[key]


class _Sources:
    """The text that a row came from, each leaf's documents read once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._texts: dict[str, dict[str, str]] = {}

    def drawn(self, step: str, one: _Row) -> Drawn:
        row, leaf = one.row, one.leaf
        where, source = self._span(leaf, row) if row["document"] else _seed(leaf, row["seeds"])
        question, answer = (turn["content"] for turn in row["messages"][-2:])
        return Drawn(row["id"], leaf.path, step, question, answer, where, source[:SOURCE])

    def _span(self, leaf: Leaf, row: Json) -> tuple[str, str]:
        text = self._documents(leaf).get(row["document"])
        if text is None or row["span"] is None:
            return row["document"], ""
        start, end = row["span"]
        return f"{row['document']}, characters {start} to {end}", text[start:end]

    def _documents(self, leaf: Leaf) -> dict[str, str]:
        if leaf.content_hash not in self._texts:
            options = self._job.options
            library = Library(options.cache, options.policy.documents)
            try:
                found = documents(self._job.now.tree, leaf, library)
            except GraftError:  # gone since; the row is shown without it
                found = []
            self._texts[leaf.content_hash] = {one.path: one.text for one in found}
        return self._texts[leaf.content_hash]


def _seed(leaf: Leaf, seeds: Iterable[str]) -> tuple[str, str]:
    """The seed example that a row was made from, as its leaf has it."""
    wanted = set(seeds)
    seed = next((one for one in leaf.seeds if one.id in wanted), None)
    if seed is None:
        return "qna.yaml", ""
    pairs = [f"{pair.question}\n{pair.answer}" for pair in seed.pairs]
    return f"qna.yaml, line {seed.line}", "\n".join(filter(None, (seed.context, *pairs)))
