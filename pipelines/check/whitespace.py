"""Rule `whitespace`: no spaces at line ends, and a newline at the end of the file.

Upstream's linter stops a leaf of version 2 or 3 for either; for version 1 they are warnings.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding, Severity


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each such line."""
    text = leaf.reading.text
    if not text or (" \n" not in text and "\t\n" not in text and text.endswith("\n")):
        return
    severity: Severity = "warning" if leaf.lenient else "error"
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        kept = len(line.rstrip(" \t"))
        if kept < len(line):
            message = "Spaces stand at the end of the line."
            yield Finding(
                "whitespace", severity, leaf.file, number, kept + 1, message, "Delete them."
            )
    if lines[-1]:
        message = "The last line does not end with a newline."
        place = (len(lines), len(lines[-1]) + 1)
        yield Finding("whitespace", severity, leaf.file, *place, message, "Add one.")


RULE = LeafRule(
    check,
    About(
        "both",
        "No spaces at line ends, and a newline at the end of the file; only a warning for version 1.",
        "Delete the spaces; add the newline.",
        upstream=True,
    ),
)
