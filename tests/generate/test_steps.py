"""Parsing a teacher's text, and the filters with their reasons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.backends.tagged import parse
from pipelines.generate.filters import FILTERS, LONGEST
from pipelines.generate.parsers import whole
from pipelines.generate.steps import Ask, Distinct, Origin, Row, Setting

TAGS = ("question", "answer")
WORD = st.text(st.sampled_from("abc 12?é日\n"), min_size=1, max_size=12).filter(str.strip)
# How a block goes wrong: each takes its question and answer.
BROKEN = (
    "[QUESTION]\n{q}\n[END]\n",
    "[ANSWER]\n{a}\n[END]\n",
    "[ANSWER]\n{a}\n[QUESTION]\n{q}\n[END]\n",
    "[QUESTION]\n{q}\n[ANSWER]\n[END]\n",
    "[QUESTION]\n[ANSWER]\n{a}\n[END]\n",
    "[QUESTION]\n{q}\n[ANSWER]\n{a}\n[ANSWER]\n{a}\n[END]\n",
    "[QUESTION]\n{q}\n[QUESTION]\n{q}\n[ANSWER]\n{a}\n[END]\n",
    "Here you are: [QUESTION]\n{q}\n[ANSWER]\n{a}\n[END]\n",
    "[QUESTION]\n{q}\n[ANSWER]\n{a}\n",
    "{q} {a}\n[END]\n",
    "[question]\n{q}\n[answer]\n{a}\n[END]\n",
)
GOOD = "[QUESTION]\n{q}\n[ANSWER]\n{a}\n[END]\n"


def row(question: str = "Q?", answer: str = "A", source: str = "", context: str = "") -> Row:
    fields = {"question": question, "answer": answer} | ({"context": context} if context else {})
    return Row(fields, Origin("seed", source=source))


@given(st.lists(st.tuples(WORD, WORD, st.sampled_from([GOOD, *BROKEN])), max_size=8))
def test_a_broken_block_never_shifts_the_fields_of_another(
    blocks: list[tuple[str, str, str]],
) -> None:
    # Each pair carries its place, so that a question of one with an answer of another shows.
    text = ""
    pairs = []
    for place, (q, a, form) in enumerate(blocks):
        q, a = f"q{place} {q}", f"a{place} {a}"
        text += form.format(q=q, a=a)
        after_open = place > 0 and not blocks[place - 1][2].endswith("[END]\n")
        if form == GOOD and not after_open:
            pairs.append({"question": q.strip(), "answer": a.strip()})
    good, bad = parse(text, TAGS)
    assert [found for found in good if found in pairs] == pairs
    for found in good:
        assert found["question"].split()[0][1:] == found["answer"].split()[0][1:]
    assert all(raw.strip() for raw in bad)
    if len(pairs) < len(blocks):
        assert bad


@pytest.mark.parametrize("form", BROKEN)
def test_each_broken_block_is_given_back_raw(form: str) -> None:
    broken = form.format(q="What?", a="That.")
    good, bad = parse(GOOD.format(q="Why?", a="So.") + broken, TAGS)
    assert good == [{"question": "Why?", "answer": "So."}]
    assert bad == [broken.replace("[END]", "").strip()]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>\n[QUESTION] of what? [END]\n</think>\nThat.", "That."),
        ("Hm, first the year.\n</think>\n\nThat.", "That."),
        ("  <think></think>That.", "That."),
        ("<think>Which one was it", ""),
        ("Say <think>, then </think>.", "Say <think>, then </think>."),
        ("That.", "That."),
    ],
)
def test_reasoning_before_an_answer_is_not_read(text: str, answer: str) -> None:
    step = Ask("ask", (), lambda _: (), whole("said"))
    good, bad = step.read(text)
    assert [found["said"] for found in good] == ([answer] if answer else [])
    assert bad == []


def test_an_answer_cut_off_before_its_end_is_no_answer() -> None:
    good, bad = parse("[QUESTION]\nHow many?\n[ANSWER]\nOne hundred and", TAGS)
    assert good == []
    assert len(bad) == 1


@pytest.mark.parametrize("text", ["", "  \n", "[END]", "[END]\n[END]\n"])
def test_nothing_parses_to_nothing(text: str) -> None:
    assert parse(text, TAGS) == ([], [])


def test_fields_may_hold_several_lines_and_brackets() -> None:
    text = "[QUESTION]\nWhat is [x]?\n\nSay.\n[ANSWER]\n- a\n- [b]\n[END]"
    assert parse(text, TAGS) == ([{"question": "What is [x]?\n\nSay.", "answer": "- a\n- [b]"}], [])


def test_a_row_longer_than_the_student_reads_is_left_out() -> None:
    keep = FILTERS["short_enough"]
    assert keep(row("q" * (LONGEST - 1), "a"), Setting([])) == ""
    assert str(LONGEST) in keep(row("q" * LONGEST, "a"), Setting([]))


@pytest.mark.parametrize(
    ("answer", "source", "told"),
    [
        ("the Moon", "The Moon pulls on the sea.", ""),
        ("THE MOON!", "The Moon pulls on the sea.", ""),
        ("the Moon pulls strongly", "The Moon pulls on the sea.", ""),
        ("Jupiter and Saturn", "The Moon pulls on the sea.", "does not stand in the text"),
        ("the Moon in 1914", "The Moon in 1918 was seen.", "a number of the answer"),
        ("月が海", "月が海を引く。", ""),
        ("木星", "月が海を引く。", "does not stand in the text"),
    ],
)
def test_an_answer_has_to_stand_in_its_text(answer: str, source: str, told: str) -> None:
    reason = FILTERS["grounded"](row(answer=answer, source=source), Setting([]))
    assert bool(reason) == bool(told)
    assert told in reason


def test_the_leak_gate_compares_questions_and_never_answers_alone() -> None:
    gate = FILTERS["not_an_exam_question"]
    exam = Setting(["Who first described the tides of the northern sea?"])
    assert gate(row("The tides of the northern sea: who first described?"), exam)
    assert gate(row("Who first described the tides of the northern sea?", "No one"), exam)
    assert gate(row("Why is the sky blue above deserts?", "Pytheas"), exam) == ""
    grounded = Setting(["Ada sold 14 clocks on Monday.\n\nHow many clocks?"])
    assert gate(row("How many clocks?", context="Ada sold 14 clocks on Monday."), grounded)
    assert gate(row("How many clocks?", context="Ben lost 3 hats near Rome."), grounded) == ""


def test_what_may_not_recur_is_compared_normalised() -> None:
    question, both = Distinct("q", ("question",)), Distinct("b", ("context", "question"))
    assert question.key(row("Who, me?")) == question.key(row("who me"))
    assert question.key(row("Who?")) != question.key(row("Whom?"))
    first, second = row("Who?", context="One."), row("Who?", context="Two.")
    assert question.key(first) == question.key(second)
    assert both.key(first) != both.key(second)
