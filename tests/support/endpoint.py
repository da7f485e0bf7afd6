"""A server on the loopback interface that answers as the test says, in the test's own event loop.

For single responses that the stand-in of ``openai_server`` does not give. ``asked`` keeps the bodies of
requests, ``headers`` theirs.
"""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.web_request import BaseRequest

Reply = web.StreamResponse | str
Body = dict[str, Any]


@dataclass(slots=True)
class Endpoint:
    """Where it is, and what it was asked."""

    url: str = ""
    asked: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def endpoint(
    reply: Callable[[Body, int], Reply], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Endpoint]:
    """``reply`` is given a request's body and its number from 0; text becomes a sound completion."""
    found = Endpoint()

    async def handle(request: BaseRequest) -> web.StreamResponse:
        body = json.loads(await request.read() or b"{}")
        found.asked.append(body)
        found.headers.append(dict(request.headers))
        found.paths.append(request.path)
        given = reply(body, len(found.asked) - 1)
        return completion(given) if isinstance(given, str) else given

    runner = web.ServerRunner(
        web.Server(handle, access_log=None, handler_cancellation=True), shutdown_timeout=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    found.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield found
    finally:
        await runner.cleanup()


def completion(text: str | None, **choice: Any) -> web.Response:
    """A response of the chat endpoint; ``choice`` alters its one choice."""
    said = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop", **choice}
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    return web.json_response({"choices": [said], "usage": usage})


def failure(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """An error in OpenAI's shape."""
    return web.json_response({"error": {"message": message}}, status=status, headers=headers)
