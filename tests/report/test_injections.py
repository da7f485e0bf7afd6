"""A corpus of injections in every text of a report: rendered as GitHub and a browser would, all stay text."""

from __future__ import annotations

import functools
import re
from collections import Counter

import pytest
from markdown_it import MarkdownIt

from pipelines.cli.trace import printable
from pipelines.report import ReportInput, html, markdown
from pipelines.report.html import BUDGET as BYTES
from pipelines.report.markdown import BUDGET
from tests.report.support import build
from tests.report.test_escape import Elements
from tests.report.test_html import Page
from tests.report.test_markdown import ALLOWED
from tests.support.injections import INJECTIONS

# What GitHub makes of text after Markdown is done with it.
LIVE = re.compile(r"(?<![\w`])@\w|#\d|\bGH-\d|://\w|\bwww\.\w|\b(?:mailto|xmpp):\w", re.IGNORECASE)
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
STRUCTURE = ("h2", "h3", "details", "summary", "table", "tr", "td", "pre", "blockquote")
SIZED = {"panel": 3, "items": 4}


def github(source: str) -> Elements:
    """As GitHub's renderer: tables, strikethrough, bare links, HTML let through.

    GitHub makes no link of a bare ``name.md`` or ``//name``; its ``www.`` is looked for by ``LIVE``.
    """
    renderer = MarkdownIt("gfm-like", {"html": True})
    assert renderer.linkify is not None
    renderer.linkify.set({"fuzzy_link": False})
    renderer.linkify.add("//", None)
    return Elements(renderer.render(source))


def report(name: str) -> ReportInput:
    return build(bad=INJECTIONS[name], **SIZED)


@functools.cache
def written(name: str) -> str:
    """The Markdown with this injection everywhere."""
    return markdown(report(name))


@pytest.fixture(scope="module")
def plain_tags() -> Counter[str]:
    return Counter(github(markdown(build(**SIZED))).found)


@pytest.fixture(scope="module")
def plain_page() -> Page:
    return Page(html(build(**SIZED)))


@pytest.mark.parametrize("name", INJECTIONS)
def test_markdown_stays_text(name: str, plain_tags: Counter[str]) -> None:
    source = written(name)
    found = github(source)
    assert set(found.found) <= ALLOWED
    assert found.comments == []
    counts = Counter(found.found)
    assert {tag: counts[tag] for tag in STRUCTURE} == {tag: plain_tags[tag] for tag in STRUCTURE}
    assert not LIVE.search(found.outside)
    assert not HIDDEN.search(source)
    assert len(source) <= BUDGET
    source.encode()


@pytest.mark.parametrize("name", INJECTIONS)
def test_no_line_of_it_is_a_command_of_a_runner(name: str) -> None:
    source = written(name)
    assert not [line for line in source.splitlines() if line.lstrip().startswith("::")]
    assert "##[" not in source


@pytest.mark.parametrize("name", INJECTIONS)
def test_html_stays_text(name: str, plain_page: Page) -> None:
    source = html(report(name))
    page = Page(source)
    assert page.open == []
    marks = {"u"}  # which words differ depends on the words
    assert [tag for tag, _ in page.found if tag not in marks] == [
        tag for tag, _ in plain_page.found if tag not in marks
    ]
    assert [sorted(found) for tag, found in page.found if tag not in marks] == [
        sorted(found) for tag, found in plain_page.found if tag not in marks
    ]
    assert not HIDDEN.search(source)
    assert len(source.encode()) <= BYTES


@pytest.mark.parametrize("name", INJECTIONS)
def test_nothing_of_it_reaches_a_terminal(name: str) -> None:
    assert not HIDDEN.search(printable(INJECTIONS[name]))


def test_unescaped_the_corpus_would_do_something() -> None:
    """So that the tests above can fail."""
    alive = 0
    for text in INJECTIONS.values():
        found = github(text[:2000].encode("utf-8", "replace").decode())
        alive += bool(
            not set(found.found) <= {"p"}
            or found.comments
            or LIVE.search(found.outside)
            or HIDDEN.search(text)
            or text.lstrip().startswith("::")
        )
    assert alive > len(INJECTIONS) * 0.8
