"""Rule `document-commit`: documents are pinned to a full commit, or are those beside the leaf."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import document_block
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.schemas import show

_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.I)
_SHORT = re.compile(r"[0-9a-f]{4,63}", re.I)


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at a commit that is neither a full SHA nor, for `repo: "."`, HEAD."""
    block = document_block(leaf)
    commit, repository = block.get("commit"), block.get("repo")
    if leaf.source is None or not isinstance(repository, str) or not isinstance(commit, str):
        return
    if not repository or not commit:
        return
    if repository == ".":
        if commit == "HEAD":
            return
        message = f"`commit` is {show(commit)}; for documents beside the leaf it must be `HEAD`."
        hint = "Write `commit: HEAD`: the leaf's own commit pins them."
    elif _FULL.fullmatch(commit):
        return
    elif _SHORT.fullmatch(commit):
        message = f"The commit {show(commit)} is cut short: it has {len(commit)} digits."
        hint = "Write all 40 (or 64); `git rev-parse` prints them."
    else:
        message = f"{show(commit)} does not pin a commit: what a branch or tag names can change."
        hint = "Write the commit's full SHA of 40 or 64 digits; `git rev-parse` prints it."
    place = leaf.source.value_at(("document", "commit"))
    yield Finding("document-commit", "error", leaf.file, *place, message, hint)


RULE = LeafRule(
    check,
    About(
        "error",
        '`document.commit` is a full SHA of 40 or 64 hexadecimal digits; `HEAD` for `repo: "."`.',
        "Write what `git rev-parse` prints for the commit.",
    ),
)
