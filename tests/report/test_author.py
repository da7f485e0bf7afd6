"""What an author reads first: two sentences, why an answer is wrong, and the rows to look through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.evaluate.verdict import judge
from pipelines.records import Message
from pipelines.report import html, markdown, taught, why
from pipelines.report.author import around, drawn_rows, opening, wrong_answers, wrong_line
from tests.report.support import build, item_result
from tests.report.test_html import Page

ROWS = taught(
    [
        (
            Message("user", "What bound the stones?"),
            Message("assistant", "Lime mortar from Plymouth."),
        )
    ]
)


def test_the_report_opens_with_how_many_answers_are_right() -> None:
    first, second = opening(build())
    assert first == (
        "The model was asked 24 questions about eddystone lighthouse that it never saw in training: "
        "18 are answered right now, 0 before."
    )
    assert second == (
        "So it has learnt from the contribution, and kept what it knew; of 36 questions about what "
        "it was taught earlier, 36 are right now, 36 before."
    )
    lines = markdown(build()).splitlines()
    assert lines[2] == f"{first} {second}"
    assert Page(html(build())).text.split("PASS", 2)[2].strip().startswith(first)


def test_without_a_changed_leaf_the_older_ones_are_told_of() -> None:
    report = build()
    items = [one for one in report.items if one.item.role == "panel"]
    first, _ = opening(replace(report, items=items, evaluation=judge(items, 0.05)))
    assert "Nothing that changed could be asked about" in first
    assert "36 are answered right now, 36 before" in first
    first, _ = opening(replace(report, items=[], evaluation=judge([], 0.05)))
    assert "no leaf has an exam" in first


@pytest.mark.parametrize(
    ("answer", "ask", "rows", "reason"),
    [
        ("lime mortar from Plymouth", "What bound the stones?", ROWS, ""),
        ("sand", "What bound the stones?", ROWS, "taught, not learnt"),
        ("mortar from Plymouth", "What bound the stones?", ROWS, "answered otherwise"),
        ("sand", "What bound the stones?", [], "not taught"),
        ("sand", "Which glue held together a violin?", ROWS, "not taught"),
    ],
)
def test_a_wrong_answer_has_a_reason(answer: str, ask: str, rows: list, reason: str) -> None:
    assert why(item_result("leaf", "changed", 0, ("", "", answer), ask), rows) == reason


def test_of_a_long_answer_most_words_are_enough() -> None:
    one = item_result("leaf", "changed", 0, ("", "", "sand"), "What bound the stones?")
    told = "the mason said that lime mortar from Plymouth held them for ever"
    one = replace(one, item=replace(one.item, reference=told))
    near = "What bound the stones?", "The mason said lime mortar from Plymouth held them for long."
    assert why(one, taught([(Message("user", near[0]), Message("assistant", near[1]))])) != (
        "not taught"
    )
    far = Message("assistant", "The mason said lime.")
    assert why(one, taught([(Message("user", near[0]), far)])) == "not taught"


def test_wrong_answers_stand_with_their_reasons() -> None:
    table = wrong_answers(build())
    assert len(table.rows) == 6
    assert {row[3] for row in table.rows} == {"taught, not learnt"}
    assert wrong_line(build()).startswith("6 answers are wrong: 6 taught, not learnt")
    for source in (markdown(build()), html(build())):
        assert "6 answers are wrong" in source
    assert "answers are wrong" not in markdown(replace(build(), why={}))


def test_the_rows_to_read_stand_beside_their_source() -> None:
    for source in (markdown(build()), html(build())):
        for row in drawn_rows(build()).rows:
            assert row[0] in source
        assert "graft trace ROW" in source
    assert "Rows to read" not in markdown(replace(build(), drawn=()))


def test_a_long_source_is_shown_around_the_answer() -> None:
    source = "x" * 900 + "lime mortar" + "y" * 900
    shown = around(source, "Lime mortar.", 100)
    assert "lime mortar" in shown
    assert len(shown) == 102
    assert around(source, "not there", 100) == "x" * 100 + "…"
    assert around("short", "short", 100) == "short"
