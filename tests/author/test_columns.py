"""Rows → seeds: columns by header, name or number; every row is used or listed with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.author.columns import Import, import_rows
from pipelines.author.leaf import NewSeed
from pipelines.author.tables.sheet import Row, Sheet
from pipelines.errors import UsageError
from pipelines.records import QuestionAnswer


def sheet(*rows: tuple[str, ...], name: str = "") -> Sheet:
    return Sheet(name, tuple(Row(number, cells) for number, cells in enumerate(rows, start=1)))


def taken(
    *sheets: Sheet,
    columns: str = "",
    wanted: str = "",
    context: str = "none",
    known: tuple[NewSeed, ...] = (),
) -> Import:
    return import_rows(sheets, columns, wanted, context=context, known=known)


def seed(question: str, answer: str, context: str = "") -> NewSeed:
    return NewSeed(context, (QuestionAnswer(question, answer),))


@pytest.mark.parametrize(
    "header", [("Question", "ANSWER"), ("answer", "question"), ("n", " Questions: ", "Answers")]
)
def test_headers_in_any_case_and_order(header: tuple[str, ...]) -> None:
    values = {"Q": "q?", "A": "a", "N": "1"}
    row = tuple(values[name.strip()[0].upper()] for name in header)
    assert taken(sheet((), header, row)) == Import((seed("q?", "a"),), (), ())


def test_columns_by_name_and_by_number() -> None:
    table = sheet(("Frage", "Nr", "Antwort"), ("q?", "1", "a"))
    assert taken(table, columns="question=frage, answer=Antwort").seeds == (seed("q?", "a"),)
    numbered = taken(table, columns="question=1,answer=3").seeds
    assert numbered == (seed("Frage", "Antwort"), seed("q?", "a"))


def test_without_a_header_the_first_two_columns_are_taken_and_it_is_said() -> None:
    found = taken(sheet(("q1?", "a1", "x"), ("q2?", "a2")))
    assert found.seeds == (seed("q1?", "a1"), seed("q2?", "a2"))
    assert found.notes == (
        "No header says question and answer: columns 1 and 2 are taken, from the first row on "
        "('q1?', 'a1'). Where that row is a header, name its columns with --columns.",
    )


def test_contexts() -> None:
    table = sheet(("context", "question", "answer"), ("c", "q?", "a"), ("", "q2?", "a2"))
    needed = taken(table, context="needed")
    assert needed.seeds == (seed("q?", "a", "c"),)
    assert needed.unused == ("row 3: the context is empty, and this kind of leaf needs one",)
    assert taken(table, context="none").unused == (
        "row 2: it has a context, and this kind of leaf takes none",
    )
    assert len(taken(table, context="allowed").seeds) == 2


def test_each_row_that_cannot_be_used_is_listed_with_its_number_and_reason() -> None:
    table = sheet(
        ("question", "answer"),
        ("q1?", "a1"),
        ("", "a"),
        ("q?", "  "),
        ("", ""),
        ("q?", "#N/A"),
        ("q?", "bell \a"),
        ("q1? ", "a1"),
        ("q1?", "another answer"),
        ("only one",),
        ("known?", "yes"),
    )
    found = taken(table, known=(seed("known?", "yes"),))
    assert found.seeds == (seed("q1?", "a1"), seed("q1?", "another answer"))
    assert found.unused == (
        "row 3: the question is empty",
        "row 4: the answer is empty",
        "row 6: the answer is the error #N/A of a formula",
        "row 7: it holds the character U+0007, which cannot be seen and which no leaf may hold; "
        "delete it.",
        "row 8: the same question and answer stand in row 2",
        "row 10: the answer is empty",
        "row 11: the same question and answer stand in the leaf",
    )


def test_a_title_above_the_header_is_left_out_and_said() -> None:
    found = taken(sheet(("My songs", ""), (), ("question", "answer"), ("q?", "a")))
    assert found.seeds == (seed("q?", "a"),)
    assert found.notes == ("row 1 stands above the header and is left out.",)


def test_several_sheets() -> None:
    one = sheet(("question", "answer"), ("q1?", "a1"), name="One")
    two = sheet(("Answer", "Question"), ("a2", "q2?"), ("", "q3?"), name="Two")
    other = sheet(("name", "town"), ("x", "y"), name="Other")
    found = taken(one, other, two, sheet(name="Empty"))
    assert found.seeds == (seed("q1?", "a1"), seed("q2?", "a2"))
    assert found.unused == ("Two, row 3: the answer is empty",)
    assert found.notes == ("Other is left out: it has no such columns.",)
    assert taken(one, two, wanted="two").seeds == (seed("q2?", "a2"),)
    assert taken(one, sheet(("q4?", "a4"), name="Bare"), wanted="Bare").seeds == (
        seed("q4?", "a4"),
    )


def test_a_note_of_a_column_that_is_taken_is_told() -> None:
    rows = (
        Row(1, ("question", "answer", "x")),
        Row(2, ("q?", "4", "5"), ("column 2 is 4", "column 3 is 5")),
    )
    assert taken(Sheet("S", rows)).notes == ("S, row 2: column 2 is 4",)


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        ((("a", "b"),), {"columns": "question"}, "write question=NAME"),
        ((("a", "b"),), {"columns": "colour=a,answer=b"}, "write question=NAME"),
        ((("a", "b"),), {"columns": "question=a"}, "and that of the answer"),
        ((("a", "b"),), {"columns": "question=x,answer=b"}, "No row has the headers x, b"),
        ((("a", "b"),), {"columns": "question=0,answer=1"}, "number 1"),
        ((("a", "b"),), {"wanted": "x"}, "no one sheet"),
        ((("a",), ("b",)), {}, "one column only"),
        ((("", ""),), {}, "no table with anything"),
        ((), {}, "no table with anything"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    table: tuple[tuple[str, ...], ...], options: dict[str, str], words: str
) -> None:
    sheets = [
        sheet(*table, name="S"),
        *([sheet(("q", "a"), name="T")] if "wanted" in options else []),
    ]
    with pytest.raises(UsageError, match=words):
        taken(*sheets, **options)  # type: ignore[arg-type]


CELL = st.sampled_from(["", " ", "a", "b", "q?", "#N/A", "\a", "x\ny"])


@given(st.lists(st.lists(CELL, max_size=4).map(tuple), max_size=12))
def test_no_row_vanishes(rows: list[tuple[str, ...]]) -> None:
    found = taken(sheet(("question", "answer", "context"), *rows), context="allowed")
    blank = sum(not any(cell.strip() for cell in row) for row in rows)
    assert len(found.seeds) + len(found.unused) + blank == len(rows)
