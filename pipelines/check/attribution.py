"""Rule `attribution`: attribution.txt is there, complete, and names licences that are permitted."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.attribution import parse_attribution
from pipelines.check.about import About
from pipelines.check.passages import file_text
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding, Severity
from pipelines.schemas import show

_HINT = (
    "Write one with `Title of work:`, `Link to work:`, `License of the work:`, `Creator names:`."
)


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield what is wrong; a leaf of version 1 that has none is only warned."""
    path = leaf.attribution_file
    severity: Severity = "warning" if leaf.lenient else "error"
    if path not in leaf.files:
        message = "The leaf has no attribution.txt beside it."
        yield Finding("attribution", severity, leaf.file, 1, 1, message, _HINT)
        return
    try:
        text = file_text(leaf, path)
    except UnicodeDecodeError:
        message = "attribution.txt is not UTF-8 text."
        hint = "Save it again with the encoding UTF-8."
        yield Finding("attribution", "error", path, 1, 1, message, hint)
        return
    if not text.strip():
        yield Finding("attribution", severity, path, 1, 1, "attribution.txt is empty.", _HINT)
        return
    blocks, findings = parse_attribution(text, path)
    yield from findings
    permitted = {licence.casefold() for licence in policy.licences}
    for block in blocks:
        if block.licence and block.licence.casefold() not in permitted:
            message = f"The licence {show(block.licence)} is not permitted here."
            hint = f"Permitted: {', '.join(policy.licences)}."
            line = _line_of(text, block.licence)
            yield Finding("attribution", "error", path, line, 1, message, hint)


def _line_of(text: str, licence: str) -> int:
    """The first line that ends with the licence; a licence on several lines is shown at the top."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.rstrip().endswith(licence):
            return number
    return 1


RULE = LeafRule(
    check,
    About(
        "both",
        "attribution.txt is there, complete, and names licences that the policy permits; for version 1 "
        "a missing one is only a warning.",
        "Write a block for each source: title, link, licence, creators.",
    ),
)
