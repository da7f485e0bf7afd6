"""Rule `echoed-question`: an answer says more than its question."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import pairs
from pipelines.check.policy import Policy
from pipelines.check.repeated_text import folded
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.schemas import describe


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at each answer that equals its question, case and last mark apart."""
    if leaf.source is None:
        return
    for pair in pairs(leaf):
        near = abs(len(pair.answer) - len(pair.question)) < 8
        if near and pair.answer.strip() and folded(pair.answer) == folded(pair.question):
            at = (*pair.at, "answer")
            place = leaf.source.value_at(at)
            message = f"{describe(at)} only repeats the question."
            yield Finding("echoed-question", "warning", leaf.file, *place, message, "Answer it.")


RULE = LeafRule(
    check, About("warning", "No answer is its question over again.", "Write the answer.")
)
