"""``CheckResult`` → text for a terminal, JSON (schema/findings.json) or GitHub annotations.

What findings quote is hostile: control characters are shown, never sent to a terminal or a log,
and nothing in a message can begin another workflow command. All is given line by line: of a tree with
very many findings the whole text would take more memory than they do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TextIO

from pipelines.check.subject import CheckResult
from pipelines.findings import Finding, as_json
from pipelines.text import visible


def as_text(result: CheckResult, *, colour: bool = False) -> Iterator[str]:
    """A line a finding, ``path:line:column: severity: sentence [rule]``, and a line that counts."""
    paint = _paint if colour else _plain
    for finding in result.findings:
        at = f"{visible(finding.path)}:{finding.line}:{finding.column}"
        said = f"{visible(finding.message)}{' ' if finding.hint else ''}"
        yield (
            f"{paint('bold', at)}: {paint(finding.severity, finding.severity)}: "
            f"{said}{paint('hint', visible(finding.hint))} {paint('rule', f'[{visible(finding.rule)}]')}\n"
        )
    yield f"{summary(result)}\n"


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Colours are for terminals; NO_COLOR forbids them, FORCE_COLOR asks for them anywhere."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environment.get("TERM") != "dumb"


_COLOURS = {"bold": "1", "error": "1;31", "warning": "1;33", "hint": "36", "rule": "2"}


def _paint(kind: str, text: str) -> str:
    return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if text else ""


def _plain(_: str, text: str) -> str:
    return text


def as_json_text(result: CheckResult) -> Iterator[str]:
    """The shape of schema/findings.json."""
    yield f'{{\n  "checked": {result.checked},\n  "findings": ['
    between = ""
    for finding in result.findings:
        text = json.dumps(as_json(finding), indent=2, ensure_ascii=True)
        yield f"{between}\n{text}".replace("\n", "\n    ")
        between = ","
    yield "\n  ]\n}\n" if between else "]\n}\n"


def as_github(result: CheckResult) -> Iterator[str]:
    """Workflow commands, which GitHub shows as annotations beside the changed lines."""
    for finding in result.findings:
        yield (
            f"::{finding.severity} file={_property(finding.path)},line={finding.line},"
            f"col={finding.column},title={_property(finding.rule)}::{_data(_sentence(finding))}\n"
        )
    yield f"{summary(result)}\n"


FORMATS: dict[str, Callable[[CheckResult], Iterable[str]]] = {
    "text": as_text,
    "json": as_json_text,
    "github": as_github,
}


def summary(result: CheckResult) -> str:
    """How many leaves, errors and warnings."""
    errors = sum(finding.severity == "error" for finding in result.findings)
    warnings = len(result.findings) - errors
    return (
        f"{_count(result.checked, 'leaf', 'leaves')} checked: "
        f"{_count(errors, 'error', 'errors')}, {_count(warnings, 'warning', 'warnings')}."
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _sentence(finding: Finding) -> str:
    return f"{finding.message} {finding.hint}".rstrip()


def _data(text: str) -> str:
    """GitHub's escapes for a command's message; a `::` in it is pulled apart for good measure."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return visible(escaped).replace("::", ": :").replace("::", ": :")


def _property(text: str) -> str:
    """GitHub's escapes for a command's property."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return visible(escaped).replace(":", "%3A").replace(",", "%2C")
