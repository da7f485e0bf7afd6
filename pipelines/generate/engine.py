"""The engine: first rows of one leaf in, the rows that came through all steps of a flow out.

Rows stream: each goes on to its next call as soon as its last is answered, whatever the others do; only
*distinct*, *near* and *majority* wait for the leaf's rows. The rows that come out, sorted by their
``order``, do not depend on the order of arrival, on how many are under way or on what the store held.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pipelines.backends import Answer, Call
from pipelines.errors import CallError
from pipelines.generate.ledger import Book
from pipelines.generate.near import firsts
from pipelines.generate.steps import (
    Ask,
    Distinct,
    Flow,
    Keep,
    Majority,
    Near,
    Reshape,
    Row,
    Setting,
    Step,
    Unread,
)
from pipelines.records import Reject

WINDOW = 256  # first rows of one leaf under way at once: enough for any server, and little memory
BRANCHES = 32  # of the rows that one answer gave


class Asker(Protocol):
    """Who turns a row and an asking step into a call, and the call into an answer."""

    def calls(self, step: Ask, row: Row) -> list[Call]:
        """The calls of the step for this row, one a sample."""
        ...

    async def answer(self, step: Ask, call: Call) -> Answer:
        """``CallError`` where this call has none."""
        ...


@dataclass(frozen=True, slots=True)
class Passage:
    """One leaf's way through one flow."""

    flow: Flow
    content_hash: str
    setting: Setting
    asker: Asker
    book: Book

    async def through(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that are left after the last step, in canonical order."""
        self.book.open(self.flow)
        at = 0
        while at < len(self.flow.steps):
            step = self.flow.steps[at]
            if isinstance(step, Distinct):
                rows, at = self._distinct(step, list(rows)), at + 1
            elif isinstance(step, Near):
                rows, at = self._near(step, list(rows)), at + 1
            elif isinstance(step, Majority):
                rows, at = self._majority(step, list(rows)), at + 1
            else:
                stop = at + 1
                while stop < len(self.flow.steps) and not _waits(self.flow.steps[stop]):
                    stop += 1
                rows = await self._stream(rows, self.flow.steps[at:stop])
                at = stop
        return sorted(rows, key=lambda row: row.order)

    async def _stream(self, rows: Iterable[Row], steps: Sequence[Step]) -> list[Row]:
        found: list[Row] = []
        asks = any(isinstance(step, Ask) for step in steps)
        if not asks:
            for row in rows:
                found += self._past(row, steps)
        else:
            await _in_window((self._onwards(row, steps, found) for row in rows), WINDOW)
        return sorted(found, key=lambda row: row.order)

    async def _onwards(self, row: Row, steps: Sequence[Step], found: list[Row]) -> None:
        """Take one row, and all that is made of it, to the end of ``steps``."""
        asking = next((at for at, step in enumerate(steps) if isinstance(step, Ask)), len(steps))
        for ready in self._past(row, steps[:asking]):
            if asking == len(steps):
                found.append(ready)
                continue
            step = steps[asking]
            assert isinstance(step, Ask)
            rest = steps[asking + 1 :]
            made = await self._ask(step, ready)
            if any(isinstance(later, Ask) for later in rest) and len(made) > 1:
                await _in_window((self._onwards(child, rest, found) for child in made), BRANCHES)
            else:
                for child in made:
                    await self._onwards(child, rest, found)

    def _past(self, row: Row, steps: Sequence[Step]) -> list[Row]:
        """One row through steps that ask nobody."""
        rows = [row]
        for step in steps:
            if isinstance(step, Keep):
                rows = [row for row in rows if self._kept(step, row)]
            elif isinstance(step, Reshape):
                rows = [made for row in rows for made in self._reshaped(step, row)]
        return rows

    def _kept(self, step: Keep, row: Row) -> bool:
        reason = step.test(row, self.setting)
        if reason:
            self.book.dropped(self.flow, step.name, "filtered", self._reject(step, reason, row))
            return False
        self.book.passed(self.flow, step.name, 1, 1)
        return True

    def _reshaped(self, step: Reshape, row: Row) -> list[Row]:
        made = [
            replace(row, columns=columns, order=(*row.order, number))
            for number, columns in enumerate(step.change(row.columns))
        ]
        self.book.passed(self.flow, step.name, 1, len(made))
        return made

    async def _ask(self, step: Ask, row: Row) -> list[Row]:
        """The rows of all samples' answers; one row went in, however many samples were drawn."""
        try:
            calls = self.asker.calls(step, row)
        except CallError as error:  # the prompt cannot be rendered for this row
            self.book.add(self.flow, step.name, into=1, failed=1)
            self.book.rejects.append(self._reject(step, str(error), row))
            return []
        asked = [self._one(step, row, call, number) for number, call in enumerate(calls)]
        answered = [await asked[0]] if len(asked) == 1 else await asyncio.gather(*asked)
        made = [row for rows in answered for row in rows or ()]
        failed = int(all(rows is None for rows in answered))
        parsed = int(bool(made))
        self.book.add(
            self.flow, step.name, into=1, parsed=parsed, failed=failed,
            unparsed=1 - parsed - failed,
        )  # fmt: skip
        return made

    async def _one(self, step: Ask, row: Row, call: Call, sample: int) -> list[Row] | None:
        """The rows of one answer, in its order; None where there is no answer."""
        try:
            text = (await self.asker.answer(step, call)).text
        except CallError as error:
            self.book.rejects.append(self._reject(step, str(error), row))
            return None
        key = call.key
        good, bad = step.read(text)
        self.book.add(
            self.flow, step.name, out=len(good) + len(bad), kept=len(good), filtered=len(bad)
        )
        for raw in bad if good or bad else [""]:
            reason = "the block cannot be read" if raw else "the answer is empty"
            reason = raw.reason if isinstance(raw, Unread) else reason
            used = (*row.calls, key)
            self.book.rejects.append(
                Reject(self.content_hash, self.flow.name, step.name, reason, raw, used)
            )
        return [
            replace(
                row,
                columns={**row.columns, **columns},
                order=(*row.order, sample, number),
                calls=(*row.calls, key),
            )
            for number, columns in enumerate(good)
        ]

    def _distinct(self, step: Distinct, rows: list[Row]) -> list[Row]:
        seen: set[str] = set()
        kept: list[Row] = []
        for row in sorted(rows, key=lambda row: row.order):
            key = step.key(row)
            if key in seen:
                reject = self._reject(step, "asked already", row)
                self.book.dropped(self.flow, step.name, "duplicate", reject)
            else:
                seen.add(key)
                kept.append(row)
        self.book.passed(self.flow, step.name, len(kept), len(kept))
        return kept

    def _near(self, step: Near, rows: list[Row]) -> list[Row]:
        ordered = sorted(rows, key=lambda row: row.order)
        stays = firsts([step.text(row) for row in ordered], step.threshold)
        for row, kept in zip(ordered, stays, strict=True):
            if not kept:
                reject = self._reject(step, "nearly asked already", row)
                self.book.dropped(self.flow, step.name, "duplicate", reject)
        kept_rows = [row for row, kept in zip(ordered, stays, strict=True) if kept]
        self.book.passed(self.flow, step.name, len(kept_rows), len(kept_rows))
        return kept_rows

    def _majority(self, step: Majority, rows: list[Row]) -> list[Row]:
        self.book.passed(self.flow, step.name, len(rows), len(rows))
        ordered = sorted(rows, key=lambda row: row.order)
        if not ordered:
            return []
        # Of two values as frequent as each other the one that comes first, so that it is always one.
        value = Counter(row.columns[step.column] for row in ordered).most_common(1)[0][0]
        return [replace(row, columns={**row.columns, step.column: value}) for row in ordered]

    def _reject(self, step: Step, reason: str, row: Row) -> Reject:
        text = json.dumps(dict(row.columns), ensure_ascii=False, sort_keys=True)
        return Reject(self.content_hash, self.flow.name, step.name, reason, text, row.calls)


def _waits(step: Step) -> bool:
    return isinstance(step, (Distinct, Near, Majority))


async def _in_window(work: Iterable[Coroutine[Any, Any, None]], window: int) -> None:
    """Run all of ``work``, at most ``window`` at once; the first error ends the others, and is raised."""
    under_way: set[asyncio.Task[None]] = set()
    try:
        for coroutine in work:
            under_way.add(asyncio.ensure_future(coroutine))
            if len(under_way) >= window:
                under_way = await _some_done(under_way)
        while under_way:
            under_way = await _some_done(under_way)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _some_done(under_way: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    done, left = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return left
