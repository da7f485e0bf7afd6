"""The HTML report: self-contained, accessible, harmless."""

from __future__ import annotations

import base64
import hashlib
import importlib
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pipelines.evaluate.verdict import judge
from pipelines.report import html, view
from pipelines.report.html import BUDGET, SCRIPT, svg
from pipelines.report.plot import plot
from pipelines.report.view import DEMONSTRATION
from tests.report.support import build, large

VOID = {"meta", "input"}
SVG = {"line", "circle", "rect", "polyline"}


class Page(HTMLParser):
    """Checks nesting while it reads; keeps elements and attributes."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag in ("td", "tr"):
            self.end_implied("td" if tag == "td" else "tr")
        if tag not in VOID:
            self.open.append(tag)

    def end_implied(self, upto: str) -> None:
        """The end tags of cells and rows may be left out."""
        for tag in ("td", "tr"):
            if self.open[-1] == tag:
                self.open.pop()
            if tag == upto:
                break

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag == "tbody":
            self.end_implied("tr")
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("hostile", [False, True])
def test_nothing_remote_nothing_that_runs(hostile: bool) -> None:
    source = html(build(hostile=hostile))
    page = Page(source)
    assert page.open == []
    names = {name for name, _ in page.found}
    assert not names & {"img", "iframe", "link", "a", "object", "use", "base", "foreignobject"}
    assert page.all("script") == [{}]
    assert source.count(f"<script>{SCRIPT}</script>") == 1
    attributes = {key for _, found in page.found for key in found}
    assert not {key for key in attributes if key.startswith("on")}
    assert not attributes & {"src", "href", "style", "srcset", "action", "xlink:href"}
    assert "url(" not in source.split("</style>")[0]
    source.encode()


def test_hostile_text_changes_no_structure() -> None:
    def structure(source: str) -> list[str]:
        return [name for name, _ in Page(source).found if name != "u"]  # marks other words

    assert structure(html(build(hostile=True))) == structure(html(build()))


def test_corrected_answers_stand_in_a_table_of_their_own() -> None:
    text = Page(html(build())).text
    assert text.index("Corrected answers") < text.index("Earlier leaves")
    assert text.index("still there") < text.index("gone")
    assert "tallow candles" in text


@pytest.mark.parametrize("kind", ["style", "script"])
def test_the_policy_allows_one_style_sheet_and_one_script_by_their_hashes(kind: str) -> None:
    source = html(build())
    found = re.search(rf"<{kind}>(.*?)</{kind}>", source, re.DOTALL)
    assert found
    wanted = base64.b64encode(hashlib.sha256(found.group(1).encode()).digest()).decode()
    (policy,) = [
        str(meta["content"])
        for meta in Page(source).all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert f"{kind}-src 'sha256-{wanted}'" in policy
    assert "unsafe" not in policy


def test_tables_and_plots_speak_to_everyone() -> None:
    page = Page(html(build()))
    assert len(page.all("caption")) == len(page.all("table")) > 4
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    for drawing in page.all("svg"):
        title, description = str(drawing["aria-labelledby"]).split()
        ids = {found.get("id") for _, found in page.found}
        assert {title, description} <= ids
    assert page.all("html")[0]["lang"] == "en"
    assert all(answer["dir"] == "auto" for answer in page.all("dd") if "dir" in answer)


def test_it_says_what_a_reviewer_needs() -> None:
    text = Page(html(build())).text
    for part in (
        "PASS",
        DEMONSTRATION,
        "lime mortar from Plymouth",
        "too short",
        "240",
        "two cores",
    ):
        assert part in text
    assert DEMONSTRATION not in html(replace(build(), demonstration=False))


def test_an_empty_evaluation_still_makes_a_page() -> None:
    empty = replace(build(), evaluation=judge([], 0.05), items=[], facts={}, why={}, drawn=())
    source = html(replace(empty, losses=(), history=(), ledger={}))
    assert Page(source).open == []
    assert "INCONCLUSIVE" in source
    assert "<svg" not in source


def test_the_plot_is_sound_xml_and_stays_inside() -> None:
    leaves = build(hostile=True).evaluation.leaves
    root = ET.fromstring(svg(plot(leaves, "p", "T & <x>")))
    assert root.findtext("title") == "T & <x>"
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    circles = list(root.iter("circle"))
    assert len(circles) == 2 * len(leaves)
    for element in root.iter():
        for key in ("x", "x1", "x2", "cx"):
            assert 0 <= float(element.attrib.get(key, 0)) <= width
        for key in ("y", "y1", "y2", "cy"):
            assert 0 <= float(element.attrib.get(key, 0)) <= height


def test_scores_lie_where_they_should() -> None:
    report = build()
    (new,) = [leaf for leaf in report.evaluation.leaves if leaf.role == "changed"]
    root = ET.fromstring(svg(plot([new], "p", "t")))
    before, now = (float(circle.attrib["cx"]) for circle in root.iter("circle"))
    assert (now - before) / 336 == pytest.approx(
        new.candidate.token_f1 - new.previous.token_f1, abs=0.001
    )


def test_words_that_are_not_expected_are_underlined() -> None:
    report = build(items=1)
    one = replace(report.items[0], candidate="lime & chalk from Plymouth")
    source = html(replace(report, items=[one]))
    assert "lime <u>&amp; chalk </u>from Plymouth" in source or (
        "lime &amp; <u>chalk </u>from Plymouth" in source
    )


def test_an_answer_that_is_the_one_before_is_said_once() -> None:
    report = build(items=1)
    answers = {"base": "sand", "previous": "sand", "candidate": "sand"}
    source = html(replace(report, items=[replace(report.items[0], **answers)]))
    assert source.count("<u>sand</u>") == 1
    assert source.count("<td>=") == 2


def test_answers_of_a_megabyte_are_cut() -> None:
    report = build(items=6)
    items = [replace(one, candidate="<b>lime " * 130_000) for one in report.items]
    source = html(replace(report, items=items))
    assert Page(source).open == []
    assert len(source.encode()) < BUDGET


def test_every_item_of_a_large_exam_stays_in_a_page_that_opens() -> None:
    """A tenth of what test_browser.py opens."""
    source = html(large(50, 50))
    assert len(source.encode()) < BUDGET / 10
    assert len(re.findall(r"^<tr[^>]*><td>", source, re.MULTILINE)) == 2_500


def test_what_is_too_much_is_left_out_of_unchanged_answers_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = large(20, 50, " and sand" * 60)
    # The package gives the function's name to the module's, so that it must be asked for.
    monkeypatch.setattr(importlib.import_module("pipelines.report.html"), "BUDGET", 300_000)
    source = html(report)
    assert len(source.encode()) < 300_000
    assert "more whose answers did not change sides" in source
    assert source.count("<tr class=won") == sum(
        view.flip_word(one) == "won" for one in report.items
    )
