"""Rule `mixed-context`: a skill's seeds all have a context, or none has."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import contexts, knows, pairs
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield one finding, at the first seed that differs from the one that most are like."""
    if leaf.source is None or knows(leaf):
        return
    seeds = sorted({pair.seed for pair in pairs(leaf)})
    having = set(contexts(leaf))
    lacking = [index for index in seeds if index not in having]
    if not having or not lacking:
        return
    odd = min(having) if len(having) < len(lacking) else lacking[0]
    message = f"{len(having)} of {len(seeds)} seed examples have a context, the others have none."
    hint = "Make two skills of them, one grounded and one without contexts."
    place = leaf.source.value_at(("seed_examples", odd))
    yield Finding("mixed-context", "warning", leaf.file, *place, message, hint)


RULE = LeafRule(
    check,
    About(
        "warning",
        "A skill's seeds all have a context, or none has.",
        "Make two skills of them, one grounded and one without contexts.",
    ),
)
