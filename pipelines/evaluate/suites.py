"""Public suites, such as MMLU, through lm-eval: a student on this machine in, its score of each document out.

lm-eval is an extra (``graft-taxonomy[suites]``) and fetches its data sets from the Hub. Two students are
compared as on the panel: paired by document, non-inferior within the recipe's margin. A task of lm-eval's may
name code to be run, so tasks other than its own come from a folder that the operator names, never from a
pull request.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipelines.errors import GraftError, UsageError
from pipelines.evaluate import statistics
from pipelines.evaluate.statistics import ALPHA
from pipelines.records import SuiteScore, SuiteVerdict

NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
PREFERRED = ("acc", "exact_match")  # of what a suite measures; else the first that it names
DIGITS = 6


class Testable(Protocol):
    """A student as transformers loads it."""

    model: Any
    tokenizer: Any
    batch: int


@dataclass(frozen=True, slots=True)
class Graded:
    """One student's score of each document of a suite, by task and document."""

    suite: str
    metric: str
    values: Mapping[str, float]

    @property
    def mean(self) -> float:
        return sum(self.values.values()) / len(self.values)


def version() -> str:
    """The version of lm-eval, which answers follow from; ``GraftError`` where it is not installed."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("lm-eval")
    except PackageNotFoundError:
        raise GraftError(
            "Public suites need lm-eval, which is not installed: pip install 'graft-taxonomy[suites]'."
        ) from None


def grade(student: Testable, suite: str, tasks: Path | None = None) -> Graded:
    """Let lm-eval examine the student; ``tasks`` is a folder of further tasks, trusted as code is."""
    if not NAME.fullmatch(suite):
        raise UsageError(f"--suite {suite!r} is no name of a suite.")
    version()
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    manager = _manager(tasks)
    if suite not in manager.all_tasks:
        raise GraftError(f"lm-eval {version()} knows no suite {suite}.")
    model = HFLM(
        pretrained=student.model, tokenizer=student.tokenizer, batch_size=min(student.batch, 32)
    )
    try:
        # The bootstrap would only give lm-eval's own standard errors.
        found = simple_evaluate(model=model, tasks=[suite], task_manager=manager, bootstrap_iters=0)
    except (OSError, ConnectionError) as error:
        raise GraftError(f"The data of the suite {suite} cannot be had: {error}") from error
    return _graded(suite, found["samples"])


@functools.cache
def _manager(tasks: Path | None) -> Any:
    """The tasks that lm-eval knows; to look through its thousands of files takes seconds."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=str(tasks) if tasks is not None else None)


def _graded(suite: str, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> Graded:
    """The samples that lm-eval logs, as a score a document; of several filters the first counts."""
    named = [metric for rows in samples.values() for row in rows[:1] for metric in row["metrics"]]
    metric = next((name for name in PREFERRED if name in named), named[0] if named else "")
    values: dict[str, float] = {}
    for task, rows in samples.items():
        for row in rows:
            if isinstance(row.get(metric), (int, float)):
                values.setdefault(f"{task} {row['doc_id']}", float(row[metric]))
    if not values:
        raise GraftError(
            f"The suite {suite} gives no score a document, so nothing can be compared."
        )
    return Graded(suite, metric, values)


def compare(previous: Graded, candidate: Graded, margin: float) -> SuiteScore:
    """The candidate against what users have, paired by document."""
    shared = sorted(previous.values.keys() & candidate.values.keys())
    differences = [candidate.values[at] - previous.values[at] for at in shared]
    clusters = statistics.cluster(differences, shared)
    bounds = statistics.interval(clusters)
    verdict: SuiteVerdict = "unclear"
    if statistics.non_inferior(bounds, margin):
        verdict = "held"
    elif clusters.mean < -margin and statistics.inferior(clusters, margin) < ALPHA:
        verdict = "fell"
    return SuiteScore(
        suite=candidate.suite,
        metric=candidate.metric,
        items=len(shared),
        margin=margin,
        previous=round(previous.mean, DIGITS),
        candidate=round(candidate.mean, DIGITS),
        difference=round(clusters.mean, DIGITS) + 0.0,
        interval=(round(bounds[0], DIGITS) + 0.0, round(bounds[1], DIGITS) + 0.0),
        verdict=verdict,
    )


def sentence(score: SuiteScore) -> str:
    """What a comparison says, for the reasons of a verdict."""
    said = {
        "held": "is non-inferior within the margin",
        "fell": "is worse by more than the margin",
        "unclear": "is not shown to be non-inferior within the margin",
    }[score.verdict]
    return (
        f"The suite {score.suite} {said} of {score.margin:.2f}: {score.metric} {score.previous:.3f} before, "
        f"{score.candidate:.3f} now ({score.items} documents, difference {score.difference:+.3f}, 95 % "
        f"interval {score.interval[0]:+.3f} to {score.interval[1]:+.3f})."
    )
