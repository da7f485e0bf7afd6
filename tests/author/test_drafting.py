"""Drafts from documents: contexts letter by letter, spread, with sound questions; the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.author.drafting import MOST_WORDS, draft, outline
from pipelines.backends import Call, open_backend
from pipelines.documents import Document
from pipelines.errors import GraftError
from pipelines.recipe import load_recipe
from pipelines.text import count_words, normalise
from tests.support.asking import answering

ROOT = Path(__file__).parents[2]
TEACHER = load_recipe("tiny").teacher
NAMES = [
    "earth/rivers/danube",
    "science/biology/octopuses",
    "technology/version_control/git_objects",
]


def document(name: str) -> Document:
    path = ROOT / "taxonomy/knowledge" / name / f"{name.rsplit('/', 1)[1]}.md"
    text = path.read_text(encoding="utf-8")
    return Document(path.name, text, text.split("\n", 1)[0].removeprefix("# "))


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", NAMES)
def test_a_draft_of_this_repositorys_documents(name: str) -> None:
    source = document(name)
    found = draft(source, TEACHER, answering(open_backend(TEACHER)))
    assert len(found.seeds) == 8
    whole = squeezed(source.text)
    places = [whole.index(squeezed(seed.context)) for seed in found.seeds]
    assert places == sorted(places)
    ends = [at + len(squeezed(s.context)) for at, s in zip(places, found.seeds, strict=True)]
    assert all(end <= start for end, start in zip(ends, places[1:], strict=False))
    assert places[-1] > len(whole) / 2
    for seed in found.seeds:
        assert count_words(seed.context) <= MOST_WORDS
        assert len(seed.pairs) == 3
        assert len({normalise(pair.answer) for pair in seed.pairs}) == 3
        for pair in seed.pairs:
            assert pair.question.endswith("?")
            assert normalise(pair.answer) in normalise(seed.context)
            assert normalise(pair.answer) not in normalise(pair.question)
    assert found == draft(source, TEACHER, answering(open_backend(TEACHER)))
    assert found.outline.startswith(source.title)


def test_fewer_contexts_are_spread_from_the_first_to_the_last() -> None:
    source = document(NAMES[0])
    teacher = answering(open_backend(TEACHER))
    all_of_it = draft(source, TEACHER, teacher, 100).seeds
    five = draft(source, TEACHER, teacher, 5).seeds
    assert len(five) == 5
    assert (five[0], five[-1]) == (all_of_it[0], all_of_it[-1])


def test_a_document_that_is_too_short_is_one_sentence() -> None:
    short = Document("short.md", "# Short\n\nOne sentence of a few words.\n", "Short")
    with pytest.raises(GraftError, match="only 0 passages"):
        draft(short, TEACHER, answering(open_backend(TEACHER)))


def test_of_a_book_the_teacher_is_asked_about_as_much_as_a_leaf_can_use() -> None:
    page = document(NAMES[0]).text
    book = Document("book.md", "# Book\n\n" + 40 * f"{page}\n\n", "Book")
    asked: list[int] = []

    def answers(calls: Sequence[Call]) -> list[str]:
        asked.append(len(calls))
        return [""] * len(calls)

    with pytest.raises(GraftError, match="more English prose"):
        draft(book, TEACHER, answers, 8)
    assert max(asked) == 80


class Scripted:
    """A teacher that proposes what it is told to, whatever the passage; the calls are kept."""

    def __init__(self, *rows: tuple[str, str]) -> None:
        self.rows = rows
        self.calls: list[Call] = []

    def __call__(self, calls: Sequence[Call]) -> list[str]:
        self.calls += calls
        return [self._answer(call.variables["chunk"]) for call in calls]

    def _answer(self, chunk: str) -> str:
        word = chunk.split()[0]
        blocks = [
            f"[QUESTION]\n{q.format(word)}\n[ANSWER]\n{a.format(word)}\n[END]" for q, a in self.rows
        ]
        return "\n".join(blocks)


def passages(count: int) -> Document:
    """Paragraphs of 25 words that begin with a word of their own and share two facts."""
    parts = [
        f"Word{n} stands first. The tower was lit in 1759 by {n} keepers of the house, and "
        "the light was seen for many miles by all who came."
        for n in range(count)
    ]
    return Document("p.md", "# Lights\n\n" + "\n\n---\n\n".join(parts), "Lights")


GOOD = [
    ("What does {0} do in the list of lights?", "stands first"),
    ("In which year was the tower of {0} lit?", "1759"),
    ("How far was the light of {0} seen?", "many miles"),
]


def test_unsound_proposals_are_passed_over() -> None:
    bad = [
        ("Who wrote {0}?", "Shakespeare"),  # not in the passage
        ("Was the tower of {0} lit in 1759?", "in 1759"),  # given away
        ("Tell me about {0}", "keepers"),  # no question
        ("What is empty in {0}?", "!"),
        ("What was lit \a in {0}?", "the tower"),
        ("When was the tower of {0} lit by its keepers?", "in 1759"),  # the same fact again
    ]
    found = draft(passages(6), TEACHER, Scripted(*bad, *GOOD))
    for seed in found.seeds:
        answers = {normalise(pair.answer) for pair in seed.pairs}
        assert answers in (
            {"stands first", "1759", "many miles"},
            {"stands first", "in 1759", "many miles"},
        )


def test_no_question_is_asked_of_two_passages() -> None:
    same = [("What does the word do here?", "stands first"), *GOOD[1:]]
    with pytest.raises(GraftError, match="only 1 passages"):
        draft(passages(6), TEACHER, Scripted(*same))


def test_a_call_names_its_teacher_and_says_everything_in_its_message() -> None:
    teacher = Scripted(*GOOD)
    draft(passages(5), TEACHER, teacher)
    for call in teacher.calls:
        assert (call.model, call.revision) == (TEACHER.model, TEACHER.revision)
        (message,) = call.messages
        assert all(text in message.content for text in call.variables.values())
        assert "{{" not in message.content
    assert len({call.key for call in teacher.calls}) == len(
        {c.variables["chunk"] for c in teacher.calls}
    )


def test_the_outline_names_title_and_headings() -> None:
    text = "# T\n\nIntro.\n\n## One\n\nA.\n\n## Two\n\nB.\n\n## One\n\nC.\n"
    assert outline(Document("t.md", text, "T")) == "T: One, Two"
    long = "# T\n\n" + "".join(f"## Heading number {n}\n\nText.\n\n" for n in range(60))
    assert len(outline(Document("t.md", long, "T"))) <= 302
