"""A leaf → the rows that a flow begins with; a row that came through a flow → a ``Sample``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pipelines.artifacts import digest
from pipelines.backends.extractive.distracting import WRONG
from pipelines.documents import Document, chunks
from pipelines.exam import user_turn
from pipelines.generate.columns import of_chunk, of_chunk_and_seed, of_question
from pipelines.generate.siblings import siblings
from pipelines.generate.steps import EXAM_PHASES, Flow, Origin, Row
from pipelines.recipe import Recipe
from pipelines.records import ChoiceSample, Chunk, ExamSplit, Leaf, Message, Sample

Read = Callable[[Leaf], Sequence[Document]]


def first_rows(
    flow: Flow, leaf: Leaf, split: ExamSplit, read: Read, recipe: Recipe
) -> Iterator[Row]:
    """The rows that a flow begins with, with the columns that it reads. Exam seeds are never among them."""
    for number, row in enumerate(_first_rows(flow, leaf, split, read, recipe)):
        columns = {
            name: text
            for name, text in row.columns.items()
            if not flow.inputs or name in flow.inputs
        }
        yield replace(row, columns=columns, order=(number,))


def _first_rows(
    flow: Flow, leaf: Leaf, split: ExamSplit, read: Read, recipe: Recipe
) -> Iterator[Row]:
    shown = [seed for seed in leaf.seeds if seed.id in set(split.shown)]
    if flow.rows == "question":
        amounts = recipe.generate
        asked = amounts.exam_questions if flow.phase in EXAM_PHASES else amounts.rephrasings
        for seed in shown:
            for pair in seed.pairs:
                values = of_question(leaf, seed, pair, asked)
                source = "\n".join((seed.context, pair.question, pair.answer))
                yield Row(values, Origin(seed.id, source=source))
        return
    limits = (recipe.generate.chunk_words, _chunk_tokens(recipe))
    pieces = [chunk for document in read(leaf) for chunk in chunks(document, *limits)]
    if flow.rows == "chunk":
        for chunk in pieces:
            beside = siblings(chunk, pieces) if "siblings" in flow.inputs else ""
            values = of_chunk(leaf, chunk, recipe.generate.exam_questions, beside)
            yield Row(values, _origin(chunk))
        return
    # A leaf with few seeds asks more of each: release zero must know its facts to keep them.
    phrasings = math.ceil(recipe.generate.wordings / max(1, len(shown)))
    for chunk in pieces:
        for seed in shown:
            values = of_chunk_and_seed(leaf, chunk, seed, phrasings)
            yield Row(values, _origin(chunk, seed.id))


def _chunk_tokens(recipe: Recipe) -> float:
    """What leaves room for question and answer in the student's window, and for examples too in the
    teacher's."""
    teacher = recipe.teacher.context / 2 if recipe.teacher.context else math.inf
    return min(0.75 * recipe.student.positions, teacher)


def _origin(chunk: Chunk, seed: str = "") -> Origin:
    return Origin(seed, chunk.document, chunk.index, (chunk.start, chunk.end), chunk.text)


def sample_of(flow: Flow, leaf: Leaf, row: Row, recipe: Recipe) -> Sample:
    context = row.columns.get(flow.columns["context"], "")
    messages = (
        Message("user", user_turn(context, row.columns[flow.columns["question"]])),
        Message("assistant", row.columns[flow.columns["answer"]]),
    )
    sample = Sample(
        id=digest([messages, flow.phase])[:32],
        messages=messages,
        phase=flow.phase,
        content_hash=leaf.content_hash,
        seeds=(row.origin.seed,) if row.origin.seed else (),
        document=row.origin.document,
        span=row.origin.span,
        chunk=row.origin.chunk,
        flow=flow.hash,
        calls=row.calls,
        teacher=recipe.teacher.name,
    )
    if flow.phase != "choice":
        return sample
    fields = {name: getattr(sample, name) for name in Sample.__slots__}
    return ChoiceSample(**fields, wrong=tuple(row.columns[name] for name in WRONG))
