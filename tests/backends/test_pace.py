"""How many requests are under way at once, and what a server's ``Retry-After`` comes to."""

from __future__ import annotations

import asyncio
import contextlib
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.backends.pace import LONGEST_BACKOFF, Pace, backoff, retry_after


def run(*events: str, most: int = 64) -> Pace:
    """A pace to which these things have happened, each to a request of its own."""

    async def happen() -> Pace:
        pace = Pace(most)
        for event in events:
            began = await pace.enter()
            if event == "answered":
                pace.answered()
            elif event == "busy":
                pace.crowded(began)
            else:
                pace.late(began)
            pace.leave()
        return pace

    return asyncio.run(happen())


def test_a_busy_server_halves_and_answers_bring_slots_back_up_to_the_recipe_s() -> None:
    assert run("busy").limit == 32
    assert run("busy", "busy").limit == 16
    assert run(*["busy"] * 30).limit == 1
    back = run("busy", *["answered"] * 8)
    assert 32 < back.limit < 34
    assert run("busy", *["answered"] * 2000).limit == 64
    assert run(*["answered"] * 100).limit == 64
    assert run("busy", most=0).limit == 1


def test_requests_that_were_under_way_together_halve_once() -> None:
    async def happen() -> float:
        pace = Pace(64)
        began = [await pace.enter() for _ in range(40)]
        for at in began:
            pace.crowded(at)
            pace.leave()
        return pace.limit

    assert asyncio.run(happen()) == 32


def test_one_late_request_changes_nothing_and_many_do() -> None:
    assert run("late").limit == 64
    rare = [*["answered"] * 49, "late"] * 20
    assert run(*rare).limit == 64
    assert run(*["late"] * 20).limit <= 32


@given(st.lists(st.sampled_from(["take", "leave", "busy", "answered", "cancel"]), max_size=80))
def test_never_more_under_way_than_the_limit_and_no_slot_is_lost(events: list[str]) -> None:
    async def happen() -> None:
        pace = Pace(4)
        entered: list[asyncio.Task[float]] = []
        for event in events:
            done = [task for task in entered if task.done()]
            if event == "take":
                entered.append(asyncio.ensure_future(pace.enter()))
            elif event == "cancel" and entered:
                task = entered[-1]
                if not task.done():
                    entered.remove(task)
                    task.cancel()
            elif event == "leave" and done:
                entered.remove(done[0])
                pace.leave()
            elif event == "busy":
                pace.crowded(asyncio.get_running_loop().time())
            elif event == "answered":
                pace.answered()
            for _ in range(3):
                await asyncio.sleep(0)
            assert 0 <= pace.under_way <= 4
            assert pace.under_way == sum(task.done() for task in entered)
        while entered:  # all that wait get their turn
            task = next(task for task in entered if task.done())
            entered.remove(task)
            pace.leave()
            for _ in range(3):
                await asyncio.sleep(0)
        assert pace.under_way == 0

    asyncio.run(happen())


def test_nothing_is_sent_while_the_server_wants_none() -> None:
    async def happen() -> tuple[float, float]:
        pace = Pace(4)
        loop = asyncio.get_running_loop()
        first = loop.time()
        pace.hold(0.3)
        pace.hold(0.1)  # the longer one counts
        waiting = asyncio.ensure_future(pace.enter())
        with contextlib.suppress(asyncio.CancelledError):  # who gives up leaves no slot behind
            other = asyncio.ensure_future(pace.enter())
            await asyncio.sleep(0)
            other.cancel()
            await other
        second = await waiting
        assert pace.under_way == 1
        return first, second

    first, second = asyncio.run(happen())
    assert second - first >= 0.3


@given(st.integers(1, 10_000))
def test_waits_grow_and_stay_bounded(failures: int) -> None:
    for _ in range(5):
        assert 0 <= backoff(failures, 1.0) <= min(LONGEST_BACKOFF, 2.0 ** min(failures - 1, 30))


@pytest.mark.parametrize(("told", "wanted"), [("7", 7), ("1.5", 1.5), ("-3", 0)])
def test_retry_after_in_seconds(told: str, wanted: float) -> None:
    assert retry_after({"Retry-After": told}) == wanted


@pytest.mark.parametrize(("ahead", "least", "most"), [(100, 30, 101), (-100, 0, 0)])
def test_retry_after_as_a_date(ahead: int, least: float, most: float) -> None:
    seconds = retry_after({"Retry-After": formatdate(time.time() + ahead, usegmt=True)})
    assert seconds is not None
    assert least <= seconds <= most


@pytest.mark.parametrize("told", ["", "soon", "nan", "inf", "Fri, 99 Foo 2020 00:00:00 GMT"])
def test_a_nonsense_retry_after_is_none(told: str) -> None:
    assert retry_after({"Retry-After": told}) is None
    assert retry_after({}) is None
