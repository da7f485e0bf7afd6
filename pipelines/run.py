"""The whole flow, in order: what changed → data → adapter → evaluation → report → release.

In: ``Options``. Out: an ``Outcome``, a run directory ``runs/<input digest>/`` with one finished folder a
stage, and a release on the target. Each stage is skipped where its folder was made from the same
inputs, so a killed run is resumed by running it again. Torch is imported only where it is needed.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pipelines.artifacts import (
    OldRows,
    Rows,
    digest,
    finished,
    lock,
    output_digest,
    pretty_json,
    said,
    stage,
    tree_digests,
    write_atomic,
)
from pipelines.backends import open_backend
from pipelines.bundle import assemble, published, report_input
from pipelines.culprits import OTHERWISE, SPOILS, search
from pipelines.documents import Library, documents
from pipelines.evaluate import Judge, evaluate, not_worse, read_evaluation
from pipelines.evaluate.leaks import marked
from pipelines.evaluate.remembered import Remembered
from pipelines.evaluate.suites import compare, version
from pipelines.exam import questions
from pipelines.export import SOURCES, sources
from pipelines.gate import probes_of, refused, stale, waived
from pipelines.generate import VERSION as GENERATE_VERSION
from pipelines.generate import data_key, generate, read_summary
from pipelines.generate.completions import Completions
from pipelines.generate.released import drop_vetoed
from pipelines.ingredients import rows_of
from pipelines.job import Job, Say, day_of
from pipelines.prepare import at_base, decide, hold, make_job, plan, rebuild, run_directory
from pipelines.recipe import Recipe
from pipelines.records import (
    Evaluation,
    ExamItem,
    LeafData,
    Plan,
    Role,
    SuiteScore,
    Waiting,
)
from pipelines.release.manifest import MANIFEST, read_manifest
from pipelines.release.targets.checks import refuse_rolled_back
from pipelines.report import write_report
from pipelines.situation import Options, Situation
from pipelines.spending import watched
from pipelines.students import adapter_files, student
from pipelines.training import train

EVALUATE_VERSION = 3
REPORT_VERSION = 4
RELEASE_VERSION = 3

# What is kept of a leaf's data, by content hash.
Data = Mapping[str, LeafData]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. ``against``: what forbids a release, if anything; ``stale`` is then the older
    content that a rebuild must not have seen, where an edit did not take."""

    plan: Plan
    directory: Path | None
    release: str | None
    evaluation: Evaluation | None
    against: str = ""
    stale: frozenset[str] = frozenset()

    @property
    def accepted(self) -> bool:
        return not self.against


def run(options: Options, say: Say) -> Outcome:
    """Do all of it, or all until ``options.until``; with no release on the target yet, release zero
    first, and whole where a branch's own changes follow."""
    now, recipe, decided = plan(options)
    if now.past is None:
        _say_plan(decided, say)
        zero = at_base(now)
        follows = now.own is not None and bool(now.own.changes)
        whole = replace(options, until=None) if follows else options
        outcome = _carry_out(whole, zero, recipe, decided, say)
        if whole.until is not None or (decided.waiting and not follows):
            return outcome
        now, recipe, decided = plan(options)
        if decided.action == "nothing":
            return outcome
    return _follow(options, now, recipe, decided, say)


def _follow(options: Options, now: Situation, recipe: Recipe, decided: Plan, say: Say) -> Outcome:
    """Do what was decided, and where that is not released what is due then, each once: the ordinary run
    after a re-base, a rebuild after an edit that did not take."""
    outcome = _do(options, now, recipe, decided, say)
    if decided.cause == "rebase" and not outcome.accepted:
        say("run: the re-base is not published; the chain goes on, and it is tried again next time")
        decided = decide(options, now, recipe, rebase=False)
        outcome = _do(options, now, recipe, decided, say)
    if outcome.stale:
        say("run: an edit did not take; it is learnt anew from weights that never saw it otherwise")
        decided = rebuild(now, recipe, decided, outcome.stale)
        outcome = _do(options, now, recipe, decided, say)
    if not outcome.accepted and options.search and now.past and decided.learn:
        return _without_culprits(options, now, recipe, outcome, say)
    return outcome


def _without_culprits(
    options: Options, now: Situation, recipe: Recipe, worse: Outcome, say: Say
) -> Outcome:
    """Find by halves what made the model worse, and release the rest; a trial that was fine is not done
    twice, since the same leaves are the same run. Where no rest is left, the night stays refused."""
    decided, refusals = worse.plan, [worse.evaluation]

    def fine(some: Sequence[str]) -> bool:
        others = [leaf for leaf in decided.learn if leaf not in some]
        say(f"search: {len(some)} of {len(decided.learn)} leaves")
        waits = tuple(Waiting(leaf, "not in this trial") for leaf in others)
        trial = hold(options, now, recipe, decided, waits)
        tried = _do(replace(options, until="report"), now, recipe, trial, say)
        if not tried.accepted:
            refusals.append(tried.evaluation)
        return tried.accepted

    held = search(decided.learn, fine, options.search)
    if any(evaluation and not_worse(evaluation) for evaluation in refusals):
        # No fault of the model's, so it may be gone tomorrow with the same leaves: not to be remembered.
        held = tuple(replace(wait, reason=f"{OTHERWISE}: {worse.against}") for wait in held)
    spoil = {wait.leaf: decided.wanted[wait.leaf] for wait in held if wait.reason == SPOILS}
    rest = replace(hold(options, now, recipe, decided, held), held={**decided.held, **spoil})
    if rest.action == "nothing":
        _say_plan(rest, say)
        # Refused again, from what is finished, so that this is the run that is told of.
        rest = decided
    directory = run_directory(options, rest)
    directory.mkdir(parents=True, exist_ok=True)
    told = [{"leaf": wait.leaf, "reason": wait.reason} for wait in held]
    # Before the release, after which nobody would search again if this were killed.
    write_atomic(directory / "culprits.json", pretty_json({"culprits": told}))
    return _do(options, now, recipe, rest, say)


def _do(options: Options, now: Situation, recipe: Recipe, decided: Plan, say: Say) -> Outcome:
    _say_plan(decided, say)
    if decided.action != "nothing":
        return _carry_out(options, now, recipe, decided, say)
    made = _made(options.runs, decided.previous)
    if made is not None and decided.previous is not None:
        published(now, decided.previous, made, say)  # which a kill may have left out
    evaluation = read_evaluation(made / "evaluation")[0] if made else None
    return Outcome(decided, made, decided.previous, evaluation)


def _say_plan(decided: Plan, say: Say) -> None:
    say(f"plan: {decided.action}: {decided.reason}")
    for wait in decided.waiting:
        say(f"plan: {wait.leaf} waits: {wait.reason}")


def _made(runs: Path, tag: str | None) -> Path | None:
    """The latest run, where it is the one that made the release ``tag``."""
    try:
        latest = runs / (runs / "latest").read_text(encoding="utf-8").strip()
        manifest = json.loads((latest / "release" / "manifest.json").read_bytes())
    except OSError:
        return None
    return latest if manifest["release"] == tag else None


def _carry_out(
    options: Options, now: Situation, recipe: Recipe, decided: Plan, say: Say
) -> Outcome:
    if options.until is None:
        refuse_rolled_back(now.target, decided.input_digest)
    if recipe.evaluate.suites and options.until not in ("generate", "train"):
        version()  # where lm-eval is missing, that is told before hours are spent
    job = make_job(options, now, recipe, decided, say)
    directory = job.directory
    with said(directory):
        directory.mkdir(parents=True, exist_ok=True)
    with lock(directory / ".lock", f"the run {directory}"):
        started = time.monotonic()
        job = replace(job, options=replace(options, today=day_of(directory, options.today)))
        write_atomic(directory / "plan.json", pretty_json(decided))
        write_atomic(directory / "recipe.json", pretty_json(recipe))
        taught = {path: job.leaves[path] for path in decided.learn}
        write_atomic(directory / SOURCES, pretty_json(sources(taught, now.commit)))
        write_atomic(options.runs / "latest", f"{directory.name}\n".encode())
        data = _generate(job)
        if options.until == "generate":
            return Outcome(decided, directory, None, None)
        new, old = rows_of(job, data)
        train(job, data, new, old)
        if options.until == "train":
            return Outcome(decided, directory, None, None)
        evaluation = _evaluate(job, data, new, old)
        if options.until != "evaluate":
            _report(job, evaluation, new, time.monotonic() - started)
        if options.until is not None:
            return Outcome(decided, directory, None, evaluation, refused(job, evaluation))
        return _release(job, evaluation, data)


def _generate(job: Job) -> Data:
    """Make the rows that no release holds yet. Returns what there is of every leaf."""
    todo, vetoed = job.todo, job.vetoed
    inputs = {
        "leaves": digest([(h, exam) for h, (_, exam) in sorted(todo.items())]),
        "data": data_key(job.recipe),
    }
    if job.options.vetoes.by_row:
        inputs["vetoes"] = digest([job.options.vetoes, sorted(vetoed)])
    place = job.directory / "dataset"
    if finished(place, inputs, GENERATE_VERSION):
        job.say("generate: finished before")
    else:
        with (
            stage(
                place, inputs=inputs, version=GENERATE_VERSION, section=job.recipe.generate
            ) as out,
            Completions(job.options.cache / "calls.sqlite") as store,
        ):
            library = Library(job.options.cache, job.options.policy.documents)
            read = partial(documents, job.now.tree, library=library)
            with watched(job, store) as (teaching, progress):
                generate(todo, read, teaching, out, progress.say)
            if vetoed:
                drop_vetoed(out, vetoed, job.options.vetoes.by_row)
                job.say(f"generate: vetoed rows dropped from {len(vetoed)} leaves")
            if store.set_aside:
                job.say(f"generate: the call store was damaged and is set aside: {store.set_aside}")
            job.say(f"generate: {store.made} calls made, {store.reused} read back from the store")
    found = {**job.kept, **read_summary(place)}
    return {leaf.content_hash: found[leaf.content_hash] for leaf in job.leaves.values()}


def _exam(job: Job, data: Data, new: Rows, old: OldRows) -> list[ExamItem]:
    found: list[ExamItem] = []
    changed = job.changed
    for path, leaf in job.leaves.items():
        role: Role = "changed" if path in changed else "panel"
        rows = partial(job.asked_bytes, leaf.content_hash, data[leaf.content_hash].asked_hash)
        found += questions(leaf, job.exams[path], role, rows)
    own = {leaf.path: leaf.content_hash for leaf in job.leaves.values()}
    return marked(found, own, [*new.items(), *old.items()])


def _evaluate(job: Job, data: Data, new: Rows, old: OldRows) -> Evaluation:
    exam, probes = _exam(job, data, new, old), probes_of(job, new)
    place = job.directory / "evaluation"
    inputs = {
        "items": digest(exam),
        "weights": output_digest(job.weights),
        "previous": job.plan.previous or "",
        "probes": digest(probes),
        "values": digest(job.now.values),
    }
    if finished(place, inputs, EVALUATE_VERSION):
        job.say("evaluate: finished before")
        return read_evaluation(place)[0]
    with (
        stage(place, inputs=inputs, version=EVALUATE_VERSION, section=job.recipe.evaluate) as out,
        _judging(job) as judging,
    ):
        values, settings = job.now.values, job.recipe.evaluate
        asked = f"{len(exam)} exam questions and {len(values.probes)} value probes"
        job.say(f"evaluate: {asked}, asked of base, previous release, candidate")
        students = _students(job)
        suites = _suites(job, students)
        return evaluate(exam, students, settings, out, probes, judging, values, suites)


def _suites(job: Job, students: Mapping[str, Remembered]) -> list[SuiteScore]:
    """The recipe's public suites, sat by what users have and by what this run made."""
    found = []
    for suite, margin in job.recipe.evaluate.suites.items():
        job.say(f"evaluate: the suite {suite}, through lm-eval")
        before, now = students["previous"].graded(suite), students["candidate"].graded(suite)
        found.append(compare(before, now, margin))
    return found


@contextlib.contextmanager
def _judging(job: Job) -> Iterator[Judge | None]:
    """The recipe's judge, whose answers are kept as a teacher's are; None where it names no model."""
    if job.recipe.judge is None or job.recipe.judge.backend == "extractive":
        yield None
        return
    with Completions(job.options.cache / "calls.sqlite") as store:
        yield Judge(job.recipe.judge, open_backend(job.recipe.judge), store)


def _students(job: Job) -> dict[str, Remembered]:
    """The bare base, what users had, and what this run made; one object where they are the same."""
    cache, home = job.options.cache, (job.base, job.base_model.revision)
    made = job.directory / "adapter"
    candidate = base = student(job.recipe, cache, home, None, {})
    if (made / "adapter_config.json").is_file():
        files = {path: file.sha256 for path, file in tree_digests(made).items()}
        candidate = student(job.recipe, cache, home, made, files)
    before = job.now.previous
    if before is None:
        return {"base": base, "previous": base, "candidate": candidate}
    # A rebuild from nothing has another base than the release that it is compared with.
    old, adapter = job.base_of(before.base_model), job.adapter_of(before.release)
    if old == job.base and adapter is None:
        return {"base": base, "previous": base, "candidate": candidate}
    had = (old, before.base_model.revision)
    previous = student(job.recipe, cache, had, adapter, adapter_files(before))
    return {"base": base, "previous": previous, "candidate": candidate}


def _report(job: Job, evaluation: Evaluation, new: Rows, seconds: float) -> None:
    place = job.directory / "report"
    inputs = {
        "evaluation": output_digest(job.directory / "evaluation"),
        "dataset": output_digest(job.directory / "dataset"),
    }
    if finished(place, inputs, REPORT_VERSION):
        return
    told = report_input(job, evaluation, {h: len(rows) for h, rows in new.items()}, seconds)
    with stage(place, inputs=inputs, version=REPORT_VERSION) as out:
        write_report(told, out)
    job.say(f"report: {place / 'report.html'}")


def _release(job: Job, evaluation: Evaluation, data: Data) -> Outcome:
    against = refused(job, evaluation)
    if against:
        job.say(f"release: none: {against}")
        old = stale(job, evaluation)
        return Outcome(job.plan, job.directory, None, evaluation, against, old)
    place = job.directory / "release"
    inputs = {
        "evaluation": output_digest(job.directory / "evaluation"),
        "commit": job.now.commit,
        "previous": job.plan.previous or "",
        "allowed": digest(waived(job, evaluation)),
        "target": job.options.target,
        "approvers": digest(job.options.approvers),
        "held": digest(job.plan.held),
    }
    if not finished(place, inputs, RELEASE_VERSION):
        with stage(place, inputs=inputs, version=RELEASE_VERSION) as out:
            assemble(job, evaluation, data, out)
    manifest = read_manifest((place / MANIFEST).read_bytes(), str(place))
    target = job.now.target
    if job.plan.action == "bootstrap":
        target.put_base(manifest.base_model.revision, job.directory / "base")
    for content_hash, made in data.items():
        if not target.has_blob(made.data_hash):
            target.put_blob(job.row_bytes(content_hash, made.data_hash))
        if made.asked_hash and not target.has_blob(made.asked_hash):
            target.put_blob(job.asked_bytes(content_hash, made.asked_hash))
    tag = target.publish(place, manifest)
    job.say(f"release: {tag} in {job.options.target}")
    published(job.now, tag, job.directory, job.say)
    return Outcome(job.plan, job.directory, tag, evaluation)
