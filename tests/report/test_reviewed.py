"""On a real run: the rows to read and the reasons come from its own dataset, and are the same each time."""

from __future__ import annotations

import re

import pytest

from tests.support.flow import TOWER, Site, grown_site, run_directory


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return grown_site(tmp_path_factory.getbasetemp())


def test_twenty_rows_of_every_step_stand_in_the_report(grown: Site) -> None:
    run = run_directory(grown)
    told = (run / "report" / "report.md").read_text("utf-8")
    rows = (run / "dataset" / "rows").glob("*.jsonl")
    ids = {
        found for file in rows for found in re.findall(r'"id":"([0-9a-f]{32})"', file.read_text())
    }
    shown = re.findall(r"^\| ([0-9a-f]{32}) \|", told, re.MULTILINE)
    assert len(shown) == len(set(shown)) == 20
    assert set(shown) <= ids
    assert "| knowledge: ask\\_document |" in told
    assert "| seeds: rephrase\\_seed |" in told
    assert re.search(rf"{TOWER}/document\.md, characters \d+ to \d+ \|", told)
    assert re.search(r"qna\.yaml, line \d+ \|", told)


def test_the_report_knows_the_earlier_release(grown: Site) -> None:
    told = (run_directory(grown) / "report" / "report.html").read_text("utf-8")
    assert 'id="forgetting-title"' in told
    assert "this run" in told


def test_a_wrong_answer_of_the_new_leaf_has_a_reason(grown: Site) -> None:
    told = (run_directory(grown) / "report" / "report.md").read_text("utf-8")
    assert told.splitlines()[2].startswith("The model was asked 4 questions about tower")
    assert re.search(r"\d answers are wrong: \d", told)
