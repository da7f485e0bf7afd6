"""Rules `near-duplicate` and `conflict`: what a leaf asks is not asked in another leaf already.

Here is only what they take from a leaf; ``comparison`` compares it with the whole tree and words the
findings. Within one leaf, repeated questions are the matter of other rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import AcrossRule, LeafSubject
from pipelines.leaf_files import is_knowledge
from pipelines.near.entries import Entry, EntryKind, LeafEntries
from pipelines.yaml_source import Source


def check(leaf: LeafSubject, policy: Policy) -> Iterator[LeafEntries]:
    """Yield what is to be compared; the policy has no say in it."""
    yield from gather(leaf)


def gather(leaf: LeafSubject) -> Iterator[LeafEntries]:
    """The questions, answers and contexts that can be read, with their places; from any shape."""
    if leaf.source is None or leaf.reading.text is None:
        return
    data = leaf.source.data
    knowledge = is_knowledge(leaf.path, data)
    text = f"{knowledge}\n{leaf.reading.text}".encode("utf-8", "surrogatepass")
    seeds = _list(data, "seed_examples")
    entries = tuple(
        entry
        for index, seed in enumerate(seeds)
        for entry in _entries(leaf.source, seed, ("seed_examples", index), knowledge)
    )
    yield LeafEntries(leaf.path, hashlib.sha256(text).hexdigest()[:32], entries)


def _entries(
    source: Source, seed: object, at: tuple[str | int, ...], knowledge: bool
) -> Iterator[Entry]:
    context = _text(seed, "context")
    if not knowledge:
        question = _text(seed, "question")
        if question:
            kind: EntryKind = "grounded" if context else "question"
            place = source.value_at((*at, "question"))
            yield Entry(kind, *place, question, _text(seed, "answer"), context)
        return
    if context:
        yield Entry("context", *source.value_at((*at, "context")), context)
    for index, item in enumerate(_list(seed, "questions_and_answers")):
        question = _text(item, "question")
        if question:
            place = source.value_at((*at, "questions_and_answers", index, "question"))
            yield Entry("question", *place, question, _text(item, "answer"))


def _list(data: object, key: str) -> list[object]:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, list) else []


def _text(data: object, key: str) -> str:
    """The text under a key; "" for none. Halves of characters, which no encoding takes, as `?`."""
    value = data.get(key) if isinstance(data, dict) else None
    return value.strip().encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _nothing(leaf: LeafSubject, policy: Policy) -> Iterator[LeafEntries]:
    yield from ()


RULE = AcrossRule(
    check,
    About(
        "warning",
        "A question, or a whole leaf, is not nearly the same as another one elsewhere in the tree "
        "(or, with `--also`, in another branch).",
        "Drop one of the two, or make their difference plain.",
    ),
)
# Shown under an id of its own, so that a policy can speak of it.
CONFLICT = AcrossRule(
    _nothing,
    About(
        "warning",
        "The same question has no other answer anywhere else in the tree.",
        "Find out which answer is right, and mend the other.",
    ),
)
