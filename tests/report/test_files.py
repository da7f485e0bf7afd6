"""report.json: the one source of every form, and what happens to a file that a stranger wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipelines.artifacts import compact_json
from pipelines.cli import main, stages
from pipelines.errors import GraftError
from pipelines.records import Judged, Tally
from pipelines.report import FORMS, ReportInput, files, read_report, write_report
from tests.report.support import build
from tests.report.test_escape import rendered
from tests.report.test_markdown import ALLOWED
from tests.support.flow import ROOT


def judged(report: ReportInput) -> ReportInput:
    tally = Tally(18, 0, 5, 1, 1)
    told = Judged("a judge", tally, Tally(0, 0, 36, 0, 0), 16, 0.75)
    items = [replace(one, judged="win") for one in report.items]
    return replace(report, items=items, evaluation=replace(report.evaluation, judge=told))


def saved(folder: Path, report: ReportInput, **changed: Any) -> Path:
    """A report.json, some of its keys with other values."""
    path = folder / "given.json"
    path.write_bytes(json.dumps(json.loads(compact_json(report)) | changed).encode())
    return path


@pytest.mark.parametrize("report", [build(), build(hostile=True), judged(build())])
def test_a_report_is_read_as_it_was_written(tmp_path: Path, report: ReportInput) -> None:
    path = saved(tmp_path, report)
    again = read_report(path)
    assert compact_json(again) == compact_json(report)
    assert again.evaluation == report.evaluation
    assert again.plan.retired == report.plan.retired
    assert [one.taught for one in again.history] == [one.taught for one in report.history]
    assert list(again.facts) == list(report.facts)  # the order of showing


def test_the_schema_stands_alone() -> None:
    schema = json.loads((ROOT / "schema" / "report.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(compact_json(judged(build()))))


def test_the_command_line_knows_every_form() -> None:
    """It names them itself, so that its help starts without the report."""
    assert tuple(FORMS) == stages.FORMS


def test_every_form_is_made_from_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(build(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {files.SOURCE, *FORMS}
    for name, form in FORMS.items():
        made = (tmp_path / name).read_text("utf-8")
        assert made == form(read_report(tmp_path / files.SOURCE))
        assert main(["report", "--from", str(tmp_path / files.SOURCE), "--form", name]) == 0
        assert capsys.readouterr().out == made
    assert main(["report", "--from", str(tmp_path / files.SOURCE)]) == 0
    assert capsys.readouterr().out == (tmp_path / "report.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"evaluation": {}}, "lacks `verdict`"),
        ({"evaluation": []}, "`evaluation` must be keys with values"),
        ({"why": {"x": "<script>"}}, "it may be `not taught`"),
        ({"losses": [-1]}, "must be 0 at least"),
        ({"composition": {"leaf": {"rows": "many"}}}, "must be a whole number"),
        ({"history": [{"release": "r", "verdict": "PASS", "scores": {"leaf": 7}}]}, "`scores`"),
        ({"anything": 1}, "may not hold the key `anything`"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    path = saved(tmp_path, build(), **changed)
    with pytest.raises(GraftError) as refused:
        read_report(path)
    assert str(path) in str(refused.value)
    if "history" not in changed:
        assert told in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"losses": [NaN]}', b'{"losses": [1e999]}', b"1" * 9000],
)  # fmt: skip
def test_what_is_no_json_is_refused(
    tmp_path: Path, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "given.json"
    path.write_bytes(data)
    assert main(["report", "--from", str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be read as JSON" in line


def test_what_is_not_there_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(GraftError, match="cannot be read: No such file"):
        read_report(tmp_path / "none.json")
    path = saved(tmp_path, build())
    monkeypatch.setattr(files, "MOST", 1000)
    with pytest.raises(GraftError, match="too large"):
        read_report(path)


def test_a_strangers_report_is_as_harmless_as_our_own(tmp_path: Path) -> None:
    hostile = build(hostile=True)
    facts = {f"{label} <b>@all": text for label, text in hostile.facts.items()}
    told = FORMS["summary.md"](read_report(saved(tmp_path, hostile, facts=facts)))
    assert set(rendered(told).found) <= ALLOWED
    assert "<!--" not in told
