"""The exam: items, probes and three students in; ``evaluation.json``, ``items.jsonl`` and a verdict out.

The students are *base* (the bare base model), *previous* (the release that users have) and
*candidate*. All three answer the same prompts once, greedily; every comparison is paired by item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pipelines import recipe
from pipelines.errors import BackendError
from pipelines.evaluate.choices import Chooser, choose, scores
from pipelines.evaluate.choices import sentences as choice_sentences
from pipelines.evaluate.files import read_evaluation, write_evaluation
from pipelines.evaluate.judging import Judge, compare
from pipelines.evaluate.metrics import METRICS, score
from pipelines.evaluate.probes import judged, sentences
from pipelines.evaluate.reasons import judge_sentences
from pipelines.evaluate.values import judge_values, prompts_of, scored
from pipelines.evaluate.verdict import judge, not_worse, with_suites, with_values
from pipelines.records import Evaluation, ExamItem, ItemResult, Probe, SuiteScore, Values

__all__ = [
    "METRICS",
    "STUDENTS",
    "Answerer",
    "Judge",
    "evaluate",
    "limit_panel",
    "not_worse",
    "read_evaluation",
]

STUDENTS = ("base", "previous", "candidate")


class Answerer(Chooser, Protocol):
    """Whoever sits the exam."""

    def answers(self, prompts: Sequence[str]) -> list[str]:
        """One answer a prompt, in order."""
        ...


def evaluate(
    items: Sequence[ExamItem],
    students: Mapping[str, Answerer],
    settings: recipe.Evaluate,
    out: Path,
    probes: Sequence[Probe] = (),
    judging: Judge | None = None,
    values: Values | None = None,
    suites: Sequence[SuiteScore] = (),
) -> Evaluation:
    """Ask, score, judge and write both files into ``out``.

    ``students`` has the keys of ``STUDENTS``; one object under two keys is asked once. Of the panel
    ``settings.panel`` items are asked at most, and as many of multiple choice. ``probes`` are asked
    apart, of those who may have the old answer. ``judging`` compares previous and candidate beside
    the metrics and does not gate. ``values`` are asked of all three; a kind or principle that is
    worse is a REGRESSION; ``suites`` gate with their margins. ``BackendError`` where a student's
    answers do not match the prompts in number, or the judge is gone.
    """
    ordered = _ordered([item for item in items if not item.choices], settings.panel)
    offered = _ordered([item for item in items if item.choices], settings.panel)
    answers = _ask([item.prompt for item in ordered], students, STUDENTS)
    results = [
        _result(item, *(answers[name][index] for name in STUDENTS))
        for index, item in enumerate(ordered)
    ]
    evaluation = judge(results, settings.margin)
    chosen = choose(offered, {name: students[name] for name in STUDENTS})
    evaluation = replace(evaluation, choices=scores(chosen))
    asked = _ask([probe.prompt for probe in probes], students, STUDENTS[1:])
    probed = tuple(map(judged, probes, asked["previous"], asked["candidate"]))
    reasons = (*sentences(probed), *evaluation.reasons, *choice_sentences(evaluation.choices))
    evaluation = replace(evaluation, reasons=reasons, probes=probed)
    evaluation = with_suites(evaluation, suites)
    if judging is not None:
        judged_by, results = compare(judging, results)
        reasons = (*evaluation.reasons, *judge_sentences(judged_by))
        evaluation = replace(evaluation, reasons=reasons, judge=judged_by)
    held_to = values or Values()
    asked = _ask(prompts_of(held_to), students, STUDENTS)
    kept = scored(held_to, *(asked[name] for name in STUDENTS))
    if kept:
        evaluation = with_values(evaluation, judge_values(kept, settings.values_margin))
    write_evaluation(out, evaluation, results, kept, chosen)
    return evaluation


def _ordered(items: Sequence[ExamItem], most: int) -> list[ExamItem]:
    """Those that are asked, in the order of the files."""
    return sorted(limit_panel(items, most), key=lambda item: (item.role, item.leaf, item.id))


def limit_panel(items: Sequence[ExamItem], most: int) -> list[ExamItem]:
    """All items of changed leaves and at most ``most`` of the panel, its leaves taken in turn.

    Within a leaf items that did not leak come first, then by id: the choice is always the same.
    """
    leaves: dict[str, list[ExamItem]] = {}
    for item in sorted(items, key=lambda item: (item.leaked, item.id)):
        if item.role == "panel":
            leaves.setdefault(item.leaf, []).append(item)
    turns = [
        (turn, leaf, item) for leaf, found in leaves.items() for turn, item in enumerate(found)
    ]
    turns.sort(key=lambda entry: entry[:2])
    chosen = {(leaf, item.id) for _, leaf, item in turns[:most]}
    return [item for item in items if item.role != "panel" or (item.leaf, item.id) in chosen]


def _ask(
    prompts: list[str], students: Mapping[str, Answerer], names: Sequence[str]
) -> dict[str, list[str]]:
    asked: dict[int, list[str]] = {}
    for name in names:
        student = students[name]
        if id(student) in asked:
            continue
        given = student.answers(prompts) if prompts else []
        if len(given) != len(prompts):
            raise BackendError(
                f"The {name} student gave {len(given)} answers to {len(prompts)} questions; "
                "the evaluation cannot pair them. Run it again, or mend the backend."
            )
        asked[id(student)] = given
    return {name: asked[id(students[name])] for name in names}


def _result(item: ExamItem, base: str, previous: str, candidate: str) -> ItemResult:
    return ItemResult(
        item=item,
        base=base,
        previous=previous,
        candidate=candidate,
        base_scores=score(base, item.reference),
        previous_scores=score(previous, item.reference),
        candidate_scores=score(candidate, item.reference),
    )
