"""Who is asked, and how: a recipe's flows, and its calls with their answers.

In: a recipe, the call store, teacher and judge. Out: the calls of a step for a row, and one answer each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipelines.backends import Answer, Backend, Call
from pipelines.generate.completions import Completions
from pipelines.generate.flow import exam_flows_of, flows_of
from pipelines.generate.progress import Watch
from pipelines.generate.readable import Readable
from pipelines.generate.steps import Ask, Flow, Row, unjudged
from pipelines.recipe import Recipe
from pipelines.records import Kind
from pipelines.vetoes import Veto


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
