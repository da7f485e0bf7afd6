"""What a plan says of a leaf's calls, held against what generating it then takes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pipelines.backends import Answer, Call, Sampling
from pipelines.backends.tagged import parse
from pipelines.documents import documents
from pipelines.generate import Teaching
from pipelines.generate.completions import Completions
from pipelines.generate.estimate import Estimate, Estimator, planned, price, total
from pipelines.generate.prompts import filled
from pipelines.generate.steps import Ask, Flow, Keep
from pipelines.leaves import WorkTree
from pipelines.recipe import Recipe
from pipelines.text import estimate_tokens
from tests.generate.support import (
    KNOWLEDGE,
    Teacher,
    Work,
    dataset,
    recipe,
    talks,
    taxonomy,
    work_of,
)

RATE = 10.0  # calls a second


def estimates(
    tree: WorkTree, work: Work, path: Path, other: Recipe | None = None
) -> list[Estimate]:
    with Completions(path) as store:
        estimator = Estimator(planned(other or recipe(), store), RATE)
        read = partial(documents, tree)
        return [estimator.leaf(leaf, split, read) for leaf, split in work.values()]


def test_the_calls_told_are_those_that_are_made(tmp_path: Path) -> None:
    tree = taxonomy(tmp_path / "tree")
    work = work_of(tree)
    told = total(estimates(tree, work, tmp_path / "s"))
    teacher = Teacher()
    dataset(tmp_path / "out", tree, work, teacher, tmp_path / "s")
    # How many questions the teacher writes, to each of which it would add wrong choices, is a guess.
    chunks = sum(call.task == "examine_document" for call in teacher.asked)
    guessed = chunks * recipe().generate.exam_questions
    added = sum(call.task == "write_distractors" for call in teacher.asked)
    assert told.calls == len(teacher.asked) - added + guessed
    assert (told.stored, told.cost) == (0, None)
    assert told.seconds == pytest.approx(told.calls / RATE)
    assert told.prompt_tokens > 20 * told.calls
    assert told.completion_tokens > told.calls


def test_what_the_store_has_is_not_told_again(tmp_path: Path) -> None:
    tree = taxonomy(tmp_path / "tree")
    work = work_of(tree)
    some = {h: found for h, found in work.items() if found[0].path == KNOWLEDGE}
    dataset(tmp_path / "out", tree, some, Teacher(), tmp_path / "s")
    for one in estimates(tree, work, tmp_path / "s"):
        assert one.calls > 0
        assert one.stored == (one.calls if one.leaf == KNOWLEDGE else 0)
        assert (one.prompt_tokens == 0) == (one.leaf == KNOWLEDGE)
        assert (one.seconds == 0) == (one.leaf == KNOWLEDGE)


def test_what_the_teacher_writes_for_rows_is_counted_paid_for_or_stored(tmp_path: Path) -> None:
    tree = taxonomy(tmp_path / "tree")
    work = work_of(tree)
    store = tmp_path / "s"
    guessed = total(estimates(tree, work, store)).written
    out = tmp_path / "out"
    dataset(out, tree, work, Teacher(), store)
    known = total(estimates(tree, work, store)).written
    rows_hold = sum(
        estimate_tokens(turn.content)
        for found in talks(out).values()
        for talk in found
        for turn in talk
    )
    assert (
        known > 0.8 * rows_hold
    )  # the answers' tags and what filters drop, less repeated contexts
    assert guessed > 0
    assert total(estimates(tree, work, store)).completion_tokens == 0


def test_prices_are_per_million_tokens(tmp_path: Path) -> None:
    tree = taxonomy(tmp_path / "tree")
    priced = replace(recipe(), teacher=replace(recipe().teacher, price_in=2.0, price_out=8.0))
    one = total(estimates(tree, work_of(tree), tmp_path / "s", priced))
    assert one.cost is not None
    assert one.cost == pytest.approx(
        price(priced.teacher, one.prompt_tokens, one.completion_tokens), rel=0.01
    )
    assert price(priced.teacher, 1_000_000, 500_000) == 6.0


def test_nobody_is_asked() -> None:
    with Completions(Path(":memory:")) as store:
        teaching = planned(recipe(), store)
        call = Call("t", {}, (), "m", "1")
        with pytest.raises(Exception, match="asks nobody"):
            asyncio.run(teaching.teacher.answer(call))


# --- flows of several asking steps ---

ASK_TOPICS = Ask(
    "topics", ("question",), partial(filled, "Topics of {{ question }}"),
    partial(parse, tags=("topic",)),
)  # fmt: skip
ASK_ANSWER = Ask(
    "answer", ("topic",), partial(filled, "Tell of {{ topic }}"),
    partial(parse, tags=("answer",)), samples=2, sampling=Sampling(most_tokens=30),
)  # fmt: skip
ODD = Keep("odd", lambda row, setting: "" if row.columns["topic"] in "135" else "even")


@pytest.fixture
def two_steps(monkeypatch: pytest.MonkeyPatch) -> Flow:
    """Every leaf goes through a flow that asks for topics, keeps some, and asks about each twice."""
    flow = Flow("two", "skills", "question", (ASK_TOPICS, ODD, ASK_ANSWER), "hash")
    monkeypatch.setattr(Teaching, "flows", lambda self, kind: [flow])
    return flow


def topics(count: int) -> str:
    return "".join(f"[TOPIC]\n{number}\n[END]\n" for number in range(1, count + 1))


def first_calls(tree: WorkTree, work: Work, flow: Flow, store: Completions) -> list[Call]:
    from pipelines.generate import first_rows

    teaching = planned(recipe(), store)
    return [
        call
        for leaf, split in work.values()
        for row in first_rows(flow, leaf, split, partial(documents, tree), recipe())
        for call in teaching.calls(ASK_TOPICS, row)
    ]


class Fixed:
    def __init__(self, text: str) -> None:
        self.text = text

    async def answer(self, call: Call) -> Answer:
        return Answer(self.text)

    async def close(self) -> None:
        return None


def test_the_steps_after_known_answers_are_counted_from_them(
    tmp_path: Path, two_steps: Flow
) -> None:
    tree = taxonomy(tmp_path / "tree")
    work = {h: found for h, found in work_of(tree).items() if found[0].kind == "freeform_skill"}
    with Completions(tmp_path / "s") as store:
        calls = first_calls(tree, work, two_steps, store)
        store.answers(calls, Fixed(topics(4)))
    (one,) = estimates(tree, work, tmp_path / "s")
    # Of the topics 1 to 4 the filter keeps 1 and 3; each is asked about twice.
    assert one.stored == len(calls)
    assert one.calls == len(calls) * (1 + 2 * 2)


def test_the_steps_after_unknown_answers_are_guessed_from_like_answers(
    tmp_path: Path, two_steps: Flow
) -> None:
    tree = taxonomy(tmp_path / "tree")
    work = {h: found for h, found in work_of(tree).items() if found[0].kind == "freeform_skill"}
    with Completions(tmp_path / "s") as store:
        calls = first_calls(tree, work, two_steps, store)
        store.answers(calls[:1], Fixed(topics(6)))
    (one,) = estimates(tree, work, tmp_path / "s")
    known, guessed = 1 + 3 * 2, 1 + 6 * 2  # beyond the first unknown answer filters are not tried
    assert (one.stored, one.calls) == (1, known + (len(calls) - 1) * guessed)
