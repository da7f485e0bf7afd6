"""What a document speaks of beside one of its chunks: names, dates and numbers, for wrong choices.

In: the chunks of a leaf's documents. Out: a line for each thing, ``kind: text``. Other leaves are not
looked at: a leaf's rows and exam questions would then change with its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.backends.extractive.reading import facts, sentences
from pipelines.records import Chunk
from pipelines.text import normalise

MOST = 80  # things: enough to choose from, and few tokens of a teacher's window
KINDS = {"year": "date", "when": "date", "number": "number", "name": "name", "place": "place"}
_EVERY = 32  # facts of a sentence


def siblings(chunk: Chunk, chunks: Sequence[Chunk]) -> str:
    """The things of ``chunks``, those near ``chunk`` in its document first; each thing once."""

    def distance(other: Chunk) -> tuple[bool, int, str, int]:
        apart = abs(other.index - chunk.index)
        return other.document != chunk.document, apart, other.document, other.index

    found: dict[str, str] = {}
    for near in sorted(chunks, key=distance):
        for sentence in sentences(near.text):
            for fact in facts(sentence, _EVERY):
                if fact.asks in KINDS:
                    line = f"{KINDS[fact.asks]}: {fact.answer}"
                    found.setdefault(normalise(fact.answer), line)
        if len(found) >= MOST:
            break
    return "\n".join(list(found.values())[:MOST])
