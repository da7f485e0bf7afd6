"""Rule `cut-text`: no text is cut short by ` #`, where YAML begins a comment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.places import offset_place, scalars
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.schemas import describe

_PROSE = frozenset(
    ("question", "answer", "context", "task_description", "domain", "document_outline")
)
_COMMENT = re.compile(r" +(#[^\n]*)")
_LONGEST_HINT = 120


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at each such `#`, with the text as it was probably meant."""
    raw = leaf.reading.text or ""
    if leaf.source is None or " #" not in raw:
        return
    for at, node in scalars(leaf.source):
        if node.style or not at or at[-1] not in _PROSE:  # quoted, or a block
            continue
        end = node.end_mark.index
        comment = _COMMENT.match(raw, end)
        if not comment:
            continue
        place = offset_place(raw, comment.start(1))
        message = f"{describe(at)} ends here: ` #` begins a comment, which is not read."
        whole = json.dumps(f"{node.value}{comment[0].rstrip()}", ensure_ascii=False)
        wanted = f"Write {whole}" if len(whole) <= _LONGEST_HINT else "Put the text in quotes"
        hint = f"{wanted}; a remark belongs on a line of its own."
        yield Finding("cut-text", "warning", leaf.file, *place, message, hint)


RULE = LeafRule(
    check,
    About(
        "warning",
        "No question, answer, context or description is cut short by an unquoted ` #`.",
        "Put the text in quotes, and a remark that is meant on a line of its own.",
    ),
)
