"""The teacher in this process, on a model of a few thousand weights that is really generated with."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from pipelines.backends import Answer, Call, Sampling
from pipelines.backends.local_teacher import LocalTeacher, _Draws
from pipelines.errors import BackendError, CallError, GraftError
from pipelines.recipe import Teacher
from pipelines.records import Message
from tests.support.tiny_model import tiny_model

GREEDY = Sampling(most_tokens=24)
WARM = Sampling(temperature=1.5, most_tokens=24)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.getbasetemp())


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Counted(LocalTeacher):
    """Remembers how large its batches were."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__(teacher)
        self.sizes: list[int] = []

    def _batch(self, calls: Sequence[Call]) -> list[Answer | Exception]:
        self.sizes.append(len(calls))
        return super()._batch(calls)


def call(number: int = 3, sampling: Sampling = GREEDY, text: str = "", sample: int = 0) -> Call:
    asked = text or f"What is part {number} of the river?"
    return Call("ask", {}, (Message("user", asked),), "tiny", "", sampling, sample=sample)


def ask(
    model: Path, calls: Sequence[Call], apart: bool = False, **more: int
) -> tuple[list[Answer | BaseException], list[int]]:
    """What becomes of each call, asked all at once or one after the other; and the batches' sizes."""

    async def all_of_it() -> tuple[list[Answer | BaseException], list[int]]:
        backend = Counted(Teacher("local", str(model), "", **more))  # type: ignore[arg-type]
        try:
            if not apart:
                found = await asyncio.gather(*map(backend.answer, calls), return_exceptions=True)
                return list(found), backend.sizes
            each: list[Answer | BaseException] = []
            for one in calls:
                each += await asyncio.gather(backend.answer(one), return_exceptions=True)
            return each, backend.sizes
        finally:
            await backend.close()

    return asyncio.run(all_of_it())


def test_calls_that_wait_together_form_one_batch_and_answer_as_if_alone(model: Path) -> None:
    calls = [call(n) for n in range(10)]
    together, sizes = ask(model, calls)
    assert sizes == [10]
    alone, singly = ask(model, calls, apart=True)
    assert singly == [1] * 10
    assert together == alone
    for number, answer in enumerate(together):
        assert isinstance(answer, Answer)
        assert answer.text == f"It is river {number}"
        assert 0 < answer.completion_tokens < 24
    tokenizer = AutoTokenizer.from_pretrained(model)
    (first, *_) = together
    assert isinstance(first, Answer)
    template = "<|user|>What is part 0 of the river?<|end|><|assistant|>"
    assert first.prompt_tokens == len(tokenizer(template)["input_ids"])


def test_a_batch_holds_as_many_as_the_recipe_says_and_only_what_is_sampled_alike(
    model: Path,
) -> None:
    calls = [call(n, GREEDY if n % 2 else Sampling(most_tokens=20)) for n in range(10)]
    _, sizes = ask(model, calls, concurrency=4)
    assert sorted(sizes) == [1, 1, 4, 4]


def test_draws_follow_from_the_call_and_not_from_its_company(model: Path) -> None:
    def said(found: Sequence[Answer | BaseException]) -> list[str]:
        return [one.text if isinstance(one, Answer) else str(one) for one in found]

    calls = [call(0, WARM, "What is the part of the river?", n) for n in range(8)]
    together = said(ask(model, calls)[0])
    assert together == said(ask(model, calls, apart=True)[0])
    assert said(ask(model, calls[::-1])[0]) == together[::-1]
    assert len(set(together)) > 1


def test_draws_have_the_distribution_that_they_should() -> None:
    wanted = torch.tensor([0.5, 0.3, 0.15, 0.05])
    count = 4000
    scores = wanted.log().expand(count, -1)
    drawn = _Draws(range(count))(torch.empty(0, dtype=torch.long), scores).argmax(-1)  # type: ignore[arg-type]
    found = torch.bincount(drawn, minlength=4) / count
    assert (found - wanted).abs().max() < 0.03


def test_top_k_of_one_is_greedy_and_an_unknown_parameter_is_told(model: Path) -> None:
    one = Sampling(1.0, 24, (), {"top_k": 1, "top_p": 0.9})
    assert ask(model, [call(sampling=one)])[0] == ask(model, [call()])[0]
    (error,), _ = ask(model, [call(sampling=Sampling(other={"beams": 3}, most_tokens=8))])
    assert isinstance(error, BackendError)
    assert not isinstance(error, CallError)
    assert "sampling parameter beams" in str(error)


def test_an_answer_ends_before_a_stop_word_and_a_cut_one_sets_its_row_apart(model: Path) -> None:
    (whole, stopped, cut), _ = ask(
        model,
        [call(), call(sampling=Sampling(most_tokens=24, stop=("river",))),
         call(sampling=Sampling(most_tokens=2))],
    )  # fmt: skip
    assert isinstance(whole, Answer)
    assert isinstance(stopped, Answer)
    assert stopped.text == whole.text.split("river")[0].strip() == "It is"
    assert isinstance(cut, CallError)
    assert "cut off at 2 tokens" in str(cut)


def test_what_exceeds_the_window_is_set_apart_and_the_rest_of_its_batch_is_answered(
    model: Path,
) -> None:
    """The model has 128 positions; the prompt is counted by its own tokenizer."""
    good, long = call(), call(text="river " * 200)
    found, sizes = ask(model, [good, long, good])
    assert sizes == [3]
    assert isinstance(found[1], CallError)
    assert "24 for the answer" in str(found[1])
    assert "holds 128" in str(found[1])
    assert found[0] == found[2] == ask(model, [good])[0][0]
    (narrow,), _ = ask(model, [good], context=30)
    assert isinstance(narrow, CallError)
    assert "holds 30" in str(narrow)


def test_a_cancelled_call_leaves_the_others_their_answers(model: Path) -> None:
    async def all_of_it() -> list[Answer]:
        backend = LocalTeacher(Teacher("local", str(model), ""))
        gone = [asyncio.ensure_future(backend.answer(call(n))) for n in range(3)]
        stay = [asyncio.ensure_future(backend.answer(call(n))) for n in range(3)]
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        found = await asyncio.gather(*stay)
        await backend.close()
        return found

    found = asyncio.run(all_of_it())
    assert Counter(type(answer) for answer in found) == {Answer: 3}


def test_closing_ends_what_waits(model: Path) -> None:
    async def all_of_it() -> None:
        backend = LocalTeacher(Teacher("local", str(model), ""))
        waiting = asyncio.ensure_future(backend.answer(call()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await backend.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(all_of_it())


def test_a_model_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    for place in (tmp_path, tmp_path / "nowhere"):
        (error,), _ = ask(place, [call()])
        assert isinstance(error, GraftError)
        assert f"The teacher {place} cannot be loaded" in str(error)
        assert "\n" not in str(error)
