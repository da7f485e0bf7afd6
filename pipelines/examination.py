"""The taxonomy's exam sat without a run: by any model, or by the last release twice (an A/A control).

In: ``Options`` or a ``Job``, and for a model its folder, a release's tag or ``http(s)://…#model``. Out: an
``Examined`` with means a leaf, or an ``Evaluation`` in which nothing may differ. Nothing is trained or kept.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.backends import Backend, Call, Sampling, open_backend
from pipelines.errors import CallError, GraftError, UsageError
from pipelines.evaluate import Answerer, evaluate
from pipelines.evaluate.metrics import score
from pipelines.evaluate.suites import grade
from pipelines.evaluate.verdict import mean_scores
from pipelines.exam import questions
from pipelines.job import Job
from pipelines.recipe import Recipe, Teacher
from pipelines.records import Evaluation, ExamItem, Leaf, Message, Role, Scores
from pipelines.situation import Options, Situation, look, splits
from pipelines.urls import wrong_url

if TYPE_CHECKING:
    from pipelines.backends.local import Student

ENDPOINT_TOKENS = 512  # of an endpoint's answer at least: a chat model says more than a name
CONCURRENCY = 16
OTHER_BATCH = (
    48  # of the A/A control's second sitting, so that another batch is controlled for, too
)


@dataclass(frozen=True, slots=True)
class Part:
    """Means over the items of one kind that a leaf has."""

    items: int
    scores: Scores


@dataclass(frozen=True, slots=True)
class ChoicePart:
    """Choice accuracy over the multiple-choice items of a leaf."""

    items: int
    accuracy: float


@dataclass(frozen=True, slots=True)
class LeafExam:
    """What a model made of a leaf; ``people`` and ``synthetic`` by who wrote the questions."""

    leaf: str
    people: Part | None
    synthetic: Part | None
    choice: ChoicePart | None


@dataclass(frozen=True, slots=True)
class Examined:
    """What a model made of the exam. ``unanswered`` counts questions that an endpoint gave no answer to,
    which count as wrong."""

    model: str
    leaves: tuple[LeafExam, ...]
    total: LeafExam
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class SuitePart:
    """What a model made of a public suite."""

    model: str
    suite: str
    metric: str
    items: int
    score: float


def sit_suites(
    options: Options, named: str, recipe: Recipe, suites: Sequence[str], tasks: Path | None
) -> list[SuitePart]:
    """Let the model called ``named``, or where that is "" the last release, sit public suites."""
    if named.startswith(("http://", "https://")):
        raise UsageError("--suite needs a model on this machine: a folder, or a release's tag.")
    if tasks is not None and tasks.resolve().is_relative_to(options.taxonomy.resolve()):
        raise UsageError(
            "--suite-tasks may not lie in the taxonomy: a task of lm-eval can run code."
        )
    now = look(options)
    named = named or (now.previous.release if now.previous else "")
    if not named:
        raise GraftError(f"{options.target} has no release yet; name a model with --model.")
    student = student_of(now, recipe, named)
    graded = [grade(student, suite, tasks) for suite in suites]
    return [
        SuitePart(named, one.suite, one.metric, len(one.values), round(one.mean, 6))
        for one in graded
    ]


class Endpoint:
    """A model behind an OpenAI-compatible server sits the exam, greedily; nothing is kept, since the
    model behind a name may change. It does not tell how likely it finds a choice."""

    def __init__(self, named: str, new_tokens: int) -> None:
        url, _, model = named.partition("#")
        if not model:
            raise UsageError(f"--model {url}: name the model after a #, as in {url}#qwen2.5.")
        wrong = wrong_url(url)
        if wrong:
            raise UsageError(f"--model: the address {wrong}")
        self._teacher = Teacher("openai_api", model, "", url=url, concurrency=CONCURRENCY)
        self._sampling = Sampling(0.0, max(ENDPOINT_TOKENS, new_tokens))
        self.unanswered = 0

    def answers(self, prompts: Sequence[str]) -> list[str]:
        """One answer a prompt, in order; "" where there is none."""
        return asyncio.run(self._all(prompts))

    async def _all(self, prompts: Sequence[str]) -> list[str]:
        backend = open_backend(self._teacher)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(backend, prompt)) for prompt in prompts]
            return [task.result() for task in tasks]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None  # a server that is gone says so once
        finally:
            await backend.close()

    async def _one(self, backend: Backend, prompt: str) -> str:
        turns = (Message("user", prompt),)
        call = Call("exam", {"prompt": prompt}, turns, self._teacher.model, "", self._sampling)
        try:
            return (await backend.answer(call)).text.strip()
        except CallError:
            self.unanswered += 1
            return ""


def examine(options: Options, named: str, recipe: Recipe, leaves: Sequence[str]) -> Examined:
    """Let the model called ``named`` sit the exam of these leaves, or of all where none is named."""
    now = look(options)
    exam = exam_of(now, _chosen(now.leaves, leaves), frozenset())
    if not exam:
        raise GraftError("No leaf of these has an exam; an exam takes four seed examples.")
    short = [one for one in exam if not one.choices]
    offered: list[ExamItem] = []
    if named.startswith(("http://", "https://")):
        endpoint = Endpoint(named, recipe.evaluate.new_tokens)
        answers = endpoint.answers([one.prompt for one in short])
        unanswered = endpoint.unanswered
        chosen: list[int] = []
    else:
        student, unanswered = student_of(now, recipe, named), 0
        offered = [one for one in exam if one.choices]
        answers = student.answers([one.prompt for one in short])
        chosen = student.choose([(one.prompt, one.choices) for one in offered])
    said = list(zip(short, answers, strict=True))
    picked = [(one, one.choices[at]) for one, at in zip(offered, chosen, strict=True)]
    paths = sorted({one.leaf for one in exam})
    return Examined(
        model=named,
        leaves=tuple(
            _leaf(
                path,
                [pair for pair in said if pair[0].leaf == path],
                [pair for pair in picked if pair[0].leaf == path],
            )
            for path in paths
        ),
        total=_leaf("", said, picked),
        unanswered=unanswered,
    )


def control(job: Job) -> tuple[str, Evaluation]:
    """The last release against itself, loaded twice and asked twice: its tag, and what that gives.

    Nothing is read from the store of answers, and the second sitting has batches of another size.
    """
    before = job.now.previous
    if before is None:
        raise GraftError(
            f"{job.options.target} has no release yet to be held against itself; `graft run` makes the "
            "first one."
        )
    exam = exam_of(job.now, job.leaves, frozenset(job.plan.learn))
    if not exam:
        raise GraftError("No leaf has an exam, so there is nothing to ask; it takes four seeds.")
    first = student_of(job.now, job.recipe, before.release)
    students: Mapping[str, Answerer] = {
        "base": first,
        "previous": first,
        "candidate": student_of(job.now, job.recipe, before.release, OTHER_BATCH),
    }
    with tempfile.TemporaryDirectory() as folder:
        return before.release, evaluate(exam, students, job.recipe.evaluate, Path(folder))


def exam_of(now: Situation, leaves: Mapping[str, Leaf], changed: frozenset[str]) -> list[ExamItem]:
    """People's held-out questions of ``leaves``, and those of a teacher that the last release holds."""
    known = now.previous.leaves.values() if now.previous else ()
    held = {entry.content_hash: entry.asked_hash for entry in known if entry.asked_hash}
    found: list[ExamItem] = []
    for path, split in splits(now, leaves).items():
        leaf = leaves[path]
        role: Role = "changed" if path in changed else "panel"
        blob = held.get(leaf.content_hash, "")
        rows = partial(now.target.read_blob, blob) if blob else None
        found += questions(leaf, split, role, rows)
    return found


def student_of(now: Situation, recipe: Recipe, named: str, batch: int | None = None) -> Student:
    """The student in a folder, or that of a release on the target."""
    from pipelines.backends.hub import fetch_model
    from pipelines.backends.local import BATCH, Student

    folder, adapter = Path(named), None
    if not folder.is_dir():
        if named not in now.target.tags():
            raise UsageError(
                f"--model {named}: there is no such folder, nor a release of that tag on the target; "
                "an endpoint is named http://HOST/v1#MODEL."
            )
        base = now.target.manifest(named).base_model
        folder = (
            fetch_model(base.id, base.revision) if base.on_hub else now.target.base(base.revision)
        )
        adapter = now.target.directory(named) / "adapter"
    elif not (folder / "config.json").is_file():
        raise UsageError(
            f"--model {named}: the folder holds no config.json, so it is no model; of an adapter name "
            "the release by its tag, or merge it into its base."
        )
    return Student(
        folder,
        adapter if adapter is not None and adapter.is_dir() else None,
        recipe.evaluate.new_tokens,
        recipe.threads,
        recipe.hardware,
        batch or BATCH,
    )


def _chosen(leaves: Mapping[str, Leaf], named: Sequence[str]) -> dict[str, Leaf]:
    """The leaves that are named, or lie below what is named."""
    found: dict[str, Leaf] = {}
    for name in named or ("",):
        below = f"{name.rstrip('/')}/" if name else ""
        some = {
            path: leaf for path, leaf in leaves.items() if path == name or path.startswith(below)
        }
        if not some:
            raise UsageError(f"--leaf {name}: there is no such leaf in the taxonomy.")
        found |= some
    return found


def _leaf(
    leaf: str, said: Sequence[tuple[ExamItem, str]], picked: Sequence[tuple[ExamItem, str]]
) -> LeafExam:
    return LeafExam(
        leaf,
        _part([pair for pair in said if not pair[0].synthetic]),
        _part([pair for pair in said if pair[0].synthetic]),
        _choice_part(picked),
    )


def _part(said: Sequence[tuple[ExamItem, str]]) -> Part | None:
    if not said:
        return None
    scores = [score(answer, item.reference) for item, answer in said]
    return Part(len(said), mean_scores(scores))


def _choice_part(picked: Sequence[tuple[ExamItem, str]]) -> ChoicePart | None:
    if not picked:
        return None
    right = sum(chosen == item.reference for item, chosen in picked)
    return ChoicePart(len(picked), round(right / len(picked), 6))
