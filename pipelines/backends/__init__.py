"""Teacher, judge and student: who answers calls, behind one Protocol.

A ``Call`` carries what determines its answer; its ``key`` is a hash over that, never over a URL, so
that an answer once given is found again by any process on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipelines.artifacts import digest
from pipelines.errors import BackendError
from pipelines.recipe import Teacher
from pipelines.records import Message


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a teacher.

    ``task`` and ``variables`` say in data what ``messages`` say in words; every variable is rendered
    into the messages, so the key needs only these. ``sample`` tells repeated requests apart.
    """

    task: str
    variables: Mapping[str, str]
    messages: tuple[Message, ...]
    model: str
    revision: str
    sample: int = 0

    @property
    def key(self) -> str:
        """SHA-256 over what determines the answer."""
        return digest([self.task, self.messages, self.model, self.revision, self.sample])


class Backend(Protocol):
    """A teacher: answers calls in order. Raises ``BackendError`` where it can answer none."""

    def answer(self, calls: Sequence[Call]) -> list[str]:
        """One answer for each call, as raw text."""
        ...


def open_teacher(teacher: Teacher) -> Backend:
    """The backend that a recipe names."""
    from pipelines.backends.extractive import Extractive

    backends: dict[str, Callable[[], Backend]] = {"extractive": Extractive}
    if teacher.backend not in backends:
        raise BackendError(f"No backend {teacher.backend}; known: {', '.join(backends)}.")
    return backends[teacher.backend]()
