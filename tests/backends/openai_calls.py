"""One call after the other through the teacher over HTTP, to a server that answers as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pipelines.backends import Answer, Call
from pipelines.backends.openai_api import OpenAI
from pipelines.errors import GraftError
from pipelines.recipe import Teacher
from pipelines.records import Message
from tests.support.endpoint import Body, Endpoint, Reply, endpoint

KEY = "sk-test-4f9b2c7d1e8a6053-not-for-others"
SCHEMA = {"type": "object", "properties": {"question": {"type": "string"}}}


def call(text: str = "Hello.", **more: Any) -> Call:
    return Call("ask", {}, (Message("user", text),), "stand-in", "1", **more)


def teacher(url: str, **more: Any) -> Teacher:
    return Teacher("openai_api", "stand-in", "1", url=url, **more)


def asked(
    reply: Callable[[Body, int], Reply], *calls: Call, **more: Any
) -> tuple[list[Answer | GraftError], Endpoint]:
    """What becomes of each call, one after the other, and what the server was asked."""

    async def ask() -> tuple[list[Answer | GraftError], Endpoint]:
        found: list[Answer | GraftError] = []
        async with endpoint(reply) as server:
            backend = OpenAI(teacher(server.url, **{"timeout": 20.0, **more}), first_wait=0.001)
            try:
                for one in calls or (call(),):
                    try:
                        found.append(await backend.answer(one))
                    except GraftError as error:
                        found.append(error)
            finally:
                await backend.close()
        return found, server

    return asyncio.run(ask())


def one_error(reply: Callable[[Body, int], Reply], *calls: Call, **more: Any) -> GraftError:
    found, _ = asked(reply, *calls, **more)
    assert isinstance(found[-1], GraftError), found
    assert "\n" not in str(found[-1])
    return found[-1]
