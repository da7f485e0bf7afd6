"""Teacher, judge and student: who answers calls, behind one Protocol.

A ``Call`` carries what determines its answer; its ``key`` is a hash over that, never over a URL, so
that an answer once given is found again by any process on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipelines.artifacts import digest
from pipelines.errors import BackendError
from pipelines.recipe import Teacher
from pipelines.records import Json, Message


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

    @property
    def key(self) -> str:
        """SHA-256 over what determines the answer."""
        return digest(
            [self.task, self.messages, self.model, self.revision, self.sampling, self.schema,
             self.sample]
        )  # fmt: skip


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


def open_backend(teacher: Teacher) -> Backend:
    """The backend that a recipe names."""
    from pipelines.backends.extractive import Extractive

    backends: dict[str, Callable[[], Backend]] = {"extractive": Extractive}
    if teacher.backend not in backends:
        raise BackendError(f"No backend {teacher.backend}; known: {', '.join(backends)}.")
    return backends[teacher.backend]()
