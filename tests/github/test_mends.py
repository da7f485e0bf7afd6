"""Suggestions: each safe alone, all together what `graft fix` writes, and only where they may stand."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.fix import Repairs, mend, says_the_same
from pipelines.github.mends import MOST_LINES, Suggestion, shown_lines, suggest
from tests.check.builders import KNOWLEDGE, SKILL, knowledge, skill
from tests.fix.test_properties import KNOWLEDGE as KNOWLEDGES
from tests.fix.test_properties import SKILL as SKILLS
from tests.fix.writer import Writer

PATH = f"{SKILL}/qna.yaml"


def taken(data: bytes, suggestions: Sequence[Suggestion]) -> bytes:
    """The file after the clicks."""
    end = "\n" if data.endswith(b"\n") else ""
    lines = data.decode().removesuffix("\n").split("\n")
    for one in sorted(suggestions, key=lambda one: -one.first):
        lines[one.first - 1 : one.last] = one.new
    return ("\n".join(lines) + end).encode()


def all_lines(data: bytes) -> list[range]:
    return [range(1, data.count(b"\n") + 2)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.one_of(SKILLS, KNOWLEDGES), st.integers(0, 2**32))
def test_each_alone_keeps_what_the_leaf_says_and_all_are_what_fix_writes(
    data: dict[str, Any], seed: int
) -> None:
    text = Writer(random.Random(seed)).write(data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    text = text.removeprefix(b"\xef\xbb\xbf")
    path = PATH if "task_description" in data else f"{KNOWLEDGE}/qna.yaml"
    found, left = suggest(path, path, text, all_lines(text))
    for one in found:
        assert says_the_same(text, taken(text, [one]), path)
        assert taken(text, [one]) != text
    for before, after in itertools.pairwise(found):
        assert before.last < after.first
    assert len({one.key for one in found}) == len(found)
    if not left:
        assert taken(text, found) == mend(text, path, Repairs()).data


def test_far_places_stand_apart_and_near_ones_together() -> None:
    lines = skill().splitlines()
    for at in (1, 3, len(lines) - 1):
        lines[at] += "  "
    text = ("\n".join(lines) + "\n").encode()
    found, left = suggest(PATH, PATH, text, all_lines(text))
    assert left == 0
    assert [(one.first, one.last) for one in found] == [(2, 4), (len(lines), len(lines))]
    assert taken(text, found) == skill().encode()


def test_what_is_sound_only_together_is_one_suggestion() -> None:
    """A list whose items stand too far in, over many lines: half of it moved is no YAML."""
    head, body = knowledge().split("seed_examples:\n")
    items, rest = body.split("document_outline")
    moved = "".join(f"  {line}\n" for line in items.splitlines())
    text = f"{head}seed_examples:\n{moved}document_outline{rest}".encode()
    path = f"{KNOWLEDGE}/qna.yaml"
    [one], left = suggest(path, path, text, all_lines(text))
    assert left == 0
    assert taken(text, [one]) == mend(text, path, Repairs()).data == knowledge().encode()


def test_lines_that_the_pull_request_does_not_show_are_left() -> None:
    text = skill().replace("\n", "  \n").encode()
    shown = shown_lines("@@ -3,2 +3,2 @@ x\n a\n@@ -9 +9 @@\n a\n@@ -12,1 +11,0 @@\n-a")
    assert shown == [range(3, 5), range(9, 10)]
    found, left = suggest(PATH, PATH, text, shown)
    assert found == []
    assert left == 1  # one place of many lines, which reaches beyond the diff
    lines = skill().splitlines()
    lines[2] += " "
    lines[8] += " "
    lines[11] += " "
    text = ("\n".join(lines) + "\n").encode()
    found, left = suggest(PATH, PATH, text, shown)
    assert [(one.first, one.last) for one in found] == [(3, 3), (9, 9)]
    assert left == 1


@pytest.mark.parametrize(
    "text",
    [
        skill().replace("\n", "\r\n"),
        "\ufeff" + skill(),
        skill() + "\n" * MOST_LINES,
        skill().replace("Word 1", "Word \u202e1\u202c") + "\n",
        skill().removesuffix("\n"),
    ],
    ids=["line ends", "byte-order mark", "too long", "hidden characters", "no last newline"],
)
def test_what_a_suggestion_cannot_carry_is_left_to_fix(text: str) -> None:
    found, left = suggest(PATH, PATH, text.encode(), all_lines(text.encode()))
    assert found == []
    assert left == 1


@pytest.mark.parametrize("text", ["", "a: [", "\xff", "a: &a [*a]\n", "key: 1\nkey: 2\n"])
def test_what_cannot_be_read_is_not_mended(text: str) -> None:
    assert suggest(PATH, PATH, text.encode("latin-1"), [range(1, 99)]) == ([], 0)


def test_an_attribution_is_mended_too() -> None:
    path = f"{SKILL}/attribution.txt"
    text = (
        b"Title of work: A  \nLink to work: -\nLicense of the work: CC0-1.0\nCreator names: B\n\n\n"
    )
    found, left = suggest(path, path, text, all_lines(text))
    assert left == 0
    assert taken(text, found) == mend(text, path, Repairs()).data
