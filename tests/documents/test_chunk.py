"""A document's chunks: nothing lost, spans exact, joints respected."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import text
from pipelines.documents import Document, chunks
from pipelines.records import Chunk
from tests.support.repositories import TIDES

PATH = "knowledge/science/tides"


def cut(content: str, words: int = 20) -> list[Chunk]:
    return chunks(Document("a.md", content, "A"), words)


def texts(content: str, words: int = 20) -> list[str]:
    return [chunk.text for chunk in cut(content, words)]


def test_headings_are_set_and_are_not_text() -> None:
    first, second = cut(TIDES, words=60)
    assert (first.heading, second.heading) == ("Why the sea rises", "Spring tides")
    assert first.text.startswith("The Moon pulls")
    assert first.text.endswith("the far side.")
    assert "#" not in first.text + second.text
    assert (first.index, second.index, first.title) == (0, 1, "A")


def test_a_chunk_fits_the_tokens_too() -> None:
    content = "2,147,483,647 and 3.14159265358979. " * 12
    whole = Document("a.md", content, "A")
    assert len(chunks(whole, 100)) == 1
    pieces = chunks(whole, 100, 60)
    assert len(pieces) > 1
    assert all(text.estimate_tokens(piece.text) <= 60 for piece in pieces)
    assert " ".join(piece.text for piece in pieces) == content.strip()


def test_underlined_headings_and_closed_ones() -> None:
    content = "Title\n=====\n\nOne.\n\nPart\n----\nTwo.\n\n### Third ###\nThree.\n"
    assert [(chunk.heading, chunk.text) for chunk in cut(content)] == [
        ("Title", "One."),
        ("Part", "Two."),
        ("Third", "Three."),
    ]


def test_short_paragraphs_are_joined_under_one_heading_only() -> None:
    content = "# A\n\none two\n\nthree four\n\nfive six\n\n# B\n\nseven\n"
    assert texts(content, words=4) == ["one two\n\nthree four", "five six", "seven"]


def test_a_long_paragraph_is_split_at_the_ends_of_sentences() -> None:
    content = (
        "The mill was built in 1918. It stood, e.g. for Dr. Moor, as a sign! "
        'She said "never." Then the flood came? Nobody knows.'
    )
    assert texts(content, words=7) == [
        "The mill was built in 1918.",
        "It stood, e.g. for Dr. Moor, as a sign!",
        'She said "never." Then the flood came?',
        "Nobody knows.",
    ]


def test_a_long_list_is_split_between_items() -> None:
    content = "- one two three\n- four five six\n  seven\n- eight\n"
    assert texts(content, words=5) == ["- one two three", "- four five six\n  seven", "- eight"]


def test_a_rule_below_a_paragraph_does_not_make_it_a_heading() -> None:
    content = "Two lines\nof text.\n---\nMore.\n\n***\n\nEnd.\n"
    assert texts(content) == ["Two lines\nof text.", "More.", "End."]


def test_tables_and_code_are_kept_whole() -> None:
    table = "| a | b |\n|---|---|\n" + "| one. Two | three |\n" * 9
    code = "```python\n# a remark. Another one.\n\nx = 1\n```"
    content = f"Before it.\n{table}\nBetween.\n\n{code}\n\nAfter.\n"
    assert texts(content, words=8) == ["Before it.", table.rstrip(), "Between.", code, "After."]


def test_code_that_is_never_closed_goes_on_to_the_end() -> None:
    assert texts("~~~\n# x\n\n```\ny", words=3) == ["~~~\n# x\n\n```\ny"]


def test_scripts_without_spaces_count_half_a_word_a_character() -> None:
    content = "潮の満ち引きは月が起こす。月は海を引く。新月には潮が高い。"
    assert texts(content, words=8) == [
        "潮の満ち引きは月が起こす。",
        "月は海を引く。新月には潮が高い。",
    ]


def test_a_sentence_without_end_is_cut_between_words() -> None:
    pieces = texts(" ".join(f"w{n}" for n in range(30)), words=8)
    assert [len(piece.split()) for piece in pieces] == [8, 8, 8, 6]
    thai = "กขคงจฉชซ" * 10
    assert "".join(texts(thai, words=10)) == thai
    assert max(text.count_words(piece) for piece in texts(thai, words=10)) <= 10


@pytest.mark.parametrize("content", ["", "\n\n", "# Heading alone\n", "---\n"])
def test_a_document_without_text_has_no_chunks(content: str) -> None:
    assert cut(content) == []


LINES = st.sampled_from(
    [
        "",
        "",
        "# One",
        "## Two ##",
        "Some plain words here. And more of them, e.g. these! Then an end",
        "a line that goes on",
        "- an item of a list",
        "1. another item",
        "> a quotation. Of two sentences.",
        "| a | b |",
        "|---|:-:|",
        "```",
        "~~~ text",
        "    four spaces",
        "---",
        "===",
        "* * *",
        "海は広い。月は遠い。星は",
        "ไทยไม่มีช่องว่าง",
        "نص عربي؟ نعم.",
        "tab\there \u2028 and\u00a0there\x0b.",
    ]
)
CONTENT = st.lists(LINES, max_size=30).map("\n".join) | st.text(max_size=200)


@given(CONTENT, st.integers(min_value=1, max_value=40))
def test_spans_are_exact_and_in_order(content: str, words: int) -> None:
    found = cut(content, words)
    reached = 0
    for index, chunk in enumerate(found):
        assert chunk.index == index
        assert reached <= chunk.start < chunk.end
        assert content[chunk.start : chunk.end] == chunk.text == chunk.text.strip("\n")
        assert chunk.text.strip()
        reached = chunk.end


@given(CONTENT, st.integers(min_value=1, max_value=40))
def test_nothing_but_headings_and_rules_is_left_out(content: str, words: int) -> None:
    found = cut(content, words)
    edges = [0, *(edge for chunk in found for edge in (chunk.start, chunk.end)), len(content)]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        for line in content[start:end].split("\n"):
            name = line.strip().strip("#").strip()
            is_rule = not name.strip("-=*_ \t")
            follows = content[content.find(line, start) + len(line) + 1 :].split("\n", 1)[0]
            underlined = bool(follows.strip()) and not follows.strip(" \t=-")
            assert is_rule or line.lstrip(" ").startswith("#") or underlined, repr(line)


@given(CONTENT, st.integers(min_value=1, max_value=40))
def test_prose_stays_below_twice_the_limit(content: str, words: int) -> None:
    for chunk in cut(content, words):
        whole = "```" in chunk.text or "~~~" in chunk.text or "|" in chunk.text
        spaced = text.count_words(chunk.text)
        assert whole or spaced <= 2 * words


def test_chunks_know_their_document() -> None:
    document = replace(Document("a.md", TIDES, "Tides"), path=f"{PATH}/document.md")
    assert {chunk.document for chunk in chunks(document, 30)} == {f"{PATH}/document.md"}
