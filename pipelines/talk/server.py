"""``graft serve``: one model for the clients of OpenAI's API.

In: a loaded student, the name that it is served under. Out: an ASGI application with
``/v1/chat/completions``, ``/v1/models`` and ``/health``. What writes the answers is the handler of
``transformers serve``; the routes are ours, so that no request can name a model of the Hub, load or unload
one, or get in without the token (docs/adr/0016). Needs the extra ``serve``.
"""

from __future__ import annotations

import hmac
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response, StreamingResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as Received
from starlette.types import ASGIApp, Receive, Scope, Send
from transformers import GenerationConfig
from transformers.cli.serving.chat_completion import ChatCompletionHandler
from transformers.cli.serving.model_manager import ModelManager
from transformers.cli.serving.utils import GenerationState
from transformers.utils import logging as transformers_logging

from pipelines.records import Message
from pipelines.talk.wire import Request, refusal

if TYPE_CHECKING:
    from pipelines.backends.local import Student

LARGEST = 4 * 1024 * 1024  # bytes of a request


def application(student: Student, name: str, longest: int, token: str, hosts: list[str]) -> ASGIApp:
    """The server. ``token`` "" lets everybody in; ``hosts`` are the names that it may be called by: a web
    page that a browser shows could otherwise reach a loopback server under a name of its own."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    handler = _Handler(_OneModel(name, student), GenerationState())
    made = int(time.time())

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        entry = {"id": name, "object": "model", "created": made, "owned_by": "graft"}
        return {"object": "list", "data": [entry]}

    @app.post("/v1/chat/completions")
    async def chat(asked: Request) -> Response:
        if asked.model != name:
            there = f"There is no model {asked.model!r} here, only {name}."
            return refusal(404, there, "model_not_found")
        room = _room(student, asked, longest)
        if room < 1:
            long = f"The conversation is longer than the {student.window} tokens that the model can read."
            return refusal(400, long, "context_length_exceeded")
        body = asked.passed_on(name, min(asked.most or longest, room))
        answer: Response = await handler.handle_request(body, f"chatcmpl-{uuid.uuid4().hex}")
        if isinstance(answer, StreamingResponse):
            answer.body_iterator = _ended(answer.body_iterator)
        return answer

    _errors(app)
    app.add_middleware(_Doorkeeper, token=token)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    return app


def _room(student: Student, asked: Request, longest: int) -> int:
    """The tokens that are left for an answer."""
    if not student.window:
        return longest
    talk = [Message(turn.role, turn.text) for turn in asked.messages]
    return student.window - student.tokens(talk)


async def _ended(pieces: Any) -> AsyncGenerator[str]:
    """The stream as OpenAI's ends; where the client hangs up, its writer is stopped at once."""
    async with aclosing(pieces):
        async for piece in pieces:
            yield piece
    yield "data: [DONE]\n\n"


class _OneModel(ModelManager):
    """The handler's models: one, in memory already. Nothing is fetched, loaded or let go of."""

    def __init__(self, name: str, student: Student) -> None:
        super().__init__()
        self._name = name
        self._held = student.model, student.tokenizer

    @staticmethod
    def process_model_name(model_id: str) -> str:
        return model_id

    def load_model_and_processor(
        self,
        model_id_and_revision: str,
        progress_callback: object = None,
        tqdm_class: object = None,
        gguf_file: str | None = None,
    ) -> tuple[Any, Any]:
        if model_id_and_revision != self._name:
            raise HTTPException(404, f"There is no model {model_id_and_revision!r} here.")
        return self._held


class _Handler(ChatCompletionHandler):
    """transformers' handler; a temperature means that answers are drawn, none that they are not."""

    def _build_generation_config(
        self, body: dict[str, Any], model_generation_config: GenerationConfig, use_cb: bool = False
    ) -> GenerationConfig:
        found: GenerationConfig = super()._build_generation_config(
            body, model_generation_config, use_cb=use_cb
        )
        found.do_sample = bool(body.get("temperature"))
        if not found.do_sample:
            found.temperature = found.top_p = found.top_k = None
        return found


class _Doorkeeper:
    """Turns away who lacks the token, before a byte of the request is read, and what is too large."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._wanted = f"Bearer {token}".encode() if token else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refused(scope) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        given = headers.get("authorization", "").encode("latin-1")
        if (
            self._wanted
            and scope["path"] != "/health"
            and not hmac.compare_digest(given, self._wanted)
        ):
            why = "This server asks for its token: Authorization: Bearer TOKEN."
            return refusal(401, why, "invalid_api_key", **{"WWW-Authenticate": "Bearer"})
        if scope["method"] != "POST":
            return None
        size = headers.get("content-length", "")
        if not size.isdecimal():
            return refusal(411, "Say how long the request is: Content-Length.", "length_required")
        if int(size) > LARGEST:
            return refusal(413, f"A request holds at most {LARGEST} bytes.", "request_too_large")
        return None


def _errors(app: FastAPI) -> None:
    """Every error in OpenAI's form."""

    @app.exception_handler(HTTPException)
    async def known(_: Received, error: HTTPException) -> Response:
        return refusal(error.status_code, str(error.detail), "invalid_request")

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Received, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"] if step != "body")
        unknown = first["type"] == "extra_forbidden"
        said = "this server does not know it" if unknown else first["msg"]
        return refusal(400, f"{where or 'body'}: {said}.", "invalid_request")

    @app.exception_handler(Exception)
    async def unknown(_: Received, error: Exception) -> Response:
        return refusal(500, "The model could not answer; the server's log says why.", "failed")
