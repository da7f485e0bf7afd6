"""``report.json`` (schema/report.json) and the forms of the report, all of which are made from it.

In: a ``ReportInput``, or such a file, which may come from a stranger's run. Out: the files; or the records
again, and nothing that the schemas do not allow gets into them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipelines.artifacts import compact_json
from pipelines.errors import GraftError
from pipelines.report.html import html
from pipelines.report.inputs import ReportInput
from pipelines.report.markdown import markdown, summary
from pipelines.schemas import violations
from pipelines.typed import from_json

SOURCE = "report.json"
FORMS: Mapping[str, Callable[[ReportInput], str]] = {
    "report.md": markdown,
    "summary.md": summary,
    "report.html": html,
}
MOST = 100_000_000  # bytes of a stranger's file


def write_report(report: ReportInput, out: Path) -> None:
    """``report.json`` and, from what it says, every form."""
    data = compact_json(report)
    (out / SOURCE).write_bytes(data)
    told = _parsed(data, str(out / SOURCE))
    for name, form in FORMS.items():
        (out / name).write_text(form(told), encoding="utf-8")


def read_report(path: Path) -> ReportInput:
    """A ``report.json``; ``GraftError`` says what is wrong with it."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST + 1)
    except OSError as error:
        raise GraftError(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > MOST:
        raise GraftError(f"{path} is too large for a report, which has {MOST:,} bytes at most.")
    return _parsed(data, str(path))


def _parsed(data: bytes, where: str) -> ReportInput:
    try:
        plain = json.loads(data, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        hint = f"name the {SOURCE} in the report folder of a run"
        raise GraftError(f"{where} cannot be read as JSON; {hint}.") from error
    _check(plain, "report", where)
    _check(plain["evaluation"], "evaluation", where)
    try:
        return from_json(ReportInput, plain)
    except (TypeError, ValueError) as error:
        raise GraftError(f"{where} was written by another version of Graft.") from error


def _check(plain: Any, schema: str, where: str) -> None:
    for found in violations(plain, schema):
        raise GraftError(f"{where}: {found.message} Its form is that of schema/{schema}.json.")


def _finite(text: str) -> float:
    """A number that can be drawn; JSON as Python reads it has NaN and infinity too."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
