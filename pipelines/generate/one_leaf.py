"""One leaf through its flows: exam questions that the teacher writes, and the training rows.

In: the leaf with its exam split, its documents, who is asked. Out: ``Sample``s; what came through a flow
and may not be taught is in the book, with the reason.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from pipelines.exam import items
from pipelines.generate.engine import Passage
from pipelines.generate.ledger import ROW, Book
from pipelines.generate.rows import Read, first_rows, sample_of
from pipelines.generate.steps import Flow, Setting
from pipelines.generate.teaching import Teaching
from pipelines.records import ChoiceSample, ExamSplit, Leaf, Sample
from pipelines.text import estimate_tokens


@dataclass(frozen=True, slots=True)
class OneLeaf:
    """A leaf, and what its rows are made with."""

    leaf: Leaf
    split: ExamSplit
    read: Read
    teaching: Teaching
    book: Book

    async def asked(self) -> list[Sample]:
        """Exam questions that the teacher writes; none where the recipe wants none."""
        wanted = self.teaching.recipe.generate.exam_questions and self.split.exam
        flows = self.teaching.exam_flows(self.leaf.kind) if wanted else ()
        return await self._through(flows, Setting())

    async def rows(self, asked: Sequence[Sample]) -> list[Sample]:
        """The training rows, none of which asks what the exam asks."""
        exam = [item.prompt for item in items(self.leaf, self.split, "changed")]
        by_chunk: dict[tuple[str, int | None], list[str]] = {}
        for one in asked:
            if not isinstance(one, ChoiceSample):  # those ask what others ask
                by_chunk.setdefault((one.document, one.chunk), []).append(one.messages[0].content)
        return await self._through(self.teaching.flows(self.leaf.kind), Setting(exam, by_chunk))

    async def _through(self, flows: Iterable[Flow], setting: Setting) -> list[Sample]:
        """The samples of all ``flows``; one that two of them give is taken once."""
        samples: dict[str, Sample] = {}
        for flow in flows:
            passage = Passage(flow, self.leaf.content_hash, setting, self.teaching, self.book)
            first = first_rows(flow, self.leaf, self.split, self.read, self.teaching.recipe)
            for row in await passage.through(first):
                sample = sample_of(flow, self.leaf, row, self.teaching.recipe)
                kind, reason = self._against(sample, samples)
                if kind:
                    self.book.no_row(flow, sample, kind, reason)
                else:
                    self.book.passed(flow, ROW, 1, 1)
                    samples[sample.id] = sample
        return list(samples.values())

    def _against(self, sample: Sample, others: Container[str]) -> tuple[str, str]:
        """Why ``sample`` is no row, as the ledger counts it and in words; "" where it is one."""
        veto = self.teaching.vetoes.get(sample.id)
        if veto is not None:
            return "filtered", veto.told
        holds = self.teaching.recipe.student.positions
        length = sum(estimate_tokens(turn.content) + 2 for turn in sample.messages)
        if length > holds:
            return "filtered", f"about {length} tokens; the student holds {holds}"
        if sample.id in others:
            return "duplicate", "another flow gave the same row"
        return "", ""
