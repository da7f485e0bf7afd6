"""Whatever a valid leaf looks like, `fix` keeps what it says, keeps its comments, and is done at once."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.check import Policy, whitespace
from pipelines.check.subject import LeafSubject
from pipelines.fix.layout import is_laid_out
from pipelines.fix.leaf import Repairs, mend_leaf
from pipelines.leaves import WorkTree
from pipelines.yaml_source import Source, read_yaml
from tests.fix.writer import Writer

LINES = (
    "river",
    "The Danube flows through ten countries, more than any other river.",
    "Yes",
    "0123",
    "12:30",
    "1e3",
    "2024-01-01",
    "null",
    "~",
    "Danube: a river",
    "C #1",
    "#1",
    "- a dash",
    "? a question",
    "{x} [y] & *z",
    "*.md",
    '"quoted" at its start',
    "it's Naser ed-Din's \"own\" horse",
    "back\\slash",
    "日本語の文 and é",
    "a 🎵 song",
    "two  spaces  here",
    "spaces at the end  ",
    "word " * 30 + "word",
)
LINE = st.sampled_from(LINES)
TEXT = st.sampled_from(
    [
        *LINES,
        *(f"{line}\n" for line in LINES[:4]),
        "First line\nsecond line\n",
        "First line\n\n\nafter two blank lines",
        "  spaces first\nthen none\n",
        "none first\n  then code\n    deeper\n",
        "\nblank line first",
        "blank lines last\n\n\n",
        "a line \nthat ends with a space\n",
        "# no comment\n- no item\nno: key\n",
        "   \nspaces alone\n",
    ]
)
SKILL = st.fixed_dictionaries(
    {
        "version": st.sampled_from([2, 3]),
        "created_by": LINE,
        "task_description": TEXT,
        "seed_examples": st.lists(
            st.fixed_dictionaries({"question": TEXT, "answer": TEXT}, optional={"context": TEXT}),
            min_size=1,
            max_size=3,
        ),
    }
)
KNOWLEDGE = st.fixed_dictionaries(
    {
        "version": st.just(3),
        "created_by": LINE,
        "domain": LINE,
        "seed_examples": st.lists(
            st.fixed_dictionaries(
                {
                    "context": TEXT,
                    "questions_and_answers": st.lists(
                        st.fixed_dictionaries({"question": TEXT, "answer": TEXT}),
                        min_size=1,
                        max_size=2,
                    ),
                }
            ),
            min_size=1,
            max_size=2,
        ),
        "document_outline": TEXT,
        "document": st.fixed_dictionaries(
            {
                "repo": st.just("."),
                "commit": st.just("HEAD"),
                "patterns": st.lists(LINE, min_size=1, max_size=3),
            }
        ),
    }
)


def read(data: bytes) -> Source:
    reading = read_yaml(data, "qna.yaml")
    assert reading.source is not None, (data, reading.findings)
    assert reading.findings == ()
    return reading.source


def whitespace_findings(data: bytes) -> list[int]:
    """The lines at which the rule `whitespace` finds something."""
    subject = LeafSubject(WorkTree(Path()), "x", read_yaml(data, "x/qna.yaml"), ())
    return [finding.line for finding in whitespace.check(subject, Policy())]


def lines_that_end_with_spaces(data: object) -> int:
    if isinstance(data, str):
        return sum(line != line.rstrip(" ") for line in data.split("\n"))
    children = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return sum(lines_that_end_with_spaces(child) for child in children)


def collapsed(data: object) -> object:
    """The values with each run of white space as one space, and none at the ends."""
    if isinstance(data, str):
        return " ".join(data.split())
    if isinstance(data, list):
        return [collapsed(item) for item in data]
    if isinstance(data, dict):
        return {key: collapsed(value) for key, value in data.items()}
    return data


@settings(max_examples=60)
@given(st.one_of(SKILL, KNOWLEDGE), st.integers(0, 2**32))
def test_fix_keeps_values_and_comments_and_is_done_at_once(data: dict[str, Any], seed: int) -> None:
    assert_kept_and_done(data, seed)


@pytest.mark.slow
@settings(max_examples=500)
@given(st.one_of(SKILL, KNOWLEDGE), st.integers(0, 2**32))
def test_the_same_at_length(data: dict[str, Any], seed: int) -> None:
    assert_kept_and_done(data, seed)


def assert_kept_and_done(data: dict[str, Any], seed: int) -> None:
    writer = Writer(random.Random(seed))
    before = writer.write(data)
    assert read(before).data == data
    mended = mend_leaf(before, "qna.yaml", Repairs())
    after = read(mended.data)
    assert after.data == data
    text = mended.data.decode()
    assert re.findall("# note [0-9]+: mind the gap", text) == writer.comments
    assert is_laid_out(text, after.root)
    assert mend_leaf(mended.data, "qna.yaml", Repairs()) == mended
    # What is left of spaces at line ends is a part of what the leaf says, and told.
    assert len(whitespace_findings(mended.data)) <= lines_that_end_with_spaces(data)
    assert bool(whitespace_findings(mended.data)) == bool(mended.findings)


@settings(max_examples=40)
@given(st.one_of(SKILL, KNOWLEDGE), st.integers(0, 2**32))
def test_strip_leaves_no_space_at_a_line_end_and_every_word(
    data: dict[str, Any], seed: int
) -> None:
    before = Writer(random.Random(seed)).write(data)
    mended = mend_leaf(before, "qna.yaml", Repairs(strip=True))
    assert whitespace_findings(mended.data) == []
    assert mended.findings == ()
    assert collapsed(read(mended.data).data) == collapsed(data)
    assert mend_leaf(mended.data, "qna.yaml", Repairs(strip=True)) == mended


@settings(max_examples=200)
@given(st.text(st.sampled_from("ab: -#|>'\"[]{},\n\t &*!%0.~\u00e9?"), max_size=60), st.booleans())
def test_whatever_a_file_holds_no_value_changes(text: str, bom: bool) -> None:
    before = (b"\xef\xbb\xbf" if bom else b"") + text.encode()
    mended = mend_leaf(before, "qna.yaml", Repairs())
    old, new = read_yaml(before, "x"), read_yaml(mended.data, "x")
    if old.source is None:
        assert mended.data == before
    else:
        assert new.source is not None
        assert repr(new.source.data) == repr(old.source.data)
        assert mend_leaf(mended.data, "qna.yaml", Repairs()).data == mended.data
