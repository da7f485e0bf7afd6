"""The teacher without a model: tagged text that parses, nothing that was not in front of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.artifacts import digest
from pipelines.backends import Backend, Call, open_backend
from pipelines.backends.extractive import TASKS, Extractive
from pipelines.backends.extractive.choosing import examinable
from pipelines.backends.tagged import parse
from pipelines.errors import BackendError
from pipelines.recipe import Teacher
from pipelines.records import Message
from tests.backends.test_reading import PROSE
from tests.support.asking import texts
from tests.support.repositories import TIDES

SEED = {
    "context": "Mira has 12 red apples and Nils has 7 green pears.",
    "question": "How many red apples does Mira have in the basket?",
    "answer": "12 red apples",
    "phrasings": "6",
}
DOCUMENT = {
    "title": "Tides",
    "heading": "Spring tides",
    "chunk": TIDES,
    "question": "Why do tides rise?",
    "answer": "The Moon",
    "siblings": "The Sun; the coast; spring",
    "phrasings": "3",
    "questions": "2",
}


def call(task: str, variables: Mapping[str, str], sample: int = 0) -> Call:
    prompt = (Message("user", " ".join(variables.values())),)
    return Call(task, variables, prompt, "extractive", "1", sample=sample)


def ask(task: str, variables: Mapping[str, str], *tags: str) -> list[dict[str, str]]:
    """The parsed rows of one answer, after seeing that every block of it parses."""
    good, bad = parse(texts(Extractive(), [call(task, variables)])[0], tags)
    assert bad == []
    return good


def test_recipes_open_it_and_it_names_what_it_cannot_do() -> None:
    teacher: Backend = open_backend(Teacher("extractive", "extractive", "1"))
    assert isinstance(teacher, Extractive)
    with pytest.raises(BackendError, match="cannot do the task translate; it knows ask_document"):
        texts(teacher, [call("translate", SEED)])
    with pytest.raises(BackendError, match="No backend oracle"):
        open_backend(Teacher("oracle", "m", "1"))  # type: ignore[arg-type]


def test_a_key_follows_from_what_determines_the_answer() -> None:
    one = call("rephrase_seed", SEED)
    assert one.key == call("rephrase_seed", SEED).key
    others = [
        call("vary_context", SEED),
        call("rephrase_seed", {**SEED, "answer": "12"}),
        call("rephrase_seed", SEED, sample=1),
        Call(one.task, one.variables, one.messages, "other", "1"),
        Call(one.task, one.variables, one.messages, "extractive", "2"),
    ]
    assert len({other.key for other in [one, *others]}) == 6


def test_the_same_call_has_the_same_answer_in_every_process_and_company() -> None:
    calls = [call(task, {**DOCUMENT, **SEED}, n) for task in TASKS for n in range(2)]
    together = texts(Extractive(), calls)
    alone = [texts(Extractive(), [one])[0] for one in reversed(calls)]
    assert together == alone[::-1]
    assert together[0] != together[1]
    code = (
        "from tests.backends.test_extractive import *\n"
        "calls = [call(task, {**DOCUMENT, **SEED}, n) for task in TASKS for n in range(2)]\n"
        "print(digest(texts(Extractive(), calls)))"
    )
    for seed in "1", "2":
        told = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert told.stdout.strip() == digest(together)


def test_exam_questions_are_few_grammatical_and_each_on_another_fact() -> None:
    text = (
        "Smeaton lit the tower in October 1759. The owners asked him for advice in London. Four "
        "keepers lived in the tower. A smooth cone of oak planks stood there before."
    )
    wanted = {**DOCUMENT, "title": "The tower", "chunk": text, "questions": "3"}
    rows = ask("examine_document", wanted, "question", "answer")
    assert 1 <= len(rows) <= 3
    assert len({row["answer"] for row in rows}) == len(rows)
    for row in rows:
        assert examinable(row["question"], row["answer"])
        assert row["answer"].lower() not in row["question"].lower()


@pytest.mark.parametrize(
    ("question", "answer", "told"),
    [
        ("Who used granite for the outer face?", "Smeaton", True),
        ("When was the Chain Bridge opened?", "1849", True),
        ("How many capital cities stand on the river?", "Four", True),
        ("Who two streams bear on the river?", "the name Danube", False),
        ("Where did molten rock rise in Antrim?", "sheets", False),
        ("Where is the Eddystone a reef?", "in the English Channel", False),
        ("What is the Eddystone in a reef?", "the English Channel", False),
        ("When did the owners open the?", "1849", False),
        ("How many was its architect finished?", "105", False),
    ],
)
def test_what_grammar_alone_cannot_be_trusted_with_is_no_exam(
    question: str, answer: str, told: bool
) -> None:
    assert examinable(question, answer) is told


def test_answers_on_a_document_are_its_own_words() -> None:
    rows = ask("ask_document", DOCUMENT, "question", "answer")
    text = " ".join(TIDES.split()).lower()
    assert len(rows) > 20
    assert all(row["answer"].lower() in text for row in rows)


@given(PROSE)
def test_any_document_gives_rows_that_parse_or_none(text: str) -> None:
    chunk = re.sub(r"\[|\]", "", text)
    rows = ask("ask_document", {**DOCUMENT, "chunk": chunk}, "question", "answer")
    whole = " ".join(chunk.split()).lower()
    assert all(row["answer"].lower() in whole for row in rows)


def test_a_seed_comes_first_as_it_is_and_its_answer_never_changes() -> None:
    rows = ask("rephrase_seed", SEED, "question", "answer")
    assert rows[0] == {"question": SEED["question"], "answer": SEED["answer"]}
    assert {row["answer"] for row in rows} == {SEED["answer"]}
    assert len({row["question"] for row in rows}) == len(rows)
    assert 3 <= len(rows) <= 7


def test_an_exercise_is_varied_in_context_and_answer_alike() -> None:
    first, *others = ask("vary_context", SEED, "context", "question", "answer")
    assert first == {name: SEED[name] for name in ("context", "question", "answer")}
    assert len(others) == 6
    for row in others:
        number = row["answer"].split()[0]
        assert f"Mira has {number} red" in row["context"]
        assert "Nils has 7 green pears" in row["context"]
    assert len({row["answer"] for row in others}) > 3


def test_an_exercise_without_anything_to_exchange_keeps_its_answer() -> None:
    fixed = {**SEED, "context": "The door is blue.", "answer": "blue"}
    for row in ask("vary_context", fixed, "context", "question", "answer"):
        assert (row["context"], row["answer"]) == ("The door is blue.", "blue")


@given(st.text(st.characters(codec="utf-8", exclude_characters="[]"), min_size=1, max_size=60))
def test_any_seed_is_rephrased_without_a_crash(text: str) -> None:
    asked = text.strip()
    if asked:
        rows = ask("rephrase_seed", {**SEED, "question": asked}, "question", "answer")
        assert rows[0]["question"] == asked
