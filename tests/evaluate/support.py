"""Made-up exam results with known differences."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.records import ExamItem, ItemResult, Role, Scores


def item(leaf: str, role: Role, context: int, number: int, *, leaked: bool = False) -> ExamItem:
    name = f"{leaf}-{context}-{number}"
    return ExamItem(name, leaf, role, f"c{context}", f"Q {name}?", f"Q {name}?", name, leaked)


def result(exam_item: ExamItem, before: float, now: float) -> ItemResult:
    scores = [Scores(float(value == 1), value) for value in (0.0, before, now)]
    return ItemResult(exam_item, "b", "p", "c", *scores)


def leaf_results(
    leaf: str, role: Role, pairs: Sequence[tuple[float, float]], *, per_context: int = 3
) -> list[ItemResult]:
    """One result for each (before, now), ``per_context`` of them in a context."""
    return [
        result(item(leaf, role, index // per_context, index), before, now)
        for index, (before, now) in enumerate(pairs)
    ]


def panel(drop: float = 0.0, leaves: int = 12) -> list[ItemResult]:
    """Old leaves of three items each; a tenth of noise about ``drop``, cancelling out."""
    return [
        one
        for number in range(leaves)
        for one in leaf_results(
            f"knowledge/old/l{number:02}",
            "panel",
            [(0.9, 0.9 - drop + (0.02 if number % 2 else -0.02))] * 3,
        )
    ]
