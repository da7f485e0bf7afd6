"""Teacher, judge and student: who answers calls, behind one Protocol.

A ``Call`` carries what determines its answer; its ``key`` is a hash over that, never over a URL, so
that an answer once given is found again by any process on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipelines.artifacts import digest
from pipelines.errors import BackendError, CallError
from pipelines.recipe import Teacher
from pipelines.records import Json, Message
from pipelines.text import estimate_tokens


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn; ``most_tokens`` bounds its length, ``other`` goes to the server as it is."""

    temperature: float = 0.0
    most_tokens: int = 2048
    stop: tuple[str, ...] = ()
    other: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a teacher or judge.

    ``task`` and ``variables`` say in data what ``messages`` say in words; every variable is rendered
    into the messages, so the key needs only these. ``schema`` is the JSON Schema that the answer is
    asked to follow, where there is one. ``sample`` tells repeated requests apart.
    """

    task: str
    variables: Mapping[str, str]
    messages: tuple[Message, ...]
    model: str
    revision: str
    sampling: Sampling = field(default_factory=Sampling)
    schema: Json | None = None
    sample: int = 0
    _key: str = field(default="", init=False, repr=False, compare=False)

    @property
    def key(self) -> str:
        """SHA-256 over what determines the answer; taken once, since a call is asked for it thrice."""
        if not self._key:
            object.__setattr__(self, "_key", digest(
                [self.task, self.messages, self.model, self.revision, self.sampling, self.schema,
                 self.sample]
            ))  # fmt: skip
        return self._key


@dataclass(frozen=True, slots=True)
class Answer:
    """Raw text, and what it cost in the model's own tokens (0 where nobody counts)."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Backend(Protocol):
    """Who answers calls. Many may be under way at once; the backend limits how many reach a server.

    ``CallError`` where this call alone can have no answer, however often it is asked;
    ``BackendError`` where no call can be answered, so that the run has to stop.
    """

    async def answer(self, call: Call) -> Answer:
        """The answer to one call."""
        ...

    async def close(self) -> None:
        """Let go of connections and memory; called once, whatever happened."""
        ...


def _extractive(teacher: Teacher) -> Backend:
    from pipelines.backends.extractive import Extractive

    return Extractive()


def _openai_api(teacher: Teacher) -> Backend:
    from pipelines.backends.openai_api import OpenAI

    return OpenAI(teacher)


def _local(teacher: Teacher) -> Backend:
    from pipelines.backends.local_teacher import LocalTeacher

    return LocalTeacher(teacher)


BACKENDS: dict[str, Callable[[Teacher], Backend]] = {
    "extractive": _extractive,
    "openai_api": _openai_api,
    "local": _local,
}


def open_backend(teacher: Teacher) -> Backend:
    """The backend that a recipe names, its command in front where it has one; nothing is asked yet."""
    if teacher.backend not in BACKENDS:
        raise BackendError(f"No backend {teacher.backend}; known: {', '.join(BACKENDS)}.")
    if not teacher.command:
        return BACKENDS[teacher.backend](teacher)
    from pipelines.backends.command import Commanded

    return Commanded(teacher, BACKENDS[teacher.backend](teacher))


def check_window(call: Call, context: int, prompt_tokens: int | None = None) -> None:
    """``CallError`` where prompt and answer cannot both fit ``context`` tokens; 0 is no limit.

    ``prompt_tokens`` is counted where there is a tokenizer, else it is estimated.
    """
    if not context:
        return
    about = "" if prompt_tokens is not None else "about "
    if prompt_tokens is None:
        prompt_tokens = sum(estimate_tokens(turn.content) + 8 for turn in call.messages)
    needed = prompt_tokens + call.sampling.most_tokens
    if needed > context:
        raise CallError(
            f"the call needs {about}{needed} tokens ({prompt_tokens} for the prompt, "
            f"{call.sampling.most_tokens} for the answer), and the model's context holds {context}"
        )


def whole(answer: Answer, cut: bool, call: Call) -> Answer:
    """The answer, where all of it or enough can be read; ``CallError`` where its end is missed.

    Of a tagged answer that was cut off the closed blocks are sound, and the parser sets the open one
    apart. Half of anything else, JSON or plain text, would be taken for a whole.
    """
    if not cut or (call.schema is None and "[END]" in answer.text):
        return answer
    raise CallError(f"the answer was cut off at {call.sampling.most_tokens} tokens")
