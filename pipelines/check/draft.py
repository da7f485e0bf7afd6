"""Rule `draft`: a leaf that a program proposed is read by a person before it is taught."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.drafts import draft_line
from pipelines.findings import Finding


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at the line that marks the draft."""
    line = draft_line(leaf.reading.text or "")
    if line:
        message = "This leaf is a draft that a program proposed."
        hint = "Read it, mend it, and delete the line."
        yield Finding("draft", "warning", leaf.file, line, 1, message, hint)


RULE = LeafRule(
    check,
    About(
        "warning",
        "A leaf that a program proposed (`graft draft`) is read by a person before it is taught.",
        "Read it, mend it, and delete the line that marks it.",
    ),
)
