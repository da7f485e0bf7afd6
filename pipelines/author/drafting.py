"""A document → seeds for a knowledge leaf, as a proposal that a person reads and mends.

In: the document and whoever answers calls. Out: contexts, cut from the document letter by letter and
spread over it, each with the best of the questions that the teacher proposed. Deterministic: the same
document and answers give the same draft.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipelines import text
from pipelines.author.leaf import LEAST_PAIRS, LEAST_SEEDS, NewSeed
from pipelines.author.scalars import laid_out, refuse_unwritable, tidy
from pipelines.backends import Call
from pipelines.backends.extractive.choosing import best
from pipelines.backends.tagged import parse, spoken
from pipelines.documents import Document, chunks
from pipelines.errors import GraftError
from pipelines.recipe import Teacher
from pipelines.records import Chunk, Message, QuestionAnswer

Answers = Callable[[Sequence[Call]], list[str]]
_T = TypeVar("_T")

MOST_WORDS = 120  # of a context
CONTEXTS = 8
_PROMPT = Path(__file__).with_name("ask_document.md")
_SIZES = (MOST_WORDS, 80, 50)  # words of a piece: smaller ones where larger are too few
_ASKED = 10  # pieces about which the teacher is asked, for each that is wanted
_LEAST_WORDS = 20
_PHRASINGS = 8
_ANSWER_WORDS = 25
_EXAMPLE = ("When was Smeaton's Eddystone tower first lit?", "in October 1759")
_WRITING = re.compile(r"^[ \t]*(?:\||```|~~~|<|!\[)|\]\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Draft:
    """Proposed ``seeds``, and what a person would call the document and its ``outline``."""

    seeds: tuple[NewSeed, ...]
    outline: str


def draft(document: Document, teacher: Teacher, answers: Answers, wanted: int = CONTEXTS) -> Draft:
    """At most ``wanted`` contexts with three questions each; ``GraftError`` under five."""
    found: list[NewSeed] = []
    for words in _SIZES:
        prose = [chunk for chunk in chunks(document, words) if _is_prose(chunk.text)]
        pieces = _spread(prose, _ASKED * wanted)  # of a book, not every page
        calls = [_call(chunk, teacher) for chunk in pieces]
        proposed = [parse(spoken(answer), ("question", "answer"))[0] for answer in answers(calls)]
        found = list(_seeds(pieces, proposed))
        if len(found) >= min(wanted, CONTEXTS):
            break
    if len(found) < LEAST_SEEDS:
        raise GraftError(
            f"{document.path}: only {len(found)} passages of the document give {LEAST_PAIRS} questions "
            f"each, and a leaf needs {LEAST_SEEDS}. Without a model as teacher (--recipe) that takes "
            "more English prose, in whole sentences."
        )
    return Draft(tuple(_spread(found, wanted)), outline(document))


def outline(document: Document) -> str:
    """One line that says what the document covers: its title and its headings."""
    headings = dict.fromkeys(chunk.heading for chunk in chunks(document, MOST_WORDS))
    parts = [tidy(heading) for heading in headings if heading and heading != document.title]
    line = f"{document.title}: {', '.join(parts)}" if parts else document.title
    return line if len(line) <= 300 else line[:300].rsplit(" ", 1)[0] + " …"


def _is_prose(passage: str) -> bool:
    """Whether a passage can be a context: sentences, neither too few nor too many."""
    length = text.count_words(passage)
    return _LEAST_WORDS <= length <= MOST_WORDS and not _WRITING.search(passage)


def _call(chunk: Chunk, teacher: Teacher) -> Call:
    values = {
        "title": chunk.title,
        "heading": chunk.heading,
        "chunk": chunk.text,
        "question": _EXAMPLE[0],
        "answer": _EXAMPLE[1],
        "phrasings": str(_PHRASINGS),
    }
    prompt = _PROMPT.read_text(encoding="utf-8")
    filled = re.sub(r"\{\{ (\w+) \}\}", lambda slot: values[slot[1]], prompt)
    messages = (Message("user", filled),)
    return Call("draft_document", values, messages, teacher.model, teacher.revision)


def _seeds(
    pieces: Sequence[Chunk], proposed: Sequence[Sequence[dict[str, str]]]
) -> Iterator[NewSeed]:
    """The passages with enough good questions; no question of the draft is near another."""
    asked: list[str] = []
    for chunk, rows in zip(pieces, proposed, strict=True):
        context = tidy(chunk.text)
        pairs = _best(context, chunk.title, rows, asked)
        if len(pairs) >= LEAST_PAIRS:
            asked += [pair.question for pair in pairs]
            yield NewSeed(laid_out(context), tuple(pairs))


def _best(
    context: str, title: str, rows: Sequence[dict[str, str]], asked: Sequence[str]
) -> list[QuestionAnswer]:
    """The three best pairs: each about another fact, no two nearly the same."""
    pairs = [QuestionAnswer(tidy(row["question"]), tidy(row["answer"])) for row in rows]
    sound = [(pair.question, pair.answer) for pair in pairs if _is_sound(pair, context)]
    chosen: list[QuestionAnswer] = []
    for question, answer in best(sound, context, title):
        if any(text.too_close(question, other) for other in asked):
            continue
        chosen.append(QuestionAnswer(question, answer))
        if len(chosen) == LEAST_PAIRS:
            break
    return sorted(chosen, key=lambda pair: _place(context, pair.answer))


def _is_sound(pair: QuestionAnswer, context: str) -> bool:
    """A question, and an answer in the context's own words that the question does not give away."""
    try:
        refuse_unwritable(pair.question + pair.answer, "")
    except GraftError:
        return False
    answer = text.normalise(pair.answer)
    if not answer or "\n" in pair.question or not pair.question.endswith(("?", "？", "؟")):
        return False
    if answer not in text.normalise(context) or answer in text.normalise(pair.question):
        return False
    return text.count_words(pair.answer) <= _ANSWER_WORDS


def _place(context: str, answer: str) -> int:
    return text.normalise(context).find(text.normalise(answer))


def _spread(seeds: Sequence[_T], wanted: int) -> list[_T]:
    """At most ``wanted``, evenly over the document, its first and last passage among them."""
    if len(seeds) <= wanted:
        return list(seeds)
    step = (len(seeds) - 1) / (wanted - 1)
    return [seeds[round(place * step)] for place in range(wanted)]
