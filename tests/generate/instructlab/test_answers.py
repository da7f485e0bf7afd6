"""Columns between tags in one answer: which stand together, where they do not occur equally often."""

from __future__ import annotations

import itertools
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.generate.instructlab.answers import Tags, tagged
from pipelines.generate.steps import Unread

TAGS = tagged([Tags("question", "[Q]", "[/Q]"), Tags("response", "[A]", "[/A]")])


def test_what_stands_together_is_a_row_and_the_rest_is_given_back() -> None:
    text = "[Q]q0[/Q][A]a0[/A] [Q]q1[/Q] [Q]q2[/Q][A]a2[/A] [Q]q3[/Q][A]a3[/A][A]b3[/A]"
    good, bad = TAGS(text)
    assert good == [{"question": f"q{n}", "response": f"a{n}"} for n in (0, 2)]
    assert bad == ["[Q]q1[/Q]", "[Q]q3[/Q][A]a3[/A][A]b3[/A]"]
    assert all(isinstance(raw, Unread) and "equally often" in raw.reason for raw in bad)


@pytest.mark.parametrize("order", ["QAQA", "AQAQ", "QQAA", "AAQQ"])
def test_columns_in_turn_or_in_blocks_are_paired_in_their_order(order: str) -> None:
    seen: Counter[str] = Counter()
    text = ""
    for tag in order:
        text += f"[{tag}]{tag.lower()}{seen[tag]}[/{tag}]\n"
        seen[tag] += 1
    pairs = [{"question": f"q{n}", "response": f"a{n}"} for n in range(2)]
    assert TAGS(text) == (pairs, [])


@given(st.lists(st.sampled_from(["pair", "pair", "question", "answer", "noise"]), max_size=9))
def test_no_question_gets_the_answer_of_another(parts: list[str]) -> None:
    forms = {
        "pair": "[Q]q{n}[/Q][A]a{n}[/A]\n",
        "question": "[Q]q{n}[/Q]\n",
        "answer": "[A]a{n}[/A]\n",
        "noise": "Well, {n}.\n",
    }
    text = "".join(forms[part].format(n=n) for n, part in enumerate(parts))
    good, bad = TAGS(text)
    order = re.findall(r"\[([QA])\]", text)
    blocks = [tag for tag, _ in itertools.groupby(order)]
    if len(blocks) != 2 and order != order[:2] * (len(order) // 2):
        assert bad
        for row in good:  # nothing with a tag stands between a question and its answer
            start, end = text.index(f"[Q]{row['question']}["), text.index(f"[A]{row['response']}[")
            assert re.findall(r"\[[QA]\]", text[start:end]) == ["[Q]"]
    assert bool(good or bad) == bool(text.strip())
