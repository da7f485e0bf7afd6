"""What asking about a leaf will take, told before anything is asked.

In: a leaf, its exam split, its documents and the call store. Out: an ``Estimate``. Answers that the
store has are read and followed, so what hangs on them is exact but for rows that a leaf-wide step
would drop. Beyond the first answer that is not there yet everything is a guess: from stored answers
to the same task, else from the flow's own numbers; filters are taken to keep every row.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.backends import Answer, Call
from pipelines.backends.tagged import spoken
from pipelines.errors import BackendError, CallError
from pipelines.exam import items
from pipelines.generate import Read, Teaching, first_rows
from pipelines.generate.completions import Completions
from pipelines.generate.steps import EXAM_PHASES, Ask, Flow, Keep, Reshape, Row, Setting, Step
from pipelines.recipe import Recipe, Teacher
from pipelines.records import ExamSplit, Leaf
from pipelines.text import count_words, estimate_tokens

BLOCK_TOKENS = 40  # of a question and its answer, where no answer is stored to measure
VERDICT_TOKENS = 20  # of a judge's answer
FACT_WORDS = 20  # of a text for one fact in it


@dataclass(frozen=True, slots=True)
class Estimate:
    """``calls`` in all, ``stored`` of them answered already; tokens, cost and time of the others.

    ``cost`` is in the unit of the recipe's prices, None where it names none. ``written`` are the tokens
    of what the teacher writes for training rows, stored answers included: all that may be trained on.
    """

    leaf: str
    calls: int
    stored: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    seconds: float
    written: int


def total(estimates: Iterable[Estimate]) -> Estimate:
    """All of them as one, of the leaf ""."""
    found = list(estimates)
    costs = [one.cost for one in found if one.cost is not None]
    return Estimate(
        "",
        sum(one.calls for one in found),
        sum(one.stored for one in found),
        sum(one.prompt_tokens for one in found),
        sum(one.completion_tokens for one in found),
        math.fsum(costs) if costs else None,
        math.fsum(one.seconds for one in found),
        sum(one.written for one in found),
    )


class Nobody:
    """Behind a plan stands no teacher: it must not be asked."""

    async def answer(self, call: Call) -> Answer:
        raise BackendError("A plan asks nobody.")

    async def close(self) -> None:
        return None


def planned(recipe: Recipe, store: Completions) -> Teaching:
    """The calls of a recipe, with nobody to answer them."""
    return Teaching(recipe, store, Nobody(), Nobody() if recipe.judge is not None else None)


class Estimator:
    """Estimates leaf after leaf; what stored answers are like is looked up once a task."""

    def __init__(self, teaching: Teaching, calls_per_second: float) -> None:
        self._teaching = teaching
        self._rate = calls_per_second
        self._typical: dict[tuple[str, str, str], tuple[float, float] | None] = {}

    def leaf(self, leaf: Leaf, split: ExamSplit, read: Read) -> Estimate:
        """What the leaf's flows will take."""
        teaching = self._teaching
        exam = [item.prompt for item in items(leaf, split, "changed")]
        count = _Count(Setting(exam))
        for flow, row in self._starts(leaf, split, read):
            count.flow = flow.name
            count.taught = flow.phase not in EXAM_PHASES
            self._follow(row, flow.steps, count)
        cost = count.cost(teaching.recipe)
        made = math.ceil(count.made())
        return Estimate(
            leaf.path, made + count.stored, count.stored, math.ceil(sum(count.prompt.values())),
            math.ceil(sum(count.completion.values())), cost, made / self._rate,
            math.ceil(count.written),
        )  # fmt: skip

    def calls(self, leaf: Leaf, split: ExamSplit, read: Read) -> int:
        """About how many calls the leaf takes, stored or not; nothing is rendered or looked up."""
        found = 0.0
        for flow, row in self._starts(leaf, split, read):
            rows = 1.0
            for step in flow.steps:
                if isinstance(step, Ask):
                    values = {name: row.columns.get(name, "") for name in step.variables}
                    found += rows * step.samples
                    rows *= step.samples * self._answer(step, row, values)[1]
        return math.ceil(found)

    def _starts(self, leaf: Leaf, split: ExamSplit, read: Read) -> Iterator[tuple[Flow, Row]]:
        """The first rows of every flow that the leaf goes through."""
        recipe = self._teaching.recipe
        examined = recipe.generate.exam_questions and split.exam
        exam = self._teaching.exam_flows(leaf.kind) if examined else []
        for flow in (*self._teaching.flows(leaf.kind), *exam):
            for row in first_rows(flow, leaf, split, read, recipe):
                yield flow, row

    def _follow(self, row: Row, steps: Sequence[Step], count: _Count) -> None:
        """Take one row through ``steps`` as far as answers are known, guess from there."""
        for at, step in enumerate(steps):
            if isinstance(step, Ask):
                with contextlib.suppress(
                    CallError
                ):  # a row whose prompt cannot be rendered asks nobody
                    for call in self._teaching.calls(step, row):
                        self._ask(row, step, call, steps[at + 1 :], count)
                return
            if isinstance(step, Keep) and step.test(row, count.setting):
                return
            if isinstance(step, Reshape):
                for columns in step.change(row.columns):
                    self._follow(replace(row, columns=columns), steps[at + 1 :], count)
                return

    def _ask(self, row: Row, step: Ask, call: Call, rest: Sequence[Step], count: _Count) -> None:
        asks_again = any(isinstance(later, Ask) for later in rest)
        answer = self._teaching.store.read(call.key)
        # A call that two flows make is made once, and answered for both.
        again = count.asked.setdefault(call.key, count.flow) != count.flow
        if answer is None:
            self._guess(row, [step, *rest], count, again)
            return
        if not again:
            count.stored += 1
            count.writes(step.role, estimate_tokens(spoken(answer.text)))
        if asks_again:
            for columns in step.read(answer.text)[0]:
                made = replace(row, columns={**row.columns, **columns})
                self._follow(made, rest, count)

    def _guess(self, row: Row, steps: Sequence[Step], count: _Count, again: bool) -> None:
        """One call of the first step unless it is made ``again``, and what later ones make of its answer."""
        rows, brought = 1.0, 0.0
        for place, step in enumerate(steps):
            if not isinstance(step, Ask):
                continue
            calls = rows * (step.samples if place else 1)
            values = {name: row.columns.get(name, "") for name in step.variables}
            prompt = sum(estimate_tokens(turn.content) for turn in step.render(values))
            tokens, blocks = self._answer(step, row, values)
            if place or not again:
                count.add(step.role, calls, calls * (prompt + brought), calls * tokens)
                count.writes(step.role, calls * tokens)
            brought = tokens / max(1.0, blocks)
            rows = calls * blocks

    def _answer(self, step: Ask, row: Row, values: Mapping[str, str]) -> tuple[float, float]:
        """Tokens and readable blocks of an answer: as stored ones have, else by the flow's numbers."""
        asked = _asked(self._teaching.recipe, step.role)
        key = (step.name, asked.model, asked.stamp)
        if key not in self._typical:
            self._typical[key] = _mean(step, self._teaching.store.some(*key))
        typical = self._typical[key]
        if typical is not None:
            return typical
        if step.role == "judge":
            return VERDICT_TOKENS, 1.0
        wanted = values.get("questions") or values.get("phrasings", "")
        blocks = float(wanted) if wanted.isdigit() else 1.0
        by_fact = "answer" not in values or "phrasings" in values  # else it is about one pair
        if "chunk" in values and "questions" not in values and by_fact:
            blocks *= max(1.0, count_words(row.origin.source) / FACT_WORDS)
        return min(blocks * BLOCK_TOKENS, step.sampling.most_tokens), blocks


class _Count:
    """Sums over one leaf; prompt and completion tokens by who is asked."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.stored = 0
        self.flow = ""
        self.asked: dict[str, str] = {}  # a call's key → the first flow that makes it
        self.taught = True  # whether what is followed now ends in training rows
        self.written = 0.0
        self.calls = {"teacher": 0.0, "judge": 0.0}
        self.prompt = {"teacher": 0.0, "judge": 0.0}
        self.completion = {"teacher": 0.0, "judge": 0.0}

    def add(self, role: str, calls: float, prompt: float, completion: float) -> None:
        self.calls[role] += calls
        self.prompt[role] += prompt
        self.completion[role] += completion

    def writes(self, role: str, tokens: float) -> None:
        """An answer, whoever paid for it: where a teacher writes for rows, it is trained on."""
        if self.taught and role == "teacher":
            self.written += tokens

    def made(self) -> float:
        """Calls that the store cannot answer."""
        return sum(self.calls.values())

    def cost(self, recipe: Recipe) -> float | None:
        """In the unit of the recipe's prices."""
        who = {role: _asked(recipe, role) for role in self.calls}
        if not any(asked.price_in or asked.price_out for asked in who.values()):
            return None
        return math.fsum(
            price(asked, self.prompt[role], self.completion[role]) for role, asked in who.items()
        )


def price(asked: Teacher, prompt_tokens: float, completion_tokens: float) -> float:
    """What so many tokens cost; prices are per million."""
    return (asked.price_in * prompt_tokens + asked.price_out * completion_tokens) / 1_000_000


def _asked(recipe: Recipe, role: str) -> Teacher:
    return (recipe.judge if role == "judge" else None) or recipe.teacher


def _mean(step: Ask, answers: Sequence[Answer]) -> tuple[float, float] | None:
    if not answers:
        return None
    tokens = [one.completion_tokens or estimate_tokens(one.text) for one in answers]
    blocks = [len(step.read(one.text)[0]) for one in answers]
    return sum(tokens) / len(answers), sum(blocks) / len(answers)
