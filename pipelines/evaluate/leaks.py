"""Whether an exam item was seen in training: the same question, or a long run of the same words.

In: the conversations that the weights have seen, by content hash. Within a leaf the generator's leak
gate has already rejected such rows; this looks across leaves and at rows trained in earlier releases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipelines.records import Message
from pipelines.text import ngrams, normalise, tokens

RUN = 8  # words: the shorter of the two overlaps that contamination studies use


class Seen:
    """The user turns of ``rows``: asked whether a prompt stands among those of other leaves."""

    def __init__(self, rows: Mapping[str, Iterable[Sequence[Message]]]) -> None:
        self._turns: dict[str, set[str]] = {}
        self._runs: dict[tuple[str, ...], set[str]] = {}
        for content_hash, conversations in rows.items():
            for turns in conversations:
                for turn in turns:
                    if turn.role == "user":
                        self._add(turn.content, content_hash)

    def _add(self, text: str, content_hash: str) -> None:
        self._turns.setdefault(normalise(text), set()).add(content_hash)
        words = tokens(text)
        if len(words) >= RUN:
            for run in ngrams(words, RUN):
                self._runs.setdefault(run, set()).add(content_hash)

    def leaked(self, prompt: str, own: str) -> bool:
        """Whether a leaf other than the one with content hash ``own`` was trained on this prompt."""
        if self._turns.get(normalise(prompt), set()) - {own}:
            return True
        words = tokens(prompt)
        runs = ngrams(words, RUN) if len(words) >= RUN else set()
        return any(self._runs.get(run, set()) - {own} for run in runs)
