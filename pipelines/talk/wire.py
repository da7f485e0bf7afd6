"""What a request to ``/v1/chat/completions`` may ask for, and the errors that answer it.

In: JSON as OpenAI's clients send it. Out: a ``Request``; what this server cannot do is refused, not
passed over. Needs the extra ``serve``.
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

# Accepted and without effect: they describe the caller, not the answer.
IDLE = frozenset(
    {"user", "metadata", "store", "stream_options", "safety_identifier", "service_tier"}
)


class Part(BaseModel):
    """A piece of a turn that has several; only text is read."""

    type: Literal["text"]
    text: str


class Turn(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str | list[Part]

    @property
    def text(self) -> str:
        """The turn as the model reads it."""
        if isinstance(self.content, str):
            return self.content
        return " ".join(part.text for part in self.content)


class Request(BaseModel):
    """The body; a key that is not here and not idle is an error."""

    model_config = ConfigDict(extra="forbid")

    model: str
    messages: list[Turn] = Field(min_length=1)
    stream: bool = False
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=0, lt=2**63)
    stop: str | list[str] | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: Literal[1] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_idle(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        return {key: value for key, value in body.items() if key not in IDLE}

    @property
    def most(self) -> int | None:
        """The longest answer that is asked for."""
        return self.max_completion_tokens or self.max_tokens

    def passed_on(self, name: str, most: int) -> dict[str, Any]:
        """The body that transformers' handler gets: checked keys only, and a bound."""
        asked = self.model_dump(include={"stream", "temperature", "top_p", "seed"})
        return {
            **asked,
            "model": name,
            "messages": [{"role": turn.role, "content": turn.text} for turn in self.messages],
            "stop": [self.stop] if isinstance(self.stop, str) else self.stop or None,
            "max_completion_tokens": most,
        }


def refusal(status: int, message: str, code: str, **headers: str) -> JSONResponse:
    """An error in OpenAI's form."""
    kind = "authentication_error" if status == 401 else "invalid_request_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    return JSONResponse({"error": error}, status_code=status, headers=headers)
