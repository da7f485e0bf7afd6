"""Progress: lines in CI, a bar on a terminal, and what both are told by a real run of the stage."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pipelines.documents import documents
from pipelines.generate import Teaching, generate
from pipelines.generate.completions import Completions
from pipelines.generate.estimate import Estimator, planned
from pipelines.generate.progress import EVERY, LEAF, Progress, Watched
from tests.generate.support import Teacher, Work, recipe, taxonomy, work_of


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def progress(said: Callable[[str], None], clock: Clock, **more: io.StringIO) -> Progress:
    names = {"a": "knowledge/a", "b": "skills/b"}
    return Progress({"a": 40, "b": 60}, names, said, more.get("stream"), clock)


def answer(told: Progress, leaf: str, count: int = 1) -> None:
    LEAF.set(leaf)
    for _ in range(count):
        told.answered()


def test_lines_come_at_most_one_in_some_seconds_and_hold_rate_and_time_left() -> None:
    said: list[str] = []
    clock = Clock()
    told = progress(said.append, clock)
    answer(told, "a", 10)
    assert said == []
    clock.now += EVERY
    told.spent(1500, 0.25)
    answer(told, "a", 10)
    (line,) = said
    assert line == (
        "generate: 11 of about 100 calls · 2.2 a second · about 40 s left · 1,500 tokens · "
        "cost 0.2500 · knowledge/a: 11 of about 40"
    )
    clock.now += EVERY
    answer(told, "b")
    assert len(said) == 2


def test_without_prices_no_cost_is_told() -> None:
    told = progress(print, Clock())
    told.spent(10, 0.0)
    assert "cost" not in told.line(101)


def test_what_a_leaf_took_replaces_what_was_expected() -> None:
    told = progress(print, Clock())
    answer(told, "a", 55)
    assert (told.answers, told.total) == (55, 115)
    told.finished("a")
    assert told.total == 115
    answer(told, "b", 3)
    told.finished("b")
    assert (told.answers, told.total) == (58, 58)


def test_on_a_terminal_a_bar_is_drawn_and_lines_stand_above_it() -> None:
    said: list[str] = []
    stream = io.StringIO()
    told = progress(said.append, Clock(), stream=stream)
    told.spent(1500, 0.0)
    answer(told, "a", 40)
    told.say("generate: a line")
    told.close()
    assert said == []
    drawn = stream.getvalue()
    assert "generate" in drawn
    assert "generate: a line\n" in drawn
    assert "\r" in drawn


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return work_of(taxonomy(tmp_path / "tree"))


def test_every_answer_of_the_stage_is_told_to_its_leaf(tmp_path: Path, work: Work) -> None:
    tree = taxonomy(tmp_path / "again")
    priced = replace(recipe().teacher, price_in=1.0, price_out=1.0)
    read = partial(documents, tree)
    for run, kept in (("first", False), ("second", True)):
        (tmp_path / run).mkdir()
        with Completions(tmp_path / "s") as store:
            estimator = Estimator(planned(recipe(), store), 1.0)
            expected = {h: estimator.calls(leaf, split, read) for h, (leaf, split) in work.items()}
            names = {h: leaf.path for h, (leaf, _) in work.items()}
            told = Progress(expected, names, lambda line: None)
            teacher = Watched(Teacher(), priced, told)
            teaching = Teaching(recipe(), store, teacher, watch=told)
            generate(work, read, teaching, tmp_path / run, told.say)
            assert told.answers == store.made + store.reused
            assert told.done == told.expected
            # Not every question of this teacher comes as far as wrong answers to it.
            assert all(
                expected[leaf] - 2 <= done <= expected[leaf] for leaf, done in told.done.items()
            )
            assert (told.tokens == 0) == kept  # what the store has costs nothing
            assert told.cost == pytest.approx(told.tokens / 1_000_000)
