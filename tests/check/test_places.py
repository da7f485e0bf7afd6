"""Places inside values: the word's own line and column, in every style of scalar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.check.places import place_in
from pipelines.yaml_source import read_yaml
from tests.check.builders import run, skill, write_skill


def shown(text: str, key: str, word: str, nth: int = 0) -> str:
    """What stands in the file where ``place_in`` puts the start of the word."""
    reading = read_yaml(text.encode(), "x")
    assert reading.source is not None
    assert reading.text is not None
    value, offset = reading.source.data[key], -1
    for _ in range(nth + 1):
        offset = value.index(word, offset + 1)
    line, column = place_in(reading.source, reading.text, (key,), offset)
    return reading.text.split("\n")[line - 1][column - 1 :]


@pytest.mark.parametrize(
    "text",
    [
        "a: one two WORD three\n",
        "a: 'it''s a WORD three'\n",
        'a: "tab\\t and \\"quotes\\" \\u00e9 WORD three"\n',
        'a: "one \\\n   two \\\n  WORD three"\n',
        "a: one\n  two\n\n  WORD three\n",
        "a: 'one\n\n  two''s WORD three'\n",
        "a: |\n  one\n\n    two\n  three WORD three\n",
        "a: |2-  # WORD in a remark\n    one\n  two WORD three\n",
        "a: >-\n  one\n  two\n\n  three\n    four\n\n\n  WORD three\n",
        "a: >\n\n  one\n  WORD three\n\nb: x\n",
        "a: !!str one WORD three\n",
        "a:\n\n   one two WORD three\n",
        'a: "\\U0001F600 \\x41 😀 WORD three"\n',
        "a: |\n  😀 日本 WORD three\n",
    ],
)
def test_a_word_is_found_where_it_stands(text: str) -> None:
    assert shown(text, "a", "WORD").startswith("WORD three")
    assert shown("\ufeff" + text.replace("\n", "\r\n"), "a", "WORD").startswith("WORD three")


def test_the_second_of_two() -> None:
    assert shown("a: |\n  WORD one\n  WORD two\n", "a", "WORD", 1) == "WORD two"


def test_white_space_is_shown_after_the_word_before_it() -> None:
    reading = read_yaml(b"a: |\n  one\n  two\n", "x")
    assert reading.source is not None
    assert place_in(reading.source, reading.text or "", ("a",), 3) == (2, 6)
    assert place_in(reading.source, reading.text or "", ("a",), 99) == (3, 6)


def test_what_is_not_there_is_shown_at_its_parent() -> None:
    reading = read_yaml(b"a:\n  - b\n", "x")
    assert reading.source is not None
    assert place_in(reading.source, reading.text or "", ("a",), 0) == (2, 3)
    assert place_in(reading.source, reading.text or "", ("a", 7), 0) == (2, 3)
    assert place_in(reading.source, reading.text or "", ("c", "d"), 0) == (1, 1)


words = st.text("abcé日😀'\"\\#:-{}[]%&*!|>@`,?", min_size=1, max_size=6)
texts = st.lists(st.tuples(words, st.sampled_from([" ", "  ", "\n", "\n\n", "\n  "])), min_size=1)


@settings(max_examples=150, deadline=None)
@given(pairs=texts, style=st.sampled_from([None, "'", '"', "|", ">"]), width=st.integers(5, 40))
def test_every_solid_character_is_found(
    pairs: list[tuple[str, str]], style: str | None, width: int
) -> None:
    value = "".join(word + gap for word, gap in pairs)
    written = yaml.dump({"a": {"b": [value]}}, default_style=style, width=width, allow_unicode=True)
    reading = read_yaml(written.encode(), "x")
    assert reading.source is not None
    assert reading.source.data == {"a": {"b": [value]}}
    lines = written.split("\n")
    for offset, char in enumerate(value):
        if char not in " \n":
            line, column = place_in(reading.source, written, ("a", "b", 0), offset)
            there = lines[line - 1][column - 1]
            assert there == char or there == "\\", (written, offset)


def test_in_a_leaf_with_a_bom_and_blocks(tmp_path: Path) -> None:
    content = skill().replace(
        "answer: Word 2.", "answer: |\n      First.\n\n      Write to bob@mail.org."
    )
    write_skill(tmp_path, b"\xef\xbb\xbf" + content.replace("\n", "\r\n").encode())
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.line, finding.column) == ("personal-data", 13, 16)


def test_json_is_yaml_too(tmp_path: Path) -> None:
    seeds = [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(5)]
    seeds[3]["answer"] = "Call +49 30 901820."
    leaf = {"version": 3, "created_by": "a", "task_description": "T.", "seed_examples": seeds}
    write_skill(tmp_path, json.dumps(leaf) + "\n")
    (finding,) = run(tmp_path).findings
    assert json.dumps(leaf)[finding.column - 1 :].startswith("+49")
