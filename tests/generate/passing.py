"""Rows through a flow's steps by the real engine and store, with answers that the test has written."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.backends import Answer, Call
from pipelines.errors import CallError
from pipelines.findings import Finding
from pipelines.generate import Teaching
from pipelines.generate.completions import Completions
from pipelines.generate.engine import Passage
from pipelines.generate.flow import read_flow
from pipelines.generate.ledger import Book
from pipelines.generate.steps import Flow, Origin, Row, Setting
from pipelines.records import Ledger
from tests.generate.support import recipe

HEAD = "phase: skills\nrows: question\nsteps:\n"


class Scripted:
    """Answers by ``say``; None means that there is none. With ``order`` answers come in another order."""

    def __init__(
        self, say: Callable[[Call], str | None], order: random.Random | None = None
    ) -> None:
        self.say = say
        self.order = order
        self.asked: list[Call] = []

    async def answer(self, call: Call) -> Answer:
        self.asked.append(call)
        if self.order is not None:
            for _ in range(self.order.randrange(20)):
                await asyncio.sleep(0)
        said = self.say(call)
        if said is None:
            raise CallError("the server has no answer to this")
        return Answer(said)

    async def close(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Passed:
    """What came of it: the rows' columns in their order, the ledger, and the rejects' reasons by step."""

    columns: list[dict[str, str]]
    ledger: Ledger
    rejected: list[tuple[str, str]]
    rows: list[Row]


def passed(
    flow: Flow,
    first: Sequence[Mapping[str, str]],
    backend: Scripted,
    store: Path,
    setting: Setting | None = None,
) -> Passed:
    """The rows of ``first`` through ``flow``; the ledger is checked by making it."""
    book = Book()
    rows = [Row(columns, Origin("seed"), (number,)) for number, columns in enumerate(first)]
    with Completions(store) as calls:
        teaching = Teaching(recipe(), calls, backend)
        passage = Passage(flow, "hash", setting or Setting(), teaching, book)
        found = asyncio.run(passage.through(rows))
        ledger = book.ledger(calls.made, calls.reused)
    rejected = sorted((reject.step, reject.reason) for reject in book.rejects)
    return Passed([dict(row.columns) for row in found], ledger, rejected, found)


def written(
    root: Path, steps: str, files: Mapping[str, str] | None = None, head: str = HEAD
) -> tuple[Flow | None, list[Finding]]:
    """A flow of these steps, in a file, and what was found in it."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in (files or {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    path = root / "flow.yaml"
    path.write_text(head + steps, encoding="utf-8")
    return read_flow(path, "mine")


def sound(root: Path, steps: str, files: Mapping[str, str] | None = None, head: str = HEAD) -> Flow:
    """As ``written``, with nothing wrong."""
    flow, findings = written(root, steps, files, head)
    assert [finding.message for finding in findings if finding.severity == "error"] == []
    assert flow is not None
    return flow


def cut(flow: Flow, last: str) -> Flow:
    """The flow up to the step before ``last``."""
    names = [step.name for step in flow.steps]
    return replace(flow, steps=flow.steps[: names.index(last)])
