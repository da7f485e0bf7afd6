"""Changed leaves → training rows, each one traceable, and a ledger that balances.

In: leaves with their exam split, a function that reads their documents, a recipe and the call store.
Out, in the stage directory: ``rows/<content hash>.jsonl`` sorted by id, ``rejects.jsonl``,
``ledger.json``, ``summary.json`` (content hash → rows and data hash). The same leaves, documents, flows
and answers give the same bytes whatever was asked before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.artifacts import canonical_json, digest, pretty_json, rows_to_bytes, sha256
from pipelines.backends import Call
from pipelines.documents import CHUNKER_VERSION, Document, chunks
from pipelines.documents.convert import versions
from pipelines.errors import GraftError, LeafError
from pipelines.exam import items, user_turn
from pipelines.generate.completions import Completions
from pipelines.generate.flow import FLOWS, Flow, load_flow
from pipelines.generate.steps import FILTERS, Row, Setting, distinct_key, parse
from pipelines.recipe import Recipe
from pipelines.records import (
    Chunk,
    ExamSplit,
    Leaf,
    Ledger,
    LedgerStep,
    Message,
    Reject,
    Sample,
    Seed,
    as_json,
)

VERSION = 1
Say = Callable[[str], None]
Read = Callable[[Leaf], Sequence[Document]]


@dataclass(slots=True)
class _Book:
    """What one run writes down as it goes: counts by (flow, step), and rejects."""

    steps: dict[tuple[str, str], LedgerStep] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    def add(self, step: LedgerStep) -> None:
        old = self.steps.get((step.flow, step.step))
        if old is not None:
            counts = {
                name: getattr(old, name) + getattr(step, name)
                for name in LedgerStep.__dataclass_fields__
                if name not in ("flow", "step")
            }
            step = LedgerStep(step.flow, step.step, **counts)
        self.steps[step.flow, step.step] = step


def generate(
    work: Mapping[str, tuple[Leaf, ExamSplit]],
    read: Read,
    recipe: Recipe,
    store: Completions,
    out: Path,
    say: Say,
) -> None:
    """Write the rows of every leaf of ``work`` (by content hash) into ``out``.

    ``GraftError`` where documents cannot be had, which is found out before the teacher is asked, and
    where a leaf that has shown seeds is left without a single row.
    """
    _had([leaf for leaf, _ in work.values()], read)
    book = _Book()
    summary: dict[str, dict[str, int | str]] = {}
    (out / "rows").mkdir()
    for number, (content_hash, (leaf, split)) in enumerate(sorted(work.items()), 1):
        samples = _leaf_rows(leaf, split, read, recipe, store, book)
        if not samples:
            raise GraftError(
                f"{leaf.path}: no row is left after the filters, so there is nothing to learn from; "
                "give it more seeds or a document with more facts."
            )
        data = rows_to_bytes(samples)
        (out / "rows" / f"{content_hash}.jsonl").write_bytes(data)
        summary[content_hash] = {"leaf": leaf.path, "rows": len(samples), "data_hash": sha256(data)}
        say(f"generate: {number} of {len(work)} leaves · {leaf.path} · {len(samples)} rows")
    ledger = Ledger(tuple(book.steps.values()), store.made, store.reused)
    check_ledger(ledger)
    (out / "ledger.json").write_bytes(pretty_json(ledger.to_json()))
    (out / "summary.json").write_bytes(pretty_json(summary))
    lines = sorted(canonical_json(reject) for reject in book.rejects)
    (out / "rejects.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


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


def check_ledger(ledger: Ledger) -> None:
    """Hold the ledger to its invariant; a breach is a bug of ours and stops the run."""
    before: dict[str, int] = {}
    for step in ledger.steps:
        whole = step.into == step.parsed + step.unparsed + step.failed
        whole = whole and step.out == step.kept + step.filtered + step.duplicate
        if not whole or before.get(step.flow, step.into) != step.into:
            raise AssertionError(f"the ledger does not balance at {as_json(step)}")
        before[step.flow] = step.kept


def read_summary(directory: Path) -> dict[str, str]:
    """Content hash → data hash of a finished dataset."""
    found = json.loads((directory / "summary.json").read_bytes())
    return {content_hash: entry["data_hash"] for content_hash, entry in found.items()}


def data_key(recipe: Recipe) -> str:
    """Digest of everything but the leaf that its rows depend on: flows, prompts, teacher, chunker."""
    flows = {kind: [load_flow(name).hash for name in names] for kind, names in FLOWS.items()}
    return digest([VERSION, CHUNKER_VERSION, versions(), flows, recipe.teacher, recipe.generate])


def planned_calls(leaf: Leaf, split: ExamSplit, read: Read, recipe: Recipe) -> list[Call]:
    """Every call that generating this leaf's rows takes, in order."""
    flows = [load_flow(name) for name in FLOWS[leaf.kind]]
    return [call for flow in flows for call, _ in _calls(flow, leaf, split, read, recipe)]


def _leaf_rows(
    leaf: Leaf,
    split: ExamSplit,
    read: Read,
    recipe: Recipe,
    store: Completions,
    book: _Book,
) -> list[Sample]:
    exam = [item.prompt for item in items(leaf, split, "changed", lambda _: False)]
    samples: dict[str, Sample] = {}
    for name in FLOWS[leaf.kind]:
        flow = load_flow(name)
        asked = list(_calls(flow, leaf, split, read, recipe))
        answers = store.answers([call for call, _ in asked])
        rows = _parsed(flow, leaf, asked, answers, book)
        for row in _kept(flow, leaf, rows, Setting(exam), book):
            sample = _sample(flow, leaf, row, recipe)
            samples.setdefault(sample.id, sample)
    return list(samples.values())


def _calls(
    flow: Flow, leaf: Leaf, split: ExamSplit, read: Read, recipe: Recipe
) -> Iterator[tuple[Call, Row]]:
    """Each call with the row that says what it is made for. Exam seeds are never among them."""
    shown = [seed for seed in leaf.seeds if seed.id in set(split.shown)]
    if flow.rows == "question":
        for seed in shown:
            for pair in seed.pairs:
                values = {
                    "context": seed.context.strip(),
                    "question": pair.question.strip(),
                    "answer": pair.answer.strip(),
                    "phrasings": str(recipe.generate.rephrasings),
                }
                yield _call(flow, values, recipe), Row({}, "", seed.id)
        return
    pieces = [c for d in read(leaf) for c in chunks(d, recipe.generate.chunk_words)]
    # A leaf with few seeds asks more of each: release zero must know its facts to keep them.
    phrasings = math.ceil(recipe.generate.wordings / max(1, len(shown)))
    for chunk in pieces:
        for seed in shown:
            values = _chunk_values(chunk, seed, phrasings)
            span = (chunk.start, chunk.end)
            row = Row({}, "", seed.id, chunk.document, chunk.index, span, chunk.text)
            yield _call(flow, values, recipe), row


def _chunk_values(chunk: Chunk, seed: Seed, phrasings: int) -> dict[str, str]:
    pair = seed.pairs[chunk.index % len(seed.pairs)]
    return {
        "title": chunk.title,
        "heading": chunk.heading,
        "chunk": chunk.text,
        "question": pair.question.strip(),
        "answer": pair.answer.strip(),
        "phrasings": str(phrasings),
    }


def _call(flow: Flow, values: Mapping[str, str], recipe: Recipe) -> Call:
    variables = {name: values[name] for name in flow.ask.variables}
    messages = flow.ask.messages(variables)
    return Call(flow.ask.task, variables, messages, recipe.teacher.model, recipe.teacher.revision)


def _parsed(
    flow: Flow,
    leaf: Leaf,
    asked: Sequence[tuple[Call, Row]],
    answers: Sequence[str],
    book: _Book,
) -> list[Row]:
    rows: list[Row] = []
    unparsed = broken = 0
    for (call, made_for), answer in zip(asked, answers, strict=True):
        good, bad = parse(answer, flow.ask.parse)
        unparsed += not good
        broken += len(bad)
        for raw in bad if good or bad else [""]:
            reason = "the block cannot be read" if raw else "the answer is empty"
            book.rejects.append(Reject(leaf.content_hash, flow.name, flow.ask.task, reason, raw))
        rows += [
            Row(
                fields,
                call.key,
                made_for.seed,
                made_for.document,
                made_for.chunk,
                made_for.span,
                made_for.source,
            )
            for fields in good
        ]
    book.add(
        LedgerStep(
            flow.name, flow.ask.task, len(asked), len(asked) - unparsed, unparsed, 0,
            len(rows) + broken, len(rows), broken, 0,
        )
    )  # fmt: skip
    return rows


def _kept(flow: Flow, leaf: Leaf, rows: list[Row], setting: Setting, book: _Book) -> list[Row]:
    for step in flow.steps:
        kept: list[Row] = []
        seen: set[str] = set()
        for row in rows:
            if step.type == "keep":
                reason = FILTERS[step.name](row, setting)
            else:
                key = distinct_key(step.name, row)
                reason = "asked already" if key in seen else ""
                seen.add(key)
            if reason:
                text = json.dumps(row.fields, ensure_ascii=False, sort_keys=True)
                book.rejects.append(Reject(leaf.content_hash, flow.name, step.name, reason, text))
            else:
                kept.append(row)
        lost = len(rows) - len(kept)
        filtered, duplicate = (lost, 0) if step.type == "keep" else (0, lost)
        book.add(
            LedgerStep(
                flow.name, step.name, len(rows), len(rows), 0, 0,
                len(rows), len(kept), filtered, duplicate,
            )
        )  # fmt: skip
        rows = kept
    return rows


def _sample(flow: Flow, leaf: Leaf, row: Row, recipe: Recipe) -> Sample:
    context = row.fields.get("context", "")
    messages = (
        Message("user", user_turn(context, row.fields["question"])),
        Message("assistant", row.fields["answer"]),
    )
    return Sample(
        id=digest([messages, flow.phase])[:32],
        messages=messages,
        phase=flow.phase,
        content_hash=leaf.content_hash,
        seeds=(row.seed,),
        document=row.document,
        span=row.span,
        chunk=row.chunk,
        flow=flow.hash,
        calls=(row.call,),
        teacher=recipe.teacher.backend,
    )
