"""Scores over the releases: read from a target, drawn, and listed by `graft log --scores`."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from pipelines.cli import main
from pipelines.history import history
from pipelines.release.targets import open_target
from pipelines.report import ReleaseScores, forgetting, spark
from pipelines.report.charts import heat_map, history_plot, ledger_plot
from pipelines.report.html import svg
from tests.report.support import build, past
from tests.support.flow import ROOT

OLD, NEW = "knowledge/old/mill", "knowledge/new/tower"
HISTORY = [
    ReleaseScores("v2026.01.01", "PASS", {OLD: 0.8}),
    ReleaseScores("v2026.01.02", "PASS", {OLD: 0.6, NEW: 0.5}, frozenset({NEW})),
    ReleaseScores("v2026.01.03", "PASS", {NEW: 0.75}),
]


def test_a_leaf_is_measured_against_its_score_when_last_taught() -> None:
    found = forgetting(HISTORY)
    assert list(found) == [OLD, NEW]  # the greatest loss first
    assert found[OLD] == [(0.8, 0.0), (0.6, pytest.approx(-0.2)), None]
    assert found[NEW] == [None, (0.5, 0.0), (0.75, 0.25)]
    again = ReleaseScores("v2026.01.04", "PASS", {OLD: 0.7}, frozenset({OLD}))
    assert forgetting([*HISTORY, again])[OLD][-1] == (0.7, 0.0)


@pytest.mark.parametrize(
    ("score", "shown"), [(None, "·"), (0, "▁"), (0.5, "▅"), (1, "█"), (7, "█")]
)
def test_a_score_as_one_character(score: float | None, shown: str) -> None:
    assert spark(score) == shown


@pytest.mark.parametrize("hostile", [False, True])
def test_the_plots_are_sound_xml_and_stay_inside(hostile: bool) -> None:
    report = build(hostile=hostile, panel=60)
    many = [past(n, 60, "<b>" if hostile else "") for n in range(20)]
    charts = ledger_plot(report.ledger), history_plot(many), heat_map(many), heat_map(HISTORY)
    for chart in charts:
        root = ET.fromstring(svg(chart))
        width, height = map(float, root.attrib["viewBox"].split()[2:])
        for element in root.iter():
            right = float(element.attrib.get("x", 0)) + float(element.attrib.get("width", 0))
            bottom = float(element.attrib.get("y", 0)) + float(element.attrib.get("height", 0))
            assert 0 <= right <= width
            assert 0 <= bottom <= height
        assert root.findtext("title")


def test_the_heat_map_colours_by_loss() -> None:
    root = ET.fromstring(svg(heat_map(HISTORY)))
    cells = [one.attrib["class"] for one in root.iter("rect")]
    assert cells == ["heat-4", "heat-2", "heat-4", "heat-6"]
    assert "30 more leaves" in svg(heat_map([past(n, 60, "") for n in range(2)]))


def test_the_ledger_shows_where_rows_went() -> None:
    root = ET.fromstring(svg(ledger_plot(build().ledger)))
    widths = {one.attrib["class"]: float(one.attrib["width"]) for one in root.iter("rect")}
    assert widths.keys() == {"kept", "filtered", "duplicate", "unparsed", "failed"}
    assert widths["kept"] / widths["filtered"] == pytest.approx(20 / 6, abs=0.01)


# --- graft log -------------------------------------------------------------------------------


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Three releases as a folder holds them; the second carries no evaluation that can be read."""
    root = tmp_path / "releases"
    for number, told in ((1, scored(0.8, "panel")), (2, "not JSON"), (3, scored(0.5, "panel"))):
        tag = f"v2026.01.0{number}"
        (root / "refs").mkdir(parents=True, exist_ok=True)
        (root / "refs" / tag).touch()
        (root / tag).mkdir()
        (root / tag / "evaluation.json").write_text(told, encoding="utf-8")
        (root / tag / "manifest.json").write_text(json.dumps(manifest(tag)), encoding="utf-8")
    (root / "HEAD").write_text(f"{tag}\n", encoding="utf-8")
    return root


def scored(f1: float, role: str) -> str:
    leaf = {"leaf": OLD + "\x1b[31m", "role": role, "items": 4, "candidate": {"token_f1": f1}}
    return json.dumps({"verdict": "PASS", "leaves": [leaf, {**leaf, "leaf": "x", "items": 0}]})


def manifest(tag: str) -> dict[str, object]:
    empty: dict[str, object] = {name: {} for name in ("recipe", "leaves", "files")}
    lists: dict[str, object] = {name: [] for name in ("retired", "contributors", "licences")}
    texts = dict.fromkeys(("taxonomy_commit", "lineage_key", "input_digest"), "x")
    return {
        **empty, **lists, **texts, "release": tag, "previous": None, "continues": None,
        "base_model": {"id": "x", "revision": "y"}, "evaluation": {"verdict": "PASS"},
        "demonstration": False, "created": date(2026, 1, 1).isoformat(),
    }  # fmt: skip


def test_what_cannot_be_read_is_left_out(target: Path) -> None:
    found = history(open_target(f"folder:{target}"))
    assert [one.release for one in found] == ["v2026.01.01", "v2026.01.03"]
    assert [list(one.scores.values()) for one in found] == [[0.8], [0.5]]


def test_scores_as_text(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "--scores", "--target", f"folder:{target}"]) == 0
    out = capsys.readouterr().out
    assert "0.80 → 0.50  -0.30  ▇▅  knowledge/old/mill" in out
    assert "\x1b" not in out
    assert main(["log", "--target", f"folder:{target}"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("v2026.01.03  0 leaves  PASS")


def test_scores_as_json(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads((ROOT / "schema" / "log.json").read_bytes())
    for words in ([], ["--scores"]):
        assert main(["log", *words, "--format", "json", "--target", f"folder:{target}"]) == 0
        found = json.loads(capsys.readouterr().out)
        Draft202012Validator(schema).validate(found)
        assert len(found["releases"]) == 3
        assert ("scores" in found) == bool(words)
    assert found["examined"] == ["v2026.01.01", "v2026.01.03"]


def test_without_a_release_there_is_nothing_to_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["log", "--scores", "--target", f"folder:{tmp_path}"]) == 0
    assert capsys.readouterr().out == "There is no release yet.\n"
