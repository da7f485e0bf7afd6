"""How far asking is: calls, rate, time left, tokens and, where there are prices, cost.

In: each answer as it arrives (``Teaching`` calls ``answered``), what the made ones cost (``Watched``
stands before teacher and judge), and about how many calls every leaf takes. Out: on a terminal a bar in
all and a line for the leaf of the last answer; elsewhere plain lines, at most one in ``EVERY`` seconds.
"""

from __future__ import annotations

import contextvars
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from pipelines.backends import Answer, Backend, Call
from pipelines.recipe import Teacher
from pipelines.text import estimate_tokens

EVERY = 5.0  # seconds between two lines
WINDOW = 12  # lines that the rate is taken over

# The content hash of the leaf whose rows are being made; each leaf's task sets its own.
LEAF: contextvars.ContextVar[str] = contextvars.ContextVar("LEAF", default="")


class Watch(Protocol):
    """Who is told of what arrives."""

    def answered(self) -> None:
        """One answer, made or read back, for the leaf that ``LEAF`` names."""
        ...

    def finished(self, content_hash: str) -> None:
        """All rows of a leaf are there."""
        ...


@dataclass(frozen=True, slots=True)
class Watched:
    """A backend whose answers are counted on their way, with what they cost."""

    backend: Backend
    asked: Teacher
    progress: Progress

    async def answer(self, call: Call) -> Answer:
        given = await self.backend.answer(call)
        tokens_in = given.prompt_tokens or sum(estimate_tokens(m.content) for m in call.messages)
        tokens_out = given.completion_tokens or estimate_tokens(given.text)
        cost = (self.asked.price_in * tokens_in + self.asked.price_out * tokens_out) / 1_000_000
        self.progress.spent(tokens_in + tokens_out, cost)
        return given

    async def close(self) -> None:
        await self.backend.close()


class Progress:
    """``expected`` maps each leaf's content hash to about how many calls it takes, ``names`` to its path.

    ``stream`` is where a bar is drawn, None for lines by ``say``. ``clock`` gives seconds.
    """

    def __init__(
        self,
        expected: Mapping[str, int],
        names: Mapping[str, str],
        say: Callable[[str], None],
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.expected = dict(expected)
        self.done = dict.fromkeys(expected, 0)
        self.tokens = 0
        self.cost = 0.0
        self._names = names
        self._say = say
        self._clock = clock
        self._ticks = deque([(clock(), 0)], maxlen=WINDOW)
        self._bars = _Bars(stream) if stream is not None else None

    @property
    def answers(self) -> int:
        return sum(self.done.values())

    @property
    def total(self) -> int:
        """About how many calls there are in all; never fewer than were answered."""
        return sum(max(self.expected[leaf], count) for leaf, count in self.done.items())

    def answered(self) -> None:
        leaf = LEAF.get()
        if leaf not in self.done:
            return
        self.done[leaf] += 1
        now = self._clock()
        if self._bars is not None:
            self._bars.show(self.answers, self.total, self._spent(), self._leaf(leaf))
        elif now - self._ticks[-1][0] >= EVERY:
            self._say(f"generate: {self.line(now)} · {self._leaf(leaf)}")
            self._ticks.append((now, self.answers))

    def finished(self, content_hash: str) -> None:
        """What the leaf took is known now."""
        self.expected[content_hash] = self.done.get(content_hash, 0)

    def spent(self, tokens: int, cost: float) -> None:
        self.tokens += tokens
        self.cost += cost

    def line(self, now: float) -> str:
        """The whole state in one line: calls, rate, time left, tokens, cost."""
        since, count = self._ticks[0]
        answers, total = self.answers, self.total
        rate = (answers - count) / (now - since) if now > since else 0.0
        left = f" · about {_duration((total - answers) / rate)} left" if rate else ""
        return f"{answers:,} of about {total:,} calls · {rate:.1f} a second{left}{self._spent()}"

    def _spent(self) -> str:
        cost = f" · cost {self.cost:.4f}" if self.cost else ""
        return f" · {self.tokens:,} tokens{cost}"

    def _leaf(self, leaf: str) -> str:
        return f"{self._names[leaf]}: {self.done[leaf]} of about {self.expected[leaf]}"

    def say(self, text: str) -> None:
        """A line of its own, above the bar where there is one."""
        if self._bars is not None:
            self._bars.write(text)
        else:
            self._say(text)

    def close(self) -> None:
        if self._bars is not None:
            self._bars.close()


class _Bars:
    """tqdm's bar for all calls, and under it a line for a leaf."""

    def __init__(self, stream: TextIO) -> None:
        from tqdm import tqdm

        self._stream = stream
        common: dict[str, Any] = {"file": stream, "dynamic_ncols": True, "leave": False}
        self._all = tqdm(desc="generate", unit="call", total=0, **common)
        self._leaf = tqdm(bar_format="  {desc}", position=1, **common)

    def show(self, answers: int, total: int, spent: str, leaf: str) -> None:
        self._all.total = total
        self._all.set_postfix_str(spent.removeprefix(" · "), refresh=False)
        self._leaf.set_description_str(leaf, refresh=False)
        if self._all.update(answers - self._all.n):  # it draws a few times a second, not each time
            self._leaf.refresh()

    def write(self, text: str) -> None:
        self._all.write(text, file=self._stream)

    def close(self) -> None:
        self._leaf.close()
        self._all.close()


def terminal() -> TextIO | None:
    """Standard error where a person watches it; a terminal without a width shows no bar."""
    try:
        wide = os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except (OSError, ValueError):
        return None
    return sys.stderr if wide else None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
