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
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.artifacts import digest, pretty_json, rows_to_bytes, sha256
from pipelines.documents import CHUNKER_VERSION
from pipelines.documents.convert import versions
from pipelines.errors import GraftError, LeafError
from pipelines.generate.flow import EXAM_FLOWS, exam_flows_of, flows_of
from pipelines.generate.ledger import Book, gather, ledger_json
from pipelines.generate.one_leaf import OneLeaf
from pipelines.generate.progress import LEAF
from pipelines.generate.rows import Read as Read
from pipelines.generate.rows import first_rows as first_rows
from pipelines.generate.steps import Ask
from pipelines.generate.teaching import Teaching as Teaching
from pipelines.recipe import Flows, Recipe
from pipelines.records import ExamSplit, Json, Leaf, LeafData, Sample

VERSION = 3
# Under way at once: so many that small leaves, too, keep a server busy, and that the last calls of one
# keep no other waiting.
LEAVES = 32
Say = Callable[[str], None]
Work = Mapping[str, tuple[Leaf, ExamSplit]]


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
    if teaching.judge is None and _wants_judge(work, teaching.recipe):
        say("generate: the recipe names no judge, so nobody judges the rows")
    book = Book()
    summary: dict[str, Json] = {}
    free = asyncio.Semaphore(LEAVES)

    async def one(content_hash: str, leaf: Leaf, split: ExamSplit) -> None:
        LEAF.set(content_hash)
        async with free:
            going = OneLeaf(leaf, split, read, teaching, book)
            asked = await going.asked()
            samples = await going.rows(asked)
        if not samples:
            raise GraftError(
                f"{leaf.path}: no row is left after the filters, so there is nothing to learn from; "
                f"give it more seeds or a document with more facts.{_mostly(book, content_hash)}"
            )
        summary[content_hash] = _written(leaf, samples, asked, out)
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


def _wants_judge(work: Work, recipe: Recipe) -> bool:
    """Whether a flow of any of these leaves asks a judge."""
    return any(
        isinstance(step, Ask) and step.role == "judge"
        for kind in {leaf.kind for leaf, _ in work.values()}
        for flow in flows_of(recipe, kind)
        for step in flow.steps
    )


def _written(leaf: Leaf, samples: Sequence[Sample], asked: Sequence[Sample], out: Path) -> Json:
    """Write the two files of a leaf; what the summary says of them."""
    digests = {}
    for folder, found in (("rows", samples), ("asked", asked)):
        data = rows_to_bytes(found)
        (out / folder / f"{leaf.content_hash}.jsonl").write_bytes(data)
        digests[folder] = sha256(data) if found else ""
    return {
        "leaf": leaf.path,
        "rows": len(samples),
        "data_hash": digests["rows"],
        "asked": len(asked),
        "asked_hash": digests["asked"],
    }


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
