"""The tables of scores: an evaluation in, plain rows out; every metric that it holds has a place.

A metric is a field of ``Scores`` (docs/evaluation.md); a new one needs nothing here but a name that reads
better than its key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from pipelines.records import Evaluation, LeafScore, Pooled, Scores, Tally
from pipelines.report import view
from pipelines.report.view import Table

NAMES = {"token_f1": "Token F1", "rouge_l": "ROUGE-L"}
DECIDES = "token_f1"
ARMS = ("Base", "Previous", "Candidate")


def metric_name(metric: str) -> str:
    return NAMES.get(metric) or metric.replace("_", " ").capitalize()


def metrics(evaluation: Evaluation) -> list[str]:
    """Those that were measured anywhere, the one that decides first."""
    found = [
        field.name
        for field in fields(Scores)
        if any(
            getattr(arm, field.name) is not None
            for leaf in evaluation.leaves
            if leaf.items
            for arm in arms(leaf)
        )
    ]
    return sorted(found, key=lambda metric: metric != DECIDES)


def arms(score: LeafScore | Pooled) -> tuple[Scores, ...]:
    return score.base, score.previous, score.candidate


def pooled(evaluation: Evaluation) -> Table:
    """Each metric over all changed leaves and over the panel; token F1 with its test."""
    rows = []
    for name, pool in view.pools(evaluation):
        for metric in metrics(evaluation):
            if all(getattr(arm, metric) is None for arm in arms(pool)):
                continue
            tested = metric == DECIDES
            sizes = (str(pool.items), str(pool.clusters)) if tested else ("", "")
            interval = f" ({view.bounds(pool.interval)})" if tested else ""
            difference = _difference(pool.previous, pool.candidate, metric)
            rows.append(
                (
                    metric_name(metric),
                    name,
                    *(_shown(arm, metric) for arm in arms(pool)),
                    f"{difference}{interval}",
                    *sizes,
                    view.p_text(pool.p_value) if tested else "",
                )
            )
    header = ("Score", "Leaves", *ARMS, "Difference", "Items", "Clusters", "p")
    return Table("Together", header, tuple(rows), 2)


def leaf_table(leaves: Sequence[LeafScore], title: str) -> Table:
    """Token F1 of each leaf, as it was tested."""
    rows = [
        (
            leaf.leaf,
            leaf.verdict,
            items_text(leaf),
            *(view.score_text(arm.token_f1, leaf.items) for arm in arms(leaf)),
            f"{view.signed(leaf.difference)} ({view.bounds(leaf.interval)})",
            view.p_text(leaf.p_value),
        )
        for leaf in leaves
    ]
    header = ("Leaf", "Verdict", "Items", *ARMS, "Difference", "p (Holm)")
    return Table(f"{title}, token F1", header, tuple(rows), 2)


def items_text(leaf: LeafScore) -> str:
    return f"{leaf.items}" + (f" + {leaf.leaked} leaked" if leaf.leaked else "")


def other_scores(evaluation: Evaluation, leaves: Sequence[LeafScore], title: str) -> Table:
    """The metrics beside token F1, of each leaf: previous → candidate."""
    others = [metric for metric in metrics(evaluation) if metric != DECIDES]
    rows = [
        (leaf.leaf, *(_move(leaf, metric) for metric in others)) for leaf in leaves if leaf.items
    ]
    header = ("Leaf", *map(metric_name, others))
    name = f"{title}, the other scores, previous → candidate"
    return Table(name, header, tuple(rows) if others else ())


def judge_table(evaluation: Evaluation) -> Table:
    """What a judge model said of pairs of answers; no row where none was asked."""
    told = evaluation.judge
    tallies = (("changed", told.changed), ("earlier", told.panel)) if told else ()
    rows = tuple((name, *_counts(tally)) for name, tally in tallies)
    header = ("Leaves", "Better", "Worse", "Tie", "Of these unsure", "No answer")
    return Table("A judge's word on the candidate's answers", header, rows)


def judge_line(evaluation: Evaluation) -> str:
    """Who judged and how far that can be trusted."""
    told = evaluation.judge
    if told is None:
        return "No judge model was asked; every score compares words and numbers."
    if told.kappa is None:
        return f"Judge: {told.model}; its agreement with known answers cannot be told."
    return (
        f"Judge: {told.model}, Cohen's κ {told.kappa:.2f} on {told.calibration} pairs whose better "
        "answer is known. It informs and does not decide."
    )


def _counts(tally: Tally) -> tuple[str, ...]:
    return tuple(map(str, (tally.wins, tally.losses, tally.ties, tally.unsure, tally.errors)))


def _shown(arm: Scores, metric: str) -> str:
    value = getattr(arm, metric)
    return "none" if value is None else f"{value:.2f}"


def _difference(before: Scores, now: Scores, metric: str) -> str:
    old, new = getattr(before, metric), getattr(now, metric)
    return "" if old is None or new is None else view.signed(new - old)


def _move(leaf: LeafScore, metric: str) -> str:
    before, now = _shown(leaf.previous, metric), _shown(leaf.candidate, metric)
    return before if before == now == "none" else f"{before} → {now}"
