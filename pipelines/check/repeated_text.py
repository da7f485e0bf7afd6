"""Rule `repeated-text`: no context and no question stands twice in a leaf.

Seeds that are equal altogether are the schema's matter (but for version 1, which permits them). That
two leaves ask the same is found by comparing the whole tree.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import At, contexts, knows, pairs
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.schemas import describe


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at each context or question that an earlier one equals."""
    seen: dict[str, At] = {}
    for index, text in contexts(leaf).items():
        at: At = ("seed_examples", index, "context")
        first = seen.setdefault(folded(text), at)
        if first != at and not _equal(leaf, first[:2], at[:2]):
            hint = "Put its questions below the first one." if knows(leaf) else "Vary the contexts."
            yield _finding(leaf, at, first, hint)
    seen = {}
    for pair in pairs(leaf):
        # A skill asks the same of many contexts: only within one context is it the same question.
        key = folded(pair.question) if knows(leaf) else _key(pair.context, pair.question)
        at = (*pair.at, "question")
        first = seen.setdefault(key, at) if pair.question else at
        if first != at and not _equal(leaf, first[:-1], at[:-1]):
            same = folded(pair.answer) == folded(_answer(leaf, first[:-1]))
            hint = "Delete one of them." if same else "Both have answers of their own: keep one."
            yield _finding(leaf, at, first, hint)


def folded(text: str) -> str:
    """Text as far as it matters for being the same: case, spacing and the last mark do not."""
    composed = text if text.isascii() else unicodedata.normalize("NFC", text)
    return " ".join(composed.casefold().split()).rstrip(" .?!;。？！؟")


def _key(context: str, question: str) -> str:
    return f"{folded(context)}\n{folded(question)}"


def _equal(leaf: LeafSubject, first: At, second: At) -> bool:
    """Whether the schema says it already: the two seeds or pairs are equal in every key."""
    return not leaf.lenient and _value(leaf, first) == _value(leaf, second)


def _answer(leaf: LeafSubject, at: At) -> str:
    answer = _value(leaf, (*at, "answer"))
    return answer if isinstance(answer, str) else ""


def _value(leaf: LeafSubject, at: At) -> object:
    found: object = leaf.source.data if leaf.source else None
    for part in at:
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and isinstance(part, int):
            found = found[part]
    return found


def _finding(leaf: LeafSubject, at: At, first: At, hint: str) -> Finding:
    line, column = leaf.source.value_at(at) if leaf.source else (1, 1)
    other = describe(first[:-1])
    message = f"{describe(at)} is the same as in {other[0].lower()}{other[1:]}."
    return Finding("repeated-text", "warning", leaf.file, line, column, message, hint)


RULE = LeafRule(
    check,
    About(
        "warning",
        "No context and no question stands twice in a leaf; of a skill, no question of one context.",
        "Keep one, and put what belongs to the other below it.",
    ),
)
