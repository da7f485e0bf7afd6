"""OpenAI's two completion endpoints as data: a ``Call`` → a request's body, a response's body → an answer.

Pure: no connection, no clock. What servers are not agreed on is a *quirk*, found out by asking: see
``QUIRKS``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, Literal

from pipelines.backends import Answer, Call

Completions = Literal["chat", "legacy"]
PATHS: dict[Completions, str] = {"chat": "/chat/completions", "legacy": "/completions"}
# A field that some servers refuse → words by which their refusal names it.
QUIRKS: dict[str, tuple[str, ...]] = {
    "response_format": ("response_format", "json_schema", "structured output", "grammar"),
    "seed": ("seed",),
    "max_tokens": ("max_completion_tokens",),
}
# Of one answer; a larger count is no count, and the call store could not hold it.
MOST_TOKENS = 2**31
_OURS = frozenset({"n", "stream", "model", "messages", "prompt"})  # one call is one whole answer


class Unsound(Exception):
    """A response that holds no answer; asked again there may be one."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer, and whether the limit on its length cut it off."""

    answer: Answer
    cut: bool = False
    refused: str = ""


def request_body(call: Call, completions: Completions, quirks: Set[str]) -> dict[str, Any]:
    """What is sent, without the fields that ``quirks`` names (``max_tokens`` by its other name)."""
    sampling = call.sampling
    body: dict[str, Any] = {"model": call.model, "temperature": sampling.temperature}
    if completions == "chat":
        body["messages"] = [{"role": m.role, "content": m.content} for m in call.messages]
    else:
        body["prompt"] = "\n\n".join(message.content for message in call.messages)
    body["max_tokens"] = sampling.most_tokens
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.temperature > 0:
        body["seed"] = call.sample  # so that repeated requests differ, and each is the same again
    if call.schema is not None:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", call.task)[:64]
        schema = {"name": name, "schema": call.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    body |= {name: value for name, value in sampling.other.items() if name not in _OURS}
    for field in quirks & body.keys():
        value = body.pop(field)
        if field == "max_tokens":
            body["max_completion_tokens"] = value
    return body


def quirk(refusal: str, body: Mapping[str, Any]) -> str | None:
    """The field of ``body`` that a refusal names, where it is one that can be left out."""
    text = refusal.lower()
    for field, words in QUIRKS.items():
        if field in body and any(word in text for word in words):
            return field
    return None


def read_answer(body: bytes, completions: Completions) -> Given:
    """The one answer in a response. ``Unsound`` where the body is cut, is no JSON or holds not one choice."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unsound("the response is no whole JSON") from error
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list):
        raise Unsound("the response holds no choices")
    if len(choices) != 1:
        raise Unsound(f"the response holds {len(choices)} answers, and one was asked for")
    choice = choices[0] if isinstance(choices[0], dict) else {}
    said = choice.get("message") if completions == "chat" else choice
    said = said if isinstance(said, dict) else {}
    text = said.get("content" if completions == "chat" else "text")
    reason = choice.get("finish_reason")
    usage = data.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    refused = said.get("refusal") or ("its filter" if reason == "content_filter" else "")
    if text is None and (refused or reason == "length"):
        text = ""  # all was spent on thinking, or the model will not
    if not isinstance(text, str):
        raise Unsound("the response holds no text")
    counts = [_count(usage, name) for name in ("prompt_tokens", "completion_tokens")]
    return Given(Answer(_storable(text), *counts), reason == "length", str(refused))


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if type(value) is int and 0 <= value < MOST_TOKENS else 0


def _storable(text: str) -> str:
    """Halves of characters, which JSON can hold and UTF-8 cannot, become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def refusal(body: bytes) -> str:
    """What a server says in the body of an error, in one line."""
    text = body.decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    for name in ("error", "detail", "message"):
        while isinstance(data, dict) and name in data:
            data = data[name]
    said = data if isinstance(data, str) else json.dumps(data) if data else text
    return " ".join("".join(c if c.isprintable() else " " for c in said).split())
