"""attribution.txt → ``Attribution`` blocks: who made what a leaf is based on, under which licence.

In: the text of the file. Out: its blocks, and a finding for whatever is not as it must be.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pipelines.findings import Attribution, Finding

ATTRIBUTION_FILE = "attribution.txt"

_LABELS = {
    "title of work": "title",
    "title of the work": "title",
    "link to work": "link",
    "link to the work": "link",
    "revision": "revision",
    "license of work": "licence",
    "license of the work": "licence",
    "licence of work": "licence",
    "licence of the work": "licence",
    "creator names": "creators",
    "creator name": "creators",
}
_FIELD_LINE = re.compile(r"\s*([A-Za-z ]{4,30}?)\s*:\s*(.*)")
_REQUIRED = (
    ("Title of work", "title"),
    ("Link to work", "link"),
    ("License of the work", "licence"),
    ("Creator names", "creators"),
)


def parse_attribution(text: str, path: str) -> tuple[tuple[Attribution, ...], tuple[Finding, ...]]:
    """The blocks of an attribution.txt, and a finding for each line or block that is not right.

    A block begins with ``Title of work:``; lines without a label go on with the field before.
    """
    blocks: list[_Block] = []
    findings: list[Finding] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        match = _FIELD_LINE.fullmatch(line)
        name = _LABELS.get(" ".join(match[1].lower().split())) if match else None
        if match and name:
            if name == "title" or not blocks:
                blocks.append(_Block(number, {}))
            if name in blocks[-1].fields:
                findings.append(
                    _attribution(path, number, f"`{match[1]}` stands twice in a block.")
                )
            blocks[-1].fields[name] = match[2].strip()
        elif blocks:
            last = next(reversed(blocks[-1].fields))
            blocks[-1].fields[last] = f"{blocks[-1].fields[last]} {line.strip()}".strip()
        else:
            findings.append(_attribution(path, number, "This line has no label."))
    for block in blocks:
        findings.extend(
            _attribution(path, block.line, f"The block that begins here lacks `{label}:`.")
            for label, name in _REQUIRED
            if not block.fields.get(name)
        )
    return tuple(block.attribution() for block in blocks), tuple(findings)


class _Block(NamedTuple):
    line: int
    fields: dict[str, str]

    def attribution(self) -> Attribution:
        names = ("title", "link", "revision", "licence", "creators")
        return Attribution(*(self.fields.get(name, "") for name in names))


def _attribution(path: str, line: int, message: str) -> Finding:
    hint = "A block is: " + ", ".join(f"`{label}: …`" for label, _ in _REQUIRED) + "."
    return Finding("attribution", "error", path, line, 1, message, hint)
