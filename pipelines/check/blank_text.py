"""Rule `blank-text`: no text consists of spaces and other characters that cannot be seen."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import values
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.schemas import describe


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each such text; text with no character at all is the schema's matter."""
    if leaf.source is None:
        return
    for passage in values(leaf):
        text, at = passage.text, passage.at or ()
        if not text or text[0].isalnum():  # nearly every text: soon seen
            continue
        if all(char.isspace() or unicodedata.category(char) == "Cf" for char in text):
            message = f"{describe(at)} holds nothing that can be seen."
            place = leaf.source.value_at(at)
            yield Finding("blank-text", "error", leaf.file, *place, message, "Fill it in.")


RULE = LeafRule(
    check,
    About(
        "error",
        "No text consists of characters that cannot be seen.",
        "Fill it in.",
    ),
)
