"""Whether an exam item was seen in training: the same question, or a long run of the same words.

In: the exam, and the conversations that the weights have seen, by content hash. Out: the exam with what
leaked marked. Within a leaf the generator's leak gate has already rejected such rows; this looks across
leaves and at rows trained in earlier releases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipelines.records import ExamItem, Message
from pipelines.text import ngrams, normalise, tokens_of_normal

RUN = 8  # words: the shorter of the two overlaps that contamination studies use

Wording = str | tuple[str, ...]  # a whole question, or a run of its words


def marked(
    exam: Sequence[ExamItem],
    own: Mapping[str, str],
    rows: Iterable[tuple[str, Iterable[Sequence[Message]]]],
) -> list[ExamItem]:
    """``exam`` with ``leaked`` where a leaf other than an item's own was trained on its prompt.

    ``own``: each leaf's content hash; ``rows``: every content hash with its conversations, read once. What
    is kept grows with the exam, which is small, and not with the rows.
    """
    wordings = [_wordings(item.prompt) for item in exam]
    trained: dict[Wording, set[str]] = {one: set() for found in wordings for one in found}
    for content_hash, conversations in rows:
        for turns in conversations:
            for turn in turns:
                if turn.role == "user":
                    for wording in _wordings(turn.content) & trained.keys():
                        trained[wording].add(content_hash)
    return [
        replace(item, leaked=any(trained[one] - {own[item.leaf]} for one in found))
        for item, found in zip(exam, wordings, strict=True)
    ]


def _wordings(text: str) -> set[Wording]:
    normal = normalise(text)
    words = tokens_of_normal(normal)
    return {normal, *(ngrams(words, RUN) if len(words) >= RUN else ())}
