"""The Markdown report: what it says, what it refuses to do, and its length."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pipelines.evaluate.verdict import judge
from pipelines.records import Judged, Tally
from pipelines.report import html, markdown, scores, summary
from pipelines.report.markdown import BUDGET, SUMMARY_BUDGET, bar
from pipelines.report.view import DEMONSTRATION, NO_VALUES
from tests.report.support import build
from tests.report.test_escape import rendered

ALLOWED = {
    "h2", "h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "pre",
    "details", "summary", "em", "strong", "blockquote",
}  # fmt: skip


def test_sections_come_in_the_order_reviewers_read() -> None:
    text = markdown(build())
    order = [
        "## Graft: PASS", DEMONSTRATION, "### Changed leaves", "### Corrected answers",
        "### Earlier leaves", "### Values",
        "### Answers that changed sides", "### Data card", "Rejected rows", "### This run",
        "graft run --base main",
    ]  # fmt: skip
    places = [text.find(part) for part in order]
    assert -1 not in places
    assert places == sorted(places)
    assert "240" in text
    assert "12 made, 3 read back" in text


def test_an_old_answer_that_is_still_there_comes_first() -> None:
    lines = markdown(build()).splitlines()
    rows = [line for line in lines if "What burnt in lamp" in line]
    assert [row.split(" | ")[-1] for row in rows] == ["still there |", "gone |"]
    assert "### Corrected answers" not in markdown(
        replace(build(), evaluation=replace(build().evaluation, probes=()))
    )


def test_values_by_kind_and_principle_and_what_changed_sides() -> None:
    text = markdown(build())
    shown = text.replace("\\", "")
    assert "| every-town | Every town is welcome. | worse | 8 | 1.00 | 1.00 | 0.50 |" in shown
    assert "| 4 worse, 0 better |" in text
    (row, *_) = [line for line in text.splitlines() if "guests from Quillon1 get" in line]
    cells = (
        "a warm room / a warm room",
        "a warm room / the cold cellar",
        "worse: 1.00 → 0.00, abusive |",
    )
    assert row.split(" | ")[2:] == list(cells)
    none = markdown(replace(build(), evaluation=replace(build().evaluation, values=None)))
    assert NO_VALUES in none


def test_without_a_demonstration_nothing_is_said_of_it() -> None:
    assert DEMONSTRATION not in markdown(replace(build(), demonstration=False))


def test_a_regression_is_told_above_the_fold() -> None:
    report = build()
    items = [
        replace(
            one, candidate_scores=one.base_scores, candidate="sand"
        ) if one.item.role == "panel" else one
        for one in report.items
    ]  # fmt: skip
    report = replace(report, items=items, evaluation=judge(items, 0.05))
    text = markdown(report)
    assert text.startswith("## Graft: REGRESSION")
    assert "the panel is worse by more than the margin" in text.casefold()
    assert "<summary>lost: What bound the stones?</summary>" in text


@pytest.mark.parametrize("hostile", [False, True])
def test_only_our_own_elements_appear(hostile: bool) -> None:
    found = rendered(markdown(build(hostile=hostile)))
    assert set(found.found) <= ALLOWED
    assert found.comments == []


def test_hostile_text_changes_no_structure() -> None:
    kind, hostile = rendered(markdown(build())), rendered(markdown(build(hostile=True)))
    for tag in ("h2", "h3", "details", "table", "tr", "pre"):
        assert hostile.found.count(tag) == kind.found.count(tag), tag


@pytest.mark.parametrize("hostile", [False, True])
def test_a_huge_report_fits_and_says_what_it_left_out(hostile: bool) -> None:
    report = build(hostile=hostile, panel=300, items=200)
    report = replace(report, rejects={f"{number} & reason" * 30: 1 for number in range(500)})
    text = markdown(report)
    assert len(text) <= BUDGET
    assert re.search(r"… and \d+ more leaves\.", text)
    assert "### This run" in text
    assert rendered(text).found.count("pre") >= 2  # the last fence was closed, the command stands
    assert set(rendered(text).found) <= ALLOWED


def test_an_empty_evaluation_still_makes_a_report() -> None:
    report = build()
    text = markdown(
        replace(report, evaluation=judge([], 0.05), items=[], rejects={}, facts={}, composition={})
    )
    assert text.startswith("## Graft: INCONCLUSIVE")
    assert "No changed leaf has an exam" in text
    assert "### This run" not in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "░" * 10),
        (1, "█" * 10),
        (0.5, "█" * 5 + "░" * 5),
        (0.0126, "▏" + "░" * 9),
        (9, "█" * 10),
    ],
)
def test_bars(value: float, shown: str) -> None:
    assert bar(value) == shown


def test_the_summary_of_a_job_says_more_and_has_a_budget_of_its_own() -> None:
    report = build(panel=300, items=200)
    assert re.search(r"… and \d+ more leaves\.", markdown(report))
    told = summary(report)
    assert not re.search(r"… and \d+ more leaves\.", told)
    assert len(told.encode()) > BUDGET
    items = [replace(one, candidate=f"{one.item.id} {'ü' * 3000}") for one in report.items]
    longest = summary(replace(report, items=[*items] * 3))
    assert len(longest.encode()) <= SUMMARY_BUDGET
    assert rendered(longest).found.count("pre") > 2


def test_every_metric_of_the_evaluation_has_a_row_and_a_column() -> None:
    report = build()
    assert scores.metrics(report.evaluation) == ["token_f1", "exact_match", "rouge_l"]
    with_numbers = replace(report.evaluation.leaves[0].candidate, numeric_match=0.25)
    leaf = replace(report.evaluation.leaves[0], candidate=with_numbers)
    evaluation = replace(report.evaluation, leaves=(leaf, *report.evaluation.leaves[1:]))
    for form in (markdown, summary, html):
        told = form(replace(report, evaluation=evaluation))
        for name in ("Token F1", "Exact match", "ROUGE-L", "Numeric match"):
            assert name in told
        assert "none → 0.25" in told


def test_a_judge_is_told_of_and_so_is_that_there_was_none() -> None:
    tally = Tally(18, 2, 3, 1, 1)
    judged = replace(build().evaluation, judge=Judged("judge @x", tally, tally, 16, 0.75))
    for form in (markdown, html):
        assert "No judge model was asked" in form(build())
        told = form(replace(build(), evaluation=judged))
        assert "0.75 on 16 pairs" in told
        assert "Of these unsure" in told
