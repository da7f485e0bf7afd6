"""A backend that is asked again where nothing in its answer can be read.

In: a backend, and the parser of the step that asks. Out: its answer, the last where none could be read:
that one is kept, and its row counted as unparsed. Answers that are empty, or the same again, are not asked
for once more: then the teacher means it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.backends import Answer, Backend, Call
from pipelines.generate.steps import Parser

AGAIN = 2  # times at most


@dataclass(frozen=True, slots=True)
class Readable:
    """``backend``, with tokens of all that was asked added up."""

    backend: Backend
    read: Parser

    async def answer(self, call: Call) -> Answer:
        """The first answer that can be read in part, or the last."""
        given = await self.backend.answer(call)
        for _ in range(AGAIN):
            if not given.text.strip() or self.read(given.text)[0]:
                break
            further = await self.backend.answer(call)
            same = further.text == given.text
            given = replace(
                further,
                prompt_tokens=given.prompt_tokens + further.prompt_tokens,
                completion_tokens=given.completion_tokens + further.completion_tokens,
            )
            if same:
                break
        return given

    async def close(self) -> None:
        """Whoever opened the backend closes it."""
