"""How many requests a server gets at once, and how long to wait before asking again.

In: what became of each request. Out: leave to send the next one. Additive increase, multiplicative
decrease: half as many at once where the server says that it is busy or many requests are not answered in
time, and slowly more again while answers come, never more than the recipe allows.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

LONGEST_BACKOFF = 60.0  # seconds
STEP = 4  # slots gained in a round of answers
SLOW = 0.1  # share of a round that may be late: one that hangs says nothing about the others


class Pace:
    """Slots for requests; ``limit`` moves between 1 and ``most``."""

    def __init__(self, most: int) -> None:
        self.most = max(1, most)
        self.limit = float(self.most)
        self.under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._held_until = 0.0
        self._halved_at = -math.inf
        self._ended = 0
        self._late: deque[int] = deque()

    async def enter(self) -> float:
        """Wait for a slot, first come first served; the loop's time at which it was had."""
        loop = asyncio.get_running_loop()
        if self.under_way < int(self.limit):
            self.under_way += 1
        else:
            slot = loop.create_future()
            self._waiting.append(slot)
            try:
                await slot  # who leaves hands the slot over, so it is counted already
            except asyncio.CancelledError:
                if slot.done() and not slot.cancelled():
                    self.leave()
                raise
        try:
            while (left := self._held_until - loop.time()) > 0:
                await asyncio.sleep(left * random.uniform(1.0, 1.1))
        except BaseException:
            self.leave()
            raise
        return loop.time()

    def leave(self) -> None:
        """Give the slot back, to those who wait for one."""
        self.under_way -= 1
        self._ended += 1
        while self._waiting and self.under_way < int(self.limit):
            slot = self._waiting.popleft()
            if not slot.done():
                self.under_way += 1
                slot.set_result(None)

    def answered(self) -> None:
        """A request was answered: a few more slots for each round of answers."""
        self.limit = min(float(self.most), self.limit + STEP / self.limit)

    def crowded(self, began: float) -> None:
        """A request, sent at ``began``, was too much: half the slots, once for all that were under way."""
        if began >= self._halved_at:
            self.limit = max(1.0, self.limit / 2)
            self._halved_at = asyncio.get_running_loop().time()

    def late(self, began: float) -> None:
        """A request, sent at ``began``, was not answered in time."""
        self._late.append(self._ended)
        while self._late[0] < self._ended - self.limit:
            self._late.popleft()
        if len(self._late) > max(1.0, SLOW * self.limit):
            self._late.clear()
            self.crowded(began)

    def hold(self, seconds: float) -> None:
        """Send nothing for so long: the server has said when to come back."""
        self._held_until = max(self._held_until, asyncio.get_running_loop().time() + seconds)


def backoff(failures: int, first: float) -> float:
    """Seconds to wait after so many failures: full jitter below a bound that doubles from ``first``."""
    return random.uniform(0, min(LONGEST_BACKOFF, first * 2.0 ** min(failures - 1, 30)))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """What a ``Retry-After`` asks for, a number or a date, in seconds from now; None without one."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
