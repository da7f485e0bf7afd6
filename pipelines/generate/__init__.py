"""Changed leaves → training rows, each one traceable, and a ledger that balances.

In: leaves with their exam split, a function that reads their documents, a recipe and the call store.
Out, in the stage directory: ``rows/<content hash>.jsonl`` sorted by id, ``asked/<content
hash>.jsonl`` (exam questions that the teacher wrote, in the same form), ``rejects.jsonl``, ``ledger.json``,
``summary.json`` (content hash → numbers and digests). The same leaves, documents, flows
and answers give the same bytes whatever was asked before.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines.artifacts import digest, pretty_json, rows_to_bytes, sha256
from pipelines.backends import Answer, Backend, Call
from pipelines.documents import CHUNKER_VERSION, Document, chunks
from pipelines.documents.convert import versions
from pipelines.errors import GraftError, LeafError
from pipelines.exam import items, user_turn
from pipelines.generate.columns import of_chunk, of_chunk_and_seed, of_question
from pipelines.generate.completions import Completions
from pipelines.generate.engine import Passage
from pipelines.generate.flow import EXAM_FLOWS, exam_flows_of, flows_of
from pipelines.generate.ledger import ROW, Book, gather, ledger_json
from pipelines.generate.progress import LEAF, Watch
from pipelines.generate.readable import Readable
from pipelines.generate.steps import Ask, Flow, Origin, Row, Setting, unjudged
from pipelines.recipe import Flows, Recipe
from pipelines.records import Chunk, ExamSplit, Kind, Leaf, LeafData, Message, Sample
from pipelines.text import estimate_tokens
from pipelines.vetoes import Veto

VERSION = 3
# Under way at once: so many that small leaves, too, keep a server busy, and that the last calls of one
# keep no other waiting.
LEAVES = 32
Say = Callable[[str], None]
Read = Callable[[Leaf], Sequence[Document]]
Work = Mapping[str, tuple[Leaf, ExamSplit]]


@dataclass(frozen=True, slots=True)
class Teaching:
    """How questions are asked and answered: the recipe, the store, and who is behind it.

    ``judge`` is None where the recipe names none; then flows are gone through without their judge.
    ``vetoes`` are the rows, by id, that may not be taught.
    """

    recipe: Recipe
    store: Completions
    teacher: Backend
    judge: Backend | None = None
    watch: Watch | None = None
    vetoes: Mapping[str, Veto] = field(default_factory=dict)
    _loaded: dict[str, list[Flow]] = field(default_factory=dict, repr=False, compare=False)

    def flows(self, kind: Kind) -> list[Flow]:
        """The flows of the recipe that a leaf of this kind goes through, as they are gone through here."""
        if kind not in self._loaded:
            self._loaded[kind] = self._as_here(flows_of(self.recipe, kind))
        return self._loaded[kind]

    def exam_flows(self, kind: Kind) -> list[Flow]:
        """What an exam is enlarged by."""
        key = f"exam {kind}"
        if key not in self._loaded:
            self._loaded[key] = self._as_here(exam_flows_of(self.recipe, kind))
        return self._loaded[key]

    def _as_here(self, flows: Iterable[Flow]) -> list[Flow]:
        return [flow if self.judge is not None else unjudged(flow) for flow in flows]

    def calls(self, step: Ask, row: Row) -> list[Call]:
        """The calls of ``step`` for ``row``, one a sample."""
        values = {name: row.columns[name] for name in step.variables}
        messages = step.render(values)
        judge = self.recipe.judge if step.role == "judge" else None
        asked = judge or self.recipe.teacher
        return [
            Call(
                step.name, values, messages, asked.model, asked.stamp, step.drawn(sample),
                step.schema, sample,
            )
            for sample in range(step.samples)
        ]  # fmt: skip

    async def answer(self, step: Ask, call: Call) -> Answer:
        judge = self.judge if step.role == "judge" else None
        answer = await self.store.answer(call, Readable(judge or self.teacher, step.read))
        if self.watch is not None:
            self.watch.answered()
        return answer

    async def close(self) -> None:
        """Let go of teacher and judge, the second even where the first cannot."""
        try:
            await self.teacher.close()
        finally:
            if self.judge is not None:
                await self.judge.close()


def generate(work: Work, read: Read, teaching: Teaching, out: Path, say: Say) -> None:
    """Write the rows of every leaf of ``work`` (by content hash) into ``out``.

    ``GraftError`` where documents cannot be had, which is found out before the teacher is asked, and
    where a leaf that has shown seeds is left without a single row.
    """
    _had([leaf for leaf, _ in work.values()], read)
    (out / "rows").mkdir()
    (out / "asked").mkdir()

    async def all_of_it() -> None:
        try:
            await _generate(work, read, teaching, out, say)
        except BaseException:
            with contextlib.suppress(GraftError):  # the first error is the one to mend
                await teaching.close()
            raise
        await teaching.close()

    asyncio.run(all_of_it())


async def _generate(work: Work, read: Read, teaching: Teaching, out: Path, say: Say) -> None:
    book = Book()
    kinds = {leaf.kind for leaf, _ in work.values()}
    needs_judge = any(
        isinstance(step, Ask) and step.role == "judge"
        for kind in kinds
        for flow in flows_of(teaching.recipe, kind)
        for step in flow.steps
    )
    if teaching.judge is None and needs_judge:
        say("generate: the recipe names no judge, so nobody judges the rows")
    summary: dict[str, dict[str, int | str]] = {}
    free = asyncio.Semaphore(LEAVES)

    async def one(content_hash: str, leaf: Leaf, split: ExamSplit) -> None:
        LEAF.set(content_hash)
        async with free:
            asked = await _asked(leaf, split, read, teaching, book)
            samples = await _leaf_rows(leaf, split, read, teaching, book, asked)
        if not samples:
            raise GraftError(
                f"{leaf.path}: no row is left after the filters, so there is nothing to learn from; "
                f"give it more seeds or a document with more facts.{_mostly(book, content_hash)}"
            )
        digests = {}
        for folder, found in (("rows", samples), ("asked", asked)):
            data = rows_to_bytes(found)
            (out / folder / f"{content_hash}.jsonl").write_bytes(data)
            digests[folder] = sha256(data) if found else ""
        summary[content_hash] = {
            "leaf": leaf.path,
            "rows": len(samples),
            "data_hash": digests["rows"],
            "asked": len(asked),
            "asked_hash": digests["asked"],
        }
        book.settle(content_hash, out / "rejects")
        if teaching.watch is not None:
            teaching.watch.finished(content_hash)
        say(f"generate: {len(summary)} of {len(work)} leaves · {leaf.path} · {len(samples)} rows")

    try:
        async with asyncio.TaskGroup() as group:
            for content_hash, (leaf, split) in sorted(work.items()):
                group.create_task(one(content_hash, leaf, split))
    except BaseExceptionGroup as errors:
        raise _first(errors) from None
    ledger = book.ledger(teaching.store.made, teaching.store.reused)
    (out / "ledger.json").write_bytes(pretty_json(ledger_json(ledger)))
    (out / "summary.json").write_bytes(pretty_json(dict(sorted(summary.items()))))
    gather(out / "rejects", out / "rejects.jsonl")


def _mostly(book: Book, content_hash: str) -> str:
    """Why rows of this leaf were lost, for the most part."""
    reasons = Counter(r.reason for r in book.rejects if r.content_hash == content_hash)
    return f" Mostly: {reasons.most_common(1)[0][0]}." if reasons else ""


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of the leaves that were under way: a person mends one at a time."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _had(leaves: Sequence[Leaf], read: Read) -> None:
    """Fetch what lies in other repositories, and tell all that cannot be had at once."""
    causes = []
    for leaf in sorted(leaves, key=lambda leaf: leaf.path):
        if leaf.document is not None and leaf.document.repo != ".":
            try:
                read(leaf)
            except LeafError as error:
                causes.append(str(error))
    if causes:
        raise GraftError("\n".join(causes))


def read_summary(directory: Path) -> dict[str, LeafData]:
    """What a finished dataset holds of each content hash."""
    found = json.loads((directory / "summary.json").read_bytes())
    return {
        content_hash: LeafData(entry["data_hash"], entry["asked_hash"])
        for content_hash, entry in found.items()
    }


def data_key(recipe: Recipe) -> str:
    """Digest of everything but the leaf that its rows depend on: flows, prompts, teacher, chunker."""
    flows = {
        kind: [flow.hash for flow in (*flows_of(recipe, kind), *exam_flows_of(recipe, kind))]
        for kind in EXAM_FLOWS
    }
    who = [recipe.teacher.essence, recipe.judge and recipe.judge.essence]
    amounts = replace(recipe.generate, flows=Flows())  # a flow's name or path alters no row
    longest = recipe.student.positions
    return digest([VERSION, CHUNKER_VERSION, versions(), flows, who, amounts, longest])


async def _asked(
    leaf: Leaf, split: ExamSplit, read: Read, teaching: Teaching, book: Book
) -> list[Sample]:
    """Exam questions that the teacher writes; none where the recipe wants none."""
    wanted = teaching.recipe.generate.exam_questions
    flows = teaching.exam_flows(leaf.kind) if wanted and split.exam else ()
    return await _samples(flows, leaf, split, read, teaching, book, Setting())


async def _leaf_rows(
    leaf: Leaf,
    split: ExamSplit,
    read: Read,
    teaching: Teaching,
    book: Book,
    asked: Sequence[Sample],
) -> list[Sample]:
    """The training rows, none of which asks what the exam asks."""
    exam = [item.prompt for item in items(leaf, split, "changed", lambda _: False)]
    by_chunk: dict[tuple[str, int | None], list[str]] = {}
    for one in asked:
        by_chunk.setdefault((one.document, one.chunk), []).append(one.messages[0].content)
    setting = Setting(exam, by_chunk)
    flows = teaching.flows(leaf.kind)
    return await _samples(flows, leaf, split, read, teaching, book, setting)


async def _samples(
    flows: Sequence[Flow],
    leaf: Leaf,
    split: ExamSplit,
    read: Read,
    teaching: Teaching,
    book: Book,
    setting: Setting,
) -> list[Sample]:
    samples: dict[str, Sample] = {}
    for flow in flows:
        passage = Passage(flow, leaf.content_hash, setting, teaching, book)
        for row in await passage.through(first_rows(flow, leaf, split, read, teaching.recipe)):
            sample = _sample(flow, leaf, row, teaching.recipe)
            veto = teaching.vetoes.get(sample.id)
            length = sum(estimate_tokens(turn.content) + 2 for turn in sample.messages)
            if veto is not None:
                book.no_row(flow, sample, "filtered", veto.told)
            elif length > teaching.recipe.student.positions:
                told = (
                    f"about {length} tokens; the student holds {teaching.recipe.student.positions}"
                )
                book.no_row(flow, sample, "filtered", told)
            elif sample.id in samples:
                book.no_row(flow, sample, "duplicate", "another flow gave the same row")
            else:
                book.passed(flow, ROW, 1, 1)
                samples[sample.id] = sample
    return list(samples.values())


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
        asked = amounts.exam_questions if flow.phase == "exam" else amounts.rephrasings
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
            values = of_chunk(leaf, chunk, recipe.generate.exam_questions)
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


def _sample(flow: Flow, leaf: Leaf, row: Row, recipe: Recipe) -> Sample:
    context = row.columns.get(flow.columns["context"], "")
    messages = (
        Message("user", user_turn(context, row.columns[flow.columns["question"]])),
        Message("assistant", row.columns[flow.columns["answer"]]),
    )
    return Sample(
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
