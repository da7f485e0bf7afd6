"""The multiple-choice part of an exam: items and students in, choice accuracy and a sentence out.

It is told beside the verdict and never enters it: the items are synthetic, a student that knows nothing
has a quarter of them right, and wrong choices that are easy to tell apart flatter all three students.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pipelines.errors import BackendError
from pipelines.evaluate import statistics
from pipelines.evaluate.metrics import CHOICE_METRICS
from pipelines.records import ChoiceResult, ChoiceScore, ExamItem, Role

DIGITS = 6
Choice = tuple[str, tuple[str, ...]]  # a prompt, and the answers to choose from


class Chooser(Protocol):
    """Whoever says which answer is the likeliest."""

    def choose(self, asked: Sequence[Choice]) -> list[int]:
        """For each prompt the place of the likeliest answer, in order."""
        ...


def choose(items: Sequence[ExamItem], students: Mapping[str, Chooser]) -> list[ChoiceResult]:
    """What base, previous and candidate take for the right choice; one object is asked once."""
    asked = [(item.prompt, item.choices) for item in items]
    found: dict[int, list[str]] = {}
    for name, student in students.items():
        if id(student) in found or not asked:
            continue
        given = student.choose(asked)
        if len(given) != len(asked):
            raise BackendError(
                f"The {name} student chose {len(given)} times and was asked {len(asked)} times; the "
                "evaluation cannot pair them. Run it again, or mend the backend."
            )
        found[id(student)] = [item.choices[place] for item, place in zip(items, given, strict=True)]
    return [
        ChoiceResult(item, **{name: found[id(one)][at] for name, one in students.items()})
        for at, item in enumerate(items)
    ]


def scores(results: Sequence[ChoiceResult]) -> tuple[ChoiceScore, ...]:
    """Both roles pooled, then each leaf; leaked items are left out."""
    counted = [one for one in results if not one.item.leaked]
    roles: tuple[Role, ...] = ("changed", "panel")
    pooled = [_score("", role, [o for o in counted if o.item.role == role]) for role in roles]
    places = sorted({(one.item.role, one.item.leaf) for one in counted})
    by_leaf = [
        _score(leaf, role, [o for o in counted if (o.item.role, o.item.leaf) == (role, leaf)])
        for role, leaf in places
    ]
    return tuple(one for one in (*pooled, *by_leaf) if one is not None)


def sentences(found: Sequence[ChoiceScore]) -> tuple[str, ...]:
    """What the pooled scores say, for the reasons of a verdict that they are no part of."""
    names = {"changed": "the changed leaves", "panel": "the panel"}
    told = [
        f"{names[one.role]} {one.previous:.2f} before, {one.candidate:.2f} now ({one.items} "
        f"question{'s' if one.items > 1 else ''}, difference {one.difference:+.2f}, "
        f"95 % interval {one.interval[0]:+.2f} to {one.interval[1]:+.2f})"
        for one in found
        if not one.leaf
    ]
    if not told:
        return ()
    return (
        f"Multiple choice, synthetic and no part of the verdict; chance is 0.25: {'; '.join(told)}.",
    )


def _score(leaf: str, role: Role, group: Sequence[ChoiceResult]) -> ChoiceScore | None:
    if not group:
        return None
    metric = CHOICE_METRICS["choice_accuracy"]

    def right(chosen: Sequence[str]) -> list[float]:
        return [metric(c, one.item.reference) for c, one in zip(chosen, group, strict=True)]

    before, now = right([one.previous for one in group]), right([one.candidate for one in group])
    differences = [b - a for a, b in zip(before, now, strict=True)]
    contexts = [f"{one.item.leaf}\n{one.item.cluster}" for one in group]
    clusters = statistics.cluster(differences, contexts)
    low, high = statistics.interval(clusters)
    return ChoiceScore(
        leaf=leaf,
        role=role,
        items=len(group),
        base=_mean(right([one.base for one in group])),
        previous=_mean(before),
        candidate=_mean(now),
        difference=_rounded(clusters.mean),
        interval=(_rounded(low), _rounded(high)),
    )


def _mean(values: Sequence[float]) -> float:
    return _rounded(sum(values) / len(values))


def _rounded(value: float) -> float:
    return round(value, DIGITS) + 0.0  # -0.0 becomes 0.0
