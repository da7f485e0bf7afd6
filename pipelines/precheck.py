"""What the last release answers already of the leaves that a run would learn, before anything is spent.

In: a ``Job``. Out: every question that people wrote in those leaves, with what is said now. Nothing of
them was taught yet, so shown seeds are asked like held-out ones; nobody asks the teacher.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.errors import GraftError
from pipelines.evaluate.metrics import score
from pipelines.exam import items
from pipelines.examination import student_of
from pipelines.job import Job
from pipelines.records import ExamItem, Scores

KNOWN = 0.8  # token F1 from which an answer counts as known: a word more or less


@dataclass(frozen=True, slots=True)
class Answered:
    """One question, what the last release says to it, and how near that is."""

    item: ExamItem
    answer: str
    scores: Scores

    @property
    def known(self) -> bool:
        return self.scores.token_f1 >= KNOWN


def precheck(job: Job) -> list[Answered]:
    """Ask; ``GraftError`` where there is no model yet that could answer."""
    before = job.now.previous
    if before is None:
        raise GraftError(
            f"{job.options.target} has no release yet that could be asked; `graft run` makes the first one."
        )
    asked: list[ExamItem] = []
    for path in job.plan.learn:
        seeds = tuple(seed.id for seed in job.leaves[path].seeds)
        split = replace(job.exams[path], exam=seeds, shown=())
        asked += items(job.leaves[path], split, "changed")
    if not asked:
        return []
    student = student_of(job.now, job.recipe, before.release)
    answers = student.answers([item.prompt for item in asked])
    return [
        Answered(item, answer, score(answer, item.reference))
        for item, answer in zip(asked, answers, strict=True)
    ]
