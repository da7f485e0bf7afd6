"""Rule `topic`: leaves on delicate topics are marked for a person to read. Never a rejection."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import place
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.check.vocabulary import mentions
from pipelines.findings import Finding
from pipelines.schemas import show
from pipelines.sensitive.lexicon import lexicon


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield one finding for each topic and file, at its first word."""
    for label, words in policy.topics:
        told: set[str] = set()
        for passage, offset, word in mentions(leaf, lexicon(words)):
            if passage.path in told:
                continue
            told.add(passage.path)
            where = place(leaf, passage, offset)
            message = f"{show(word)} may touch the topic {show(label)}: a person should read this."
            hint = "Nothing need be changed; reviewers look for correctness and care."
            yield Finding("topic", "warning", passage.path, *where, message, hint)


RULE = LeafRule(
    check,
    About(
        "warning",
        "Leaves and documents that touch a delicate topic (the policy's `topics`) are marked for a "
        "person to read; they are never rejected.",
        "Nothing need be changed.",
    ),
)
