"""What a plan costs before anything is spent, and what of it the recipe's budget lets wait.

In: a ``Job``. Out: ``Estimate``s of asking and training; the leaves that wait. Documents are read (and
fetched where they lie elsewhere), the call store is looked into; nobody is asked.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipelines.artifacts import conversations
from pipelines.backends import open_backend
from pipelines.budget import Candidate, Cost, within
from pipelines.documents import Library, documents
from pipelines.errors import GraftError
from pipelines.generate import Teaching
from pipelines.generate.completions import Completions
from pipelines.generate.estimate import Estimate, Estimator, planned
from pipelines.generate.progress import Progress, Watched, terminal
from pipelines.job import Job
from pipelines.recipe import Recipe, Teacher
from pipelines.records import Waiting
from pipelines.speeds import measured, note
from pipelines.text import estimate_tokens
from pipelines.train.cost import replayed, step_tokens

SECONDS_A_CALL = 10.0  # of a teacher with a model, before one was measured here
EXTRACTIVE_CALLS = 300.0  # a second, of the teacher without one


def ask_speed(teacher: Teacher) -> str:
    """The name under which a teacher's calls a second are noted."""
    return f"calls {teacher.model} {teacher.stamp}"


def train_speed(recipe: Recipe) -> str:
    """The name under which a student's trained tokens a second are noted."""
    return f"tokens {recipe.student.id} {recipe.threads}"


def calls_per_second(recipe: Recipe, cache: Path) -> float:
    """As the last run measured it here, else as assumed."""
    known = measured(cache, ask_speed(recipe.teacher))
    if known is not None:
        return known
    if recipe.teacher.backend == "extractive":
        return EXTRACTIVE_CALLS
    return max(1, recipe.teacher.concurrency) / SECONDS_A_CALL


def estimates(job: Job) -> list[Estimate]:
    """What each leaf whose rows are not there yet will take, by path."""
    path = job.options.cache / "calls.sqlite"
    library = Library(job.options.cache, job.options.policy.documents)
    read = partial(documents, job.now.tree, library=library)
    with Completions(path if path.is_file() else Path(":memory:")) as store:
        rate = calls_per_second(job.recipe, job.options.cache)
        estimator = Estimator(planned(job.recipe, store), rate)
        work = sorted(job.todo.values(), key=lambda found: found[0].path)
        return [estimator.leaf(leaf, split, read) for leaf, split in work]


@contextlib.contextmanager
def watched(job: Job, store: Completions) -> Iterator[tuple[Teaching, Progress]]:
    """Teacher and judge as the recipe names them, with progress told and the speed noted."""
    library = Library(job.options.cache, job.options.policy.documents)
    read = partial(documents, job.now.tree, library=library)
    estimator = Estimator(planned(job.recipe, store), 1.0)
    expected = {h: estimator.calls(leaf, split, read) for h, (leaf, split) in job.todo.items()}
    names = {h: leaf.path for h, (leaf, _) in job.todo.items()}
    progress = Progress(expected, names, job.say, terminal())
    recipe = job.recipe
    teacher = Watched(open_backend(recipe.teacher), recipe.teacher, progress)
    judge = None
    if recipe.judge is not None:
        judge = Watched(open_backend(recipe.judge), recipe.judge, progress)
    started = time.monotonic()
    try:
        yield Teaching(recipe, store, teacher, judge, progress, job.options.vetoes.by_row), progress
    finally:
        progress.close()
        seconds = time.monotonic() - started
        note(job.options.cache, ask_speed(recipe.teacher), store.made, seconds)


def waiting(job: Job) -> tuple[Waiting, ...]:
    """The leaves that do not fit the recipe's budget this time, oldest change first."""
    if job.recipe.budget is None or not job.todo:
        return ()
    costs = {one.leaf: _cost(job, one) for one in estimates(job)}
    prefix = f"{job.now.prefix}/" if job.now.prefix else ""
    dates = job.now.repository.changed(job.now.commit, [prefix + leaf for leaf in costs])
    candidates = [
        Candidate(leaf, dates.get(prefix + leaf, 0), cost) for leaf, cost in costs.items()
    ]
    now, later = within(candidates, job.recipe.budget)
    if later and not now and job.now.previous is None and job.plan.action == "bootstrap":
        raise GraftError(
            f"No leaf fits the budget of the recipe {job.recipe.name}, so there is nothing to train "
            f"release zero on: {later[0].leaf}: {later[0].reason}."
        )
    return later


def without(job: Job, wanted: Mapping[str, str], later: tuple[Waiting, ...]) -> dict[str, str]:
    """``wanted`` with what waits as the last release has it, under the path that it has there.

    Only where another leaf has taken that path meanwhile is the older content dropped.
    """
    found = dict(wanted)
    moved = {change.leaf: change.previous_leaf for change in job.changes.changes}
    for leaf in (wait.leaf for wait in later):
        del found[leaf]
        old = moved.get(leaf) or leaf
        if job.now.previous is not None and old in job.now.previous.leaves:
            found.setdefault(old, job.now.previous.leaves[old].content_hash)
    return found


def _cost(job: Job, one: Estimate) -> Cost:
    seconds = one.seconds + _training_seconds(job, one)
    return Cost(one.calls - one.stored, one.prompt_tokens + one.completion_tokens, seconds / 3600)


def _training_seconds(job: Job, one: Estimate) -> float:
    """What training takes longer for this leaf; 0 where nobody has measured it here.

    Release zero is trained on as many tokens as its recipe says, whatever the leaves.
    """
    speed = measured(job.options.cache, train_speed(job.recipe))
    if speed is None or job.plan.action == "bootstrap":
        return 0.0
    return _passes(job, one.leaf in job.plan.corrected) * one.written / speed


def _passes(job: Job, corrected: bool) -> float:
    """How often a new token is trained on, the tokens that are replayed beside it counted as its own."""
    train, mix = job.recipe.train, job.recipe.mix
    replay, familiar = (train.replay, train.familiar) if mix is None else (mix.replay, 0.0)
    beside = replay if job.plan.panel else 0.0
    return train.epochs * (1 + beside + (familiar if corrected else 0.0))


def _more(job: Job, fresh: Mapping[str, int]) -> float:
    """Tokens that are replayed beyond those beside each new one, because the change is small."""
    train, new = job.recipe.train, sum(fresh.values())
    if job.recipe.mix is not None or not job.plan.panel:
        return 0.0
    corrected = sum(fresh.get(path, 0) for path in job.plan.corrected)
    return train.epochs * (replayed(train, new, corrected) - train.replay * new)


@dataclass(frozen=True, slots=True)
class Training:
    """What training will take: of the rows that exist. ``missing`` leaves have none yet.

    ``seconds`` is None before one training of this student was measured here.
    """

    rows: int
    row_tokens: int
    tokens: int
    steps: int
    seconds: float | None
    missing: tuple[str, ...]


def training(job: Job) -> Training:
    """An estimate from the new rows; replayed ones at the recipe's share, as far as there are any."""
    rows, missing = 0, []
    fresh: dict[str, int] = {}
    for path in job.plan.learn:
        content_hash = job.leaves[path].content_hash
        data = _rows(job, content_hash)
        if data is None:
            missing.append(path)
            continue
        talks = conversations(data)
        rows += len(talks)
        fresh[path] = sum(estimate_tokens(turn.content) for talk in talks for turn in talk)
    recipe = job.recipe
    if job.plan.action == "bootstrap" and recipe.bootstrap is not None:
        tokens, per_step = recipe.bootstrap.tokens, recipe.bootstrap.tokens_per_step
    else:
        corrected = set(job.plan.corrected)
        each = sum(n * _passes(job, path in corrected) for path, n in fresh.items())
        tokens = round(each + _more(job, fresh))
        per_step = step_tokens(recipe.train, tokens)
    speed = measured(job.options.cache, train_speed(recipe))
    return Training(
        rows, sum(fresh.values()), tokens, -(-tokens // max(1, per_step)),
        None if speed is None else tokens / speed, tuple(missing),
    )  # fmt: skip


def _rows(job: Job, content_hash: str) -> bytes | None:
    """The rows of a leaf where a run or a release has them."""
    made = job.directory / "dataset" / "rows" / f"{content_hash}.jsonl"
    if made.is_file():
        return made.read_bytes()
    kept = job.kept.get(content_hash)
    return None if kept is None else job.now.target.read_blob(kept.data_hash)
