"""The stand-in server's side of HTTP: a request in, a response in OpenAI's shape out, all counted.

No routing table and no middleware: it has to answer several thousand requests a second on one core, so
that it is the client that a benchmark measures.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from array import array
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web
from aiohttp.web_request import BaseRequest

from tests.support import openai_answers as answers
from tests.support.openai_profiles import fate, profile_of
from tests.support.openai_server import ALWAYS_GARBAGE, REFUSED, Counts, Settings

CHARACTERS = 4  # of a token: near enough, and quick
PATHS = {"/v1/chat/completions": "chat", "/v1/completions": "text"}


class Refusal(Exception):
    """An answer with an error's status."""

    def __init__(
        self, status: int, message: str, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        kind = {401: "invalid_request_error", 429: "requests", 500: "server_error"}
        self.error = {
            "message": message,
            "type": kind.get(status, "invalid_request_error"),
            "param": param,
            "code": code,
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """A sound request: its body, its endpoint, its chats, and the text that each is known by."""

    asked: dict[str, Any]
    kind: str
    chats: list[list[Any]]
    contents: list[str]


class Site:
    """One server's settings and counts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.profile = profile_of(settings.profile)
        self.answer = answers.answerer(settings.answer)
        self.reset()

    def reset(self) -> None:
        self.counts = Counts(in_flight=self.counts.in_flight if hasattr(self, "counts") else 0)
        self.statuses: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.delays = array("d")

    async def handle(self, request: BaseRequest) -> web.StreamResponse:
        """Any request."""
        path = request.path
        if path in PATHS and request.method == "POST":
            return await self._counted(request, PATHS[path])
        if path == "/counter/reset" and request.method == "POST":
            self.reset()
            return _json({})
        if request.method == "GET":
            if path == "/counter":
                return _json(self._told())
            if path == "/prompts":
                return _json(dict(self.attempts))
            if path == "/delays":
                return _json(list(self.delays))
            if path == "/health":
                return _json({"status": "ok"})
        try:
            self._known(request)
            if path == "/v1/models" and request.method == "GET":
                return _json(self._models())
            message = f"Invalid URL ({request.method} {path})"
            raise Refusal(404, message, code="unknown_url")
        except Refusal as refusal:
            return _json({"error": refusal.error}, refusal.status)

    def _told(self) -> dict[str, Any]:
        counts = self.counts
        counts.distinct = len(self.attempts)
        counts.by_status, counts.faults = dict(self.statuses), dict(self.faults)
        counts.delays, counts.cpu = sum(self.delays), time.process_time()
        return asdict(counts)

    def _models(self) -> dict[str, Any]:
        model = {"id": self.settings.model, "object": "model", "created": 0, "owned_by": "tests"}
        if self.settings.context:
            model["max_model_len"] = self.settings.context
        return {"object": "list", "data": [model]}

    def _known(self, request: BaseRequest) -> None:
        token = self.settings.token
        if token and request.headers.get("Authorization") != f"Bearer {token}":
            raise Refusal(401, "Incorrect API key provided.", code="invalid_api_key")

    async def _counted(self, request: BaseRequest, kind: str) -> web.StreamResponse:
        counts = self.counts
        counts.calls += 1
        counts.in_flight += 1
        counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)
        status = "abandoned"
        try:
            response = await self._answered(request, kind)
            status = str(response.status)
        except Refusal as refusal:
            status = str(refusal.status)
            response = _json({"error": refusal.error}, refusal.status)
            if refusal.status == 429:
                response.headers["Retry-After"] = str(self.settings.retry_after)
        finally:
            self.counts.in_flight -= 1
            self.statuses[status] += 1
            self.counts.abandoned += status == "abandoned"
        return response

    async def _answered(self, request: BaseRequest, kind: str) -> web.StreamResponse:
        began, limit = time.perf_counter(), self.settings.limit
        if limit and self.counts.in_flight > limit:
            message = f"Rate limit reached: at most {limit} requests at once."
            raise Refusal(429, message, code="rate_limit_exceeded")
        self._known(request)
        asked = _read(await request.read())
        self._sound(asked)
        chats = _chats(asked, kind)
        wanted = asked.get("response_format")
        wish = Wish(asked, kind, chats, [json.dumps([wanted, said]) for said in chats])
        keys = [
            hashlib.blake2b(said.encode(), digest_size=16).hexdigest() for said in wish.contents
        ]
        self.counts.prompts += len(chats)
        attempt = self.attempts[keys[0]]
        self.attempts.update(keys)
        delay, fault = fate(self.profile, self.settings.seed, "".join(keys), attempt)
        delay += self.settings.latency
        self.delays.append(delay)
        if fault:
            self.faults[fault] += 1
        if fault == "hang":
            await asyncio.sleep(3600)
        try:  # the answer is made first, so that the delay is all that the client waits for
            sound = self._completion(wish, fault, attempt)
        finally:
            if (left := delay - (time.perf_counter() - began)) > 0:
                await asyncio.sleep(left)
        if fault == "429":
            raise Refusal(429, "Rate limit reached for requests.", code="rate_limit_exceeded")
        if fault == "500":
            raise Refusal(500, "The server had an error while processing your request.")
        return await _sent(request, sound, fault)

    def _sound(self, asked: dict[str, Any]) -> None:
        """Refuse what this server does not do."""
        model = asked.get("model")
        if not isinstance(model, str):
            raise Refusal(400, "You must provide a model parameter.")
        if model != self.settings.model:
            message = f"The model `{model}` does not exist or you do not have access to it."
            raise Refusal(404, message, code="model_not_found")
        if asked.get("stream"):
            raise Refusal(400, "Streaming is not supported by this server.", param="stream")
        count = asked.get("n", 1)
        if type(count) is not int or not 1 <= count <= 128:
            raise Refusal(400, "n must be a whole number from 1 to 128.", param="n")
        wanted = (asked.get("response_format") or {}).get("type", "text")
        if wanted == "json_schema" and self.settings.json_schema == "refused":
            message = (
                "Invalid parameter: 'response_format' of type 'json_schema' is not supported "
                "with this model."
            )
            raise Refusal(400, message, param="response_format")

    def _completion(self, wish: Wish, fault: str, attempt: int) -> bytes:
        """The body of a sound answer."""
        asked, kind, chats = wish.asked, wish.kind, wish.chats
        if fault in ("429", "500"):
            return b""
        content = "".join(wish.contents)
        if REFUSED in content:
            message = "The prompt was refused by the content management policy."
            raise Refusal(400, message, code="content_filter", param="prompt")
        if ALWAYS_GARBAGE in content:
            fault = "garbage"
        count = asked.get("n", 1)
        most = asked.get("max_completion_tokens") or asked.get("max_tokens") or 0
        texts, read, written = [], 0, 0
        for chat in chats:
            length = sum(map(len, (answers.text_of([message]) for message in chat)))
            tokens = length // CHARACTERS + 1
            self._fits(tokens, most)
            read += tokens
            texts += [self._text(asked, chat, at, fault, attempt) for at in range(count)]
        if fault == "choices":
            texts = texts[:-1] if attempt % 2 else [*texts, texts[-1]]
        choices = []
        for index, whole in enumerate(texts):
            text, reason = _cut(whole, asked.get("stop"), most)
            written += len(text) // CHARACTERS + 1
            choices.append(_choice(kind, index, text, reason))
        self.counts.prompt_tokens += read
        self.counts.completion_tokens += written
        usage = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }
        return json.dumps(
            {
                "id": f"{kind}-{self.counts.calls}",
                "object": "chat.completion" if kind == "chat" else "text_completion",
                "created": int(time.time()),
                "model": self.settings.model,
                "choices": choices,
                "usage": usage,
            }
        ).encode()

    def _fits(self, tokens: int, most: int) -> None:
        window = self.settings.context
        if window and tokens + most > window:
            message = (
                f"This model's maximum context length is {window} tokens. However, you requested "
                f"{tokens + most} tokens ({tokens} in the messages, {most} in the completion)."
            )
            raise Refusal(400, message, code="context_length_exceeded", param="messages")

    def _text(
        self, asked: dict[str, Any], chat: list[Any], at: int, fault: str, attempt: int
    ) -> str:
        if fault == "garbage":
            return answers.garbage(answers.text_of(chat), attempt)
        varies = asked.get("temperature", 1) != 0
        variation = (asked.get("seed") or 0) + at if varies else 0
        wanted = asked.get("response_format") or {}
        if wanted.get("type") == "json_schema" and self.settings.json_schema == "supported":
            schema = (wanted.get("json_schema") or {}).get("schema") or {}
            return answers.structured(chat, variation, schema)
        return self.answer(chat, variation)


def _read(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise Refusal(400, "We could not parse the JSON body of your request.")
    return asked


def _chats(asked: dict[str, Any], kind: str) -> list[list[Any]]:
    """The messages; of a legacy request one message for each prompt."""
    if kind == "text":
        prompt = asked.get("prompt")
        prompts = prompt if isinstance(prompt, list) else [prompt]
        if not prompts or not all(isinstance(text, str) for text in prompts):
            raise Refusal(400, "Missing required parameter: 'prompt'.", param="prompt")
        return [[{"role": "user", "content": text}] for text in prompts]
    messages = asked.get("messages")
    sound = isinstance(messages, list) and messages
    if not sound or not all(isinstance(said, dict) and "role" in said for said in messages):
        raise Refusal(400, "Missing required parameter: 'messages'.", param="messages")
    return [messages]


def _cut(text: str, stop: str | list[str] | None, most: int) -> tuple[str, str]:
    """The text up to the first stop word and the most tokens, and why it ended."""
    for word in [stop] if isinstance(stop, str) else stop or ():
        place = text.find(word)
        text = text if place < 0 else text[:place]
    if most and len(text) > most * CHARACTERS:
        return text[: most * CHARACTERS], "length"
    return text, "stop"


def _choice(kind: str, index: int, text: str, reason: str) -> dict[str, Any]:
    end = {"index": index, "finish_reason": reason, "logprobs": None}
    if kind == "chat":
        return {"message": {"role": "assistant", "content": text, "refusal": None}, **end}
    return {"text": text, **end}


async def _sent(request: BaseRequest, body: bytes, fault: str) -> web.StreamResponse:
    """The response with this body, or what the fault leaves of it."""
    if fault == "page":
        page = "<html><head><title>Welcome</title></head><body>Please sign in.</body></html>"
        return web.Response(text=page, content_type="text/html")
    if fault == "truncated":
        body = body[: len(body) * 2 // 3]
    if fault == "cut":
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.abort()
        return response
    return web.Response(body=body, content_type="application/json")


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=json.dumps(value).encode(),
        status=status,
        content_type="application/json",
    )
