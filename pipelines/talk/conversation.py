"""A conversation: what was said so far, and the next answer while it is written.

In: a loaded student, questions. Out: pieces of text as they come. What no longer fits the model's window
is forgotten from the oldest turn on, and that is told.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from pipelines.errors import BackendError
from pipelines.records import Message

if TYPE_CHECKING:
    from pipelines.backends.local import Student

LEAST = 16  # tokens that an answer should have room for


class Conversation:
    """Turns of a user and a model, in order. ``forgotten`` counts those that no longer fit."""

    def __init__(self, student: Student, longest: int) -> None:
        self._student = student
        self._longest = longest
        self.turns: list[Message] = []
        self.forgotten = 0

    def answer(self, question: str) -> Generator[str]:
        """The answer's pieces. What was written until the caller stops stays in the conversation."""
        turns = [*self.turns, Message("user", question)]
        room = self._room(turns)
        while room < LEAST and len(turns) > 2:
            turns = turns[2:]
            self.forgotten += 2
            room = self._room(turns)
        if room < 1:
            raise BackendError(
                "The question is longer than all that the model can read; shorten it."
            )
        self.turns = turns
        said: list[str] = []
        try:
            with self._student.answering(turns, room) as pieces:
                for piece in pieces:
                    said.append(piece)
                    yield piece
        finally:
            self.turns = [*turns, Message("assistant", "".join(said).strip())]

    def _room(self, turns: list[Message]) -> int:
        window = self._student.window
        free = window - self._student.tokens(turns) if window else self._longest
        return min(free, self._longest)

    def reset(self) -> None:
        """Begin anew."""
        self.turns = []
        self.forgotten = 0
