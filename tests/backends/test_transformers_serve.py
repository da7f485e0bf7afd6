"""A real OpenAI-compatible server as teacher: `transformers serve` with a tiny model, started by a recipe."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path

import pytest

from pipelines.backends import Answer, Call, Sampling, open_backend
from pipelines.recipe import Teacher
from pipelines.records import Message
from tests.backends.test_command import free_port, listening
from tests.support.tiny_model import tiny_model


def answers(teacher: Teacher, calls: list[Call]) -> list[Answer]:
    async def all_of_it() -> list[Answer]:
        backend = open_backend(teacher)
        try:
            return await asyncio.gather(*map(backend.answer, calls))
        finally:
            await backend.close()

    return asyncio.run(all_of_it())


@pytest.mark.slow
def test_the_same_weights_say_the_same_behind_a_real_server_which_ends_with_the_run(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = tiny_model(tmp_path_factory.getbasetemp())
    port = free_port()
    command = shlex.join(
        [str(Path(sys.executable).with_name("transformers")), "serve", "--host", "127.0.0.1",
         "--port", str(port), "--device", "cpu", str(model)]
    )  # fmt: skip
    served = Teacher(
        "openai_api", str(model), "1", url=f"http://127.0.0.1:{port}/v1", command=command
    )
    calls = [
        Call(
            "ask", {}, (Message("user", f"What is part {number} of the river?"),), str(model), "1",
            Sampling(most_tokens=60),
        )
        for number in range(6)
    ]  # fmt: skip
    found = answers(served, calls)
    local = answers(Teacher("local", str(model), ""), calls)
    assert [answer.text.strip() for answer in found] == [answer.text.strip() for answer in local]
    assert len({answer.text for answer in found}) > 1
    assert all(answer.prompt_tokens and answer.completion_tokens for answer in found)
    assert not listening(port)
