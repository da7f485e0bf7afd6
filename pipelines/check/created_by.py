"""Rule `created-by`: a contributor is named by a name, not by an e-mail address."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding

_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding where it holds an address."""
    data = leaf.source.data if leaf.source else None
    name = data.get("created_by") if isinstance(data, dict) else None
    if leaf.source is None or not isinstance(name, str) or not _ADDRESS.search(name):
        return
    message = "`created_by` holds an e-mail address, which everyone could read for good."
    place = leaf.source.value_at(("created_by",))
    hint = "Write your name on GitHub, or another that you go by."
    yield Finding("created-by", "warning", leaf.file, *place, message, hint)


RULE = LeafRule(
    check,
    About(
        "warning",
        "`created_by` is a name and holds no e-mail address.",
        "Write your name on GitHub, or another that you go by.",
    ),
)
