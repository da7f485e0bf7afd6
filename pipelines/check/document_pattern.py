"""Rule `document-pattern`: a pattern names documents inside the document repository."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import document_block
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.schemas import show

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def leaves_the_repository(pattern: str) -> bool:
    """Whether a pattern is absolute, an address, or climbs out with ``..``."""
    parts = pattern.replace("\\", "/").split("/")
    return (
        pattern.startswith(("/", "~"))
        or ".." in parts
        or bool(_DRIVE.match(pattern) or _SCHEME.match(pattern))
    )


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each pattern that does not, or that separates folders with a backslash."""
    patterns = document_block(leaf).get("patterns")
    if leaf.source is None or not isinstance(patterns, list):
        return
    for index, pattern in enumerate(patterns):
        if not isinstance(pattern, str):
            continue
        place = leaf.source.value_at(("document", "patterns", index))
        if leaves_the_repository(pattern):
            message = f"The pattern {show(pattern)} leads out of the document repository."
            hint = "Name documents from its top folder, without `..` and without a leading `/`."
        elif "\\" in pattern:
            message = f"The pattern {show(pattern)} separates folders with a backslash."
            hint = f"Write `{pattern[:200].replace(chr(92), '/')}`."
        else:
            continue
        yield Finding("document-pattern", "error", leaf.file, *place, message, hint)


RULE = LeafRule(
    check,
    About(
        "error",
        "A pattern names documents inside the document repository: not absolute, no `..`.",
        "Name documents from the repository's top folder, with `/` between folders.",
    ),
)
