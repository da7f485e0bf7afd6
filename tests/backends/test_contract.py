"""What every backend keeps to, whoever answers: the extractive one, a server's, a model in process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from pipelines.backends import BACKENDS, Answer, Backend, Call, Sampling, open_backend
from pipelines.errors import BackendError, CallError
from pipelines.generate.completions import Completions
from pipelines.recipe import Teacher
from pipelines.records import Message
from tests.support.openai_server import REFUSED, start
from tests.support.tiny_model import tiny_model

T = TypeVar("T")


@dataclass(frozen=True)
class Subject:
    """A backend as a recipe names it; ``poison`` makes a call that it cannot answer, where there is one."""

    teacher: Teacher
    poison: Callable[[Call], Call] | None

    def call(self, number: int = 3, **more: object) -> Call:
        question = f"What is part {number} of the river?"
        variables: Mapping[str, str] = {
            "question": question, "answer": f"It is river {number}", "phrasings": "2"
        }  # fmt: skip
        prompt = (Message("user", question),)
        sampling = Sampling(most_tokens=80)
        found = Call("rephrase_seed", variables, prompt, self.teacher.model, "1", sampling)
        return replace(found, **more)  # type: ignore[arg-type]

    def run(self, work: Callable[[Backend], Awaitable[T]]) -> T:
        """Open it, work with it and close it."""

        async def all_of_it() -> T:
            backend = open_backend(self.teacher)
            try:
                return await work(backend)
            finally:
                await backend.close()

        return asyncio.run(all_of_it())


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    model = tiny_model(tmp_path_factory.getbasetemp())
    return Subject(
        Teacher("local", str(model), ""),
        lambda call: replace(call, messages=(Message("user", "river " * 200),)),
    )


@pytest.fixture(scope="module")
def openai_api() -> Iterator[Subject]:
    with start() as server:
        yield Subject(
            Teacher("openai_api", "stand-in", "1", url=server.url),
            lambda call: replace(call, messages=(Message("user", f"river {REFUSED}"),)),
        )


@pytest.fixture(scope="module")
def legacy() -> Iterator[Subject]:
    with start() as server:
        yield Subject(
            Teacher("openai_api", "stand-in", "1", url=server.url, completions="legacy"),
            lambda call: replace(call, messages=(Message("user", f"river {REFUSED}"),)),
        )


@pytest.fixture(scope="module")
def extractive() -> Subject:
    return Subject(Teacher("extractive", "extractive", "1"), None)


@pytest.fixture(params=["extractive", "openai_api", "legacy", "local"])
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.getfixturevalue(request.param)
    return found


def test_every_backend_is_held_to_this() -> None:
    marks = {mark for mark in ("extractive", "openai_api", "local") if mark in globals()}
    assert marks == set(BACKENDS)


def test_an_answer_is_text_and_counts(subject: Subject) -> None:
    answer = subject.run(lambda backend: backend.answer(subject.call()))
    assert isinstance(answer, Answer)
    assert answer.text.strip()
    assert answer.prompt_tokens >= 0
    assert answer.completion_tokens >= 0
    counts = subject.teacher.backend != "extractive"
    assert bool(answer.prompt_tokens and answer.completion_tokens) == counts


def test_the_same_call_has_the_same_answer_in_whatever_company(subject: Subject) -> None:
    calls = [subject.call(number) for number in range(9)]

    async def singly(backend: Backend) -> list[Answer]:
        return [await backend.answer(call) for call in calls]

    async def together(backend: Backend) -> list[Answer]:
        return list(await asyncio.gather(*map(backend.answer, calls[::-1])))

    alone = subject.run(singly)
    assert subject.run(together) == alone[::-1]
    assert len({answer.text for answer in alone}) > 1


def test_samples_of_one_call_are_keyed_and_drawn_apart(subject: Subject) -> None:
    # A tiny model that is hot never ends, and one that is not says the same: some heat is between.
    heats = [Sampling(temperature=heat, most_tokens=80) for heat in (1.5, 2.0, 2.5, 3.0)]
    calls = [subject.call(sampling=heat, sample=number) for heat in heats for number in range(6)]
    assert len({call.key for call in calls}) == 24

    async def draw(backend: Backend) -> list[str]:
        found = await asyncio.gather(*map(backend.answer, calls), return_exceptions=True)
        return [one.text if isinstance(one, Answer) else repr(one) for one in found]

    first = subject.run(draw)
    assert subject.run(draw) == first
    assert any(len(set(first[at : at + 6])) > 1 for at in range(0, 24, 6))


def test_a_call_without_an_answer_leaves_the_others_theirs(subject: Subject) -> None:
    if subject.poison is None:
        pytest.skip("it answers every call of the tasks that it knows")
    bad, good = subject.poison(subject.call()), subject.call(5)

    async def ask(backend: Backend) -> list[Answer | BaseException]:
        each = (backend.answer(call) for call in (good, bad, good, bad, good))
        return list(await asyncio.gather(*each, return_exceptions=True))

    found = subject.run(ask)
    assert [type(one) for one in found] == [Answer, CallError, Answer, CallError, Answer]
    for one in found[1::2]:
        assert str(one)
        assert "\n" not in str(one)


def test_what_no_call_can_be_answered_by_is_no_error_of_one_call(
    subject: Subject, tmp_path: Path
) -> None:
    wrong = {
        "extractive": subject.teacher,
        "openai_api": replace(subject.teacher, model="another"),
        "local": replace(subject.teacher, model=str(tmp_path)),
    }[subject.teacher.backend]
    other = Subject(wrong, None)
    call = other.call(task="translate")
    with pytest.raises(BackendError) as caught:
        other.run(lambda backend: backend.answer(call))
    assert not isinstance(caught.value, CallError)
    assert "\n" not in str(caught.value)


def test_a_cancelled_call_leaves_the_backend_usable(subject: Subject) -> None:
    async def ask(backend: Backend) -> Answer:
        tasks = [asyncio.ensure_future(backend.answer(subject.call(n))) for n in range(4)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return await backend.answer(subject.call())

    assert subject.run(ask) == subject.run(lambda backend: backend.answer(subject.call()))


def test_opening_asks_nobody_and_an_unused_backend_closes(subject: Subject) -> None:
    async def nothing(backend: Backend) -> None:
        return None

    nowhere = replace(subject.teacher, url="http://127.0.0.1:9/v1", model="/no/such/model")
    Subject(nowhere, None).run(nothing)


def test_answers_are_kept_and_read_back_as_they_were(subject: Subject, tmp_path: Path) -> None:
    calls = [subject.call(number) for number in range(3)]

    async def ask(backend: Backend) -> list[Answer]:
        with Completions(tmp_path / "calls.sqlite") as store:
            first = [await store.answer(call, backend) for call in calls]
        with Completions(tmp_path / "calls.sqlite") as store:
            again = [await store.answer(call, backend) for call in calls]
            assert (store.made, store.reused) == (0, 3)
        assert again == first
        return first

    assert len(subject.run(ask)) == 3
