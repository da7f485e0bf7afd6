"""Hostile text, rendered by a CommonMark parser with HTML let through, must stay text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipelines.report import escape
from pipelines.report.html import environment
from tests.report.support import HOSTILE

SPECIAL = st.text(
    st.sampled_from(list("\\`*_{}[]()#+-.!|~$^<>&\"'@:/\n\r\t =0123ab\u202e\u200b\u2028\x00\x1b")),
    max_size=40,
)

EXAMPLES = settings(deadline=None, derandomize=True)


class Elements(HTMLParser):
    """The elements opened and the text shown; ``outside``: not in a code block."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.comments: list[str] = []
        self.text = self.outside = ""
        self.fenced = False
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.fenced |= tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self.fenced &= tag != "pre"

    def handle_data(self, data: str) -> None:
        self.text += data
        self.outside += "" if self.fenced else data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def rendered(source: str) -> Elements:
    return Elements(MarkdownIt("commonmark", {"html": True}).enable(["table"]).render(source))


def squeezed(text: str) -> str:
    return re.sub(r"[\s\u200b]+", "", text)


@EXAMPLES
@given(SPECIAL | st.text(max_size=40))
def test_inline_text_stays_what_it_was(text: str) -> None:
    found = rendered(f"before {escape.markdown_inline(text)} after")
    assert found.found == ["p"]
    assert found.comments == []
    assert squeezed(found.text) == squeezed(f"before{escape.clean(text)}after")


@EXAMPLES
@given(SPECIAL)
def test_a_list_item_stays_one(text: str) -> None:
    found = rendered(f"- {escape.markdown_inline(text)}\n- last")
    assert found.found == ["ul", "li", "li"]


@EXAMPLES
@given(SPECIAL)
def test_a_table_keeps_its_cells(text: str) -> None:
    cell, code = escape.markdown_inline(text), escape.markdown_code(text)
    found = rendered(f"| a | b |\n| --- | --- |\n| {cell} | x{code} |\n")
    assert [tag for tag in found.found if tag in ("tr", "td", "th")] == [
        "tr", "th", "th", "tr", "td", "td",
    ]  # fmt: skip
    assert set(found.found) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert squeezed(found.text) == squeezed(f"ab{escape.clean(text)}x{escape.clean(text)}")


@EXAMPLES
@given(SPECIAL)
def test_a_fence_holds(text: str) -> None:
    found = rendered(f"{escape.markdown_fence(text)}\n\nafter")
    assert found.found == ["pre", "code", "p"]
    assert squeezed(found.text) == squeezed(f"{escape.clean(text)}after")


@EXAMPLES
@given(SPECIAL)
def test_a_summary_holds(text: str) -> None:
    source = f"<details><summary>{escape.markdown_summary(text)}</summary>\n\nin\n\n</details>"
    found = rendered(source)
    assert found.found == ["details", "summary", "p"]
    assert squeezed(found.text) == squeezed(f"{escape.clean(text)}in")


@EXAMPLES
@given(SPECIAL)
def test_a_value_of_the_page_opens_nothing(text: str) -> None:
    page = environment().from_string('<p title="{{ text }}">{{ text }}</p>')
    found = Elements(page.render(text=text))
    assert found.found == ["p"]
    assert found.text == escape.clean(text)


@pytest.mark.parametrize(
    "shown", [escape.markdown_inline(HOSTILE, 2000), escape.markdown_summary(HOSTILE, 2000)]
)
def test_nothing_is_left_for_github_to_link(shown: str) -> None:
    text = rendered(shown).text
    assert not re.search(r"@\w|#\d|GH-\d|://\w|www\.\w|mailto:\w", text)


@pytest.mark.parametrize(
    "character",
    [
        "\u202e",
        "\u2066",
        "\u200b",
        "\u061c",
        "\x1b",
        "\x00",
        "\ufeff",
        "\ud800",
        "\U000e0041",
        "\x9b",
    ],
)
def test_hidden_characters_go(character: str) -> None:
    for shown in (
        escape.clean(f"a{character}b"),
        escape.markdown_inline(f"a{character}b"),
        escape.markdown_fence(f"a{character}b"),
        escape.cut(f"a{character}b"),
    ):
        assert character not in shown
        shown.encode()


def test_scripts_keep_what_they_need() -> None:
    text = "می\u200cخواهم क्\u200dष 👩\u200d🔬 ภาษาไทย e\u0301"
    assert escape.clean(text) == text


def test_long_text_is_cut_before_it_is_escaped() -> None:
    assert escape.markdown_inline("&" * 10, 4) == "&amp;&amp;&amp;…"
    assert escape.cut("<" * 10, 2) == "<…"


def test_the_comments_marker_cannot_be_forged_in_a_fence() -> None:
    assert "<!--" not in escape.markdown_fence("<!-- graft:report -->")
