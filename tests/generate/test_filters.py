"""Filters on what a teacher adds, and near duplicates within a leaf."""

from __future__ import annotations

import asyncio
import codecs
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.backends import Call
from pipelines.generate.engine import Passage
from pipelines.generate.filters import FILTERS
from pipelines.generate.ledger import Book
from pipelines.generate.near import firsts
from pipelines.generate.steps import Flow, Near, Origin, Row, Setting
from pipelines.text import tokens
from tests.generate.support import Teacher, dataset, lines, rows, taxonomy, work_of

RUDE = codecs.decode("nffubyr", "rot13")
WORD = st.sampled_from(["when", "did", "the", "tide", "turn", "1914", "1918", "日", "月"])


def row(source: str = "", **columns: str) -> Row:
    return Row({"question": "Q?", "answer": "A", **columns}, Origin("seed", source=source))


@pytest.mark.parametrize("column", ["question", "answer", "context", "wrong_b"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Ask ada@lovelace.co.uk.", "an e-mail address"),
        ("Ring +44 20 7123 4567.", "a telephone number"),
        ("Pay with 4111 1111 1111 1111.", "a payment card number"),
    ],
)
def test_personal_data_stays_out_unless_the_source_holds_it(
    column: str, text: str, kind: str
) -> None:
    keep = FILTERS["no_personal_data"]
    assert kind in keep(row(**{column: text}), Setting())
    assert kind in keep(
        row("Ring +44 20 7123 9999 or bob@lovelace.co.uk", **{column: text}), Setting()
    )
    assert keep(row(f"As it says: {text}", **{column: text}), Setting()) == ""
    other_spaces = re.sub(r"(?<=\d) (?=\d)", "-", text)
    assert keep(row(other_spaces.upper(), **{column: text}), Setting()) == ""


def test_abuse_stays_out_unless_the_source_holds_it() -> None:
    keep = FILTERS["not_abusive"]
    assert "abusive" in keep(row(answer=f"You {RUDE}!"), Setting())
    assert keep(row(f"The word {RUDE} is vulgar.", answer=RUDE), Setting()) == ""
    assert keep(row(answer="A heron."), Setting()) == ""


def test_what_a_teacher_adds_is_told_among_the_rejects(tmp_path: Path) -> None:
    tree = taxonomy(tmp_path / "taxonomy")

    def say(call: Call) -> str:
        question = call.variables.get("question", call.task)  # exam questions name no seed
        context = "[CONTEXT]\nThe tide.\n" if call.task == "vary_context" else ""
        blocks = [(question, "the tide"), (f"Once {question}", "Mail ada@lovelace.co.uk")]
        return "".join(f"{context}[QUESTION]\n{q}\n[ANSWER]\n{a}\n[END]\n" for q, a in blocks)

    dataset(tmp_path / "out", tree, work_of(tree), Teacher(say))
    told = [r for r in lines(tmp_path / "out" / "rejects.jsonl") if r["step"] == "no_personal_data"]
    assert told
    assert all("e-mail" in reject["reason"] and len(reject["calls"]) == 1 for reject in told)
    assert {"knowledge", "grounded", "seeds", "exam_knowledge"} <= {one["flow"] for one in told}
    exam = [path.read_text("utf-8") for path in (tmp_path / "out" / "asked").iterdir()]
    assert any(exam)
    assert "@" not in "".join(exam)
    assert not any("@" in turn["content"] for r in rows(tmp_path / "out") for turn in r["messages"])


# --- near duplicates -----------------------------------------------------------------------------


def rouge_l(a: list[str], b: list[str]) -> float:
    """The F measure, by the textbook's table."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
            )
    return 2 * table[-1][-1] / (len(a) + len(b)) if a or b else 1.0


@given(st.lists(st.lists(WORD, min_size=1, max_size=6).map(" ".join), max_size=12))
def test_the_first_of_near_ones_stays_and_no_other(texts: list[str]) -> None:
    def near(a: str, b: str) -> bool:
        numbers = [sorted(t for t in tokens(x) if t.isdigit()) for x in (a, b)]
        return numbers[0] == numbers[1] and rouge_l(tokens(a), tokens(b)) >= 0.7

    stays = firsts(texts, 0.7)
    kept: list[str] = []
    for text, stayed in zip(texts, stays, strict=True):
        assert stayed == (not any(near(text, other) for other in kept))
        kept += [text] if stayed else []


def test_the_step_counts_what_it_leaves_out_and_keeps_the_order() -> None:
    asked = ["When does the tide turn at Fundy?", "So when does the tide turn at Fundy?", "Who?"]
    step = Near("near_question", ("question",))
    flow = Flow("f", "phase", "question", (step,), "hash")
    book = Book()
    passage = Passage(flow, "leaf", Setting(), None, book)  # type: ignore[arg-type]
    given = [Row({"question": text}, order=(n,)) for n, text in enumerate(asked)]
    left = asyncio.run(passage.through(reversed(given)))
    assert [row.columns["question"] for row in left] == [asked[0], asked[2]]
    (told,) = book.ledger(0, 0).steps
    assert (told.into, told.kept, told.duplicate) == (3, 2, 1)
    assert book.rejects[0].reason == "nearly asked already"
