"""Item results in, ``Evaluation`` out: the two questions of an exam, and what may be said.

*Did it forget?* The panel (old leaves) must be non-inferior to the previous release within a
margin. *Did it learn?* The changed leaves, pooled, must be better, tested between contexts.
Token F1 decides; exact match is told beside it. Leaked items count nowhere.

Clusters are contexts for changed leaves and leaves for the panel. A panel of fewer than eight
leaves is taken by contexts: they are then all there is to guard, not a sample of many.

A single leaf seldom has six contexts in its exam. Its p-value then comes from its items: too eager
where items of a context go together, so it may raise an alarm (*regressed*, after Holm, beyond the
margin) but never a claim (*improved*).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.evaluate import statistics
from pipelines.evaluate.reasons import Finding, explain, value_alarms, value_sentences
from pipelines.evaluate.statistics import ALPHA, FEW_CLUSTERS, LEAST_CLUSTERS, Clusters
from pipelines.evaluate.suites import sentence
from pipelines.records import (
    Evaluation,
    ItemResult,
    LeafScore,
    LeafVerdict,
    Pooled,
    Role,
    Scores,
    SuiteScore,
    ValuesFound,
    Verdict,
)

DIGITS = 6
ROLES: tuple[Role, ...] = ("changed", "panel")


@dataclass(frozen=True, slots=True)
class _Means:
    base: Scores
    previous: Scores
    candidate: Scores


def judge(results: Sequence[ItemResult], margin: float) -> Evaluation:
    """The verdict over all results; ``margin`` in token F1."""
    counted = [result for result in results if not result.item.leaked]
    changed, panel = _pool(counted, "changed"), _pool(counted, "panel")
    leaves = _leaf_scores(results, margin)
    fallen = [leaf for leaf in leaves if leaf.verdict == "regressed"]
    verdict = _verdict(changed, panel, fallen, margin)
    reasons = explain(verdict, margin, changed, panel, fallen)
    if any(result.item.leaked for result in results):
        leaked = sum(result.item.leaked for result in results)
        reasons = (*reasons, f"{leaked} exam items leaked into training rows and are left out.")
    return Evaluation(
        verdict,
        reasons,
        margin,
        tuple(leaves),
        changed.pooled if changed else None,
        panel.pooled if panel else None,
    )


def with_suites(evaluation: Evaluation, suites: Sequence[SuiteScore]) -> Evaluation:
    """The verdict where public suites gate, too: one that fell is a regression, and all must hold."""
    verdict = evaluation.verdict
    if any(suite.verdict == "fell" for suite in suites):
        verdict = "REGRESSION"
    elif verdict == "PASS" and any(suite.verdict != "held" for suite in suites):
        verdict = "INCONCLUSIVE"
    told = [sentence(suite) for suite in suites]
    reasons = (
        (*told, *evaluation.reasons)
        if verdict != evaluation.verdict
        else (*evaluation.reasons, *told)
    )
    return replace(evaluation, verdict=verdict, reasons=reasons, suites=tuple(suites))


def with_values(evaluation: Evaluation, found: ValuesFound) -> Evaluation:
    """The evaluation with what became of the values: one that is worse is a REGRESSION, whatever the exam
    says; values of which nothing is shown leave its verdict, and the reasons say so."""
    alarms = value_alarms(found)
    return replace(
        evaluation,
        verdict="REGRESSION" if alarms else evaluation.verdict,
        reasons=(*alarms, *evaluation.reasons, *value_sentences(found)),
        values=found,
    )


def not_worse(evaluation: Evaluation) -> bool:
    """Whether ``release.accept: not_worse`` may publish: no regression, and the panel held."""
    if evaluation.verdict == "REGRESSION":
        return False
    if any(suite.verdict != "held" for suite in evaluation.suites):
        return False
    panel = evaluation.panel
    return panel is None or statistics.non_inferior(panel.interval, evaluation.margin)


def _verdict(
    changed: Finding | None, panel: Finding | None, fallen: Sequence[LeafScore], margin: float
) -> Verdict:
    if fallen or (panel and panel.fell(margin)):
        return "REGRESSION"
    held = panel is None or panel.held(margin)
    better = changed and changed.pooled.difference > 0 and changed.pooled.p_value < ALPHA
    return "PASS" if held and better else "INCONCLUSIVE"


def _pool(counted: Sequence[ItemResult], role: Role) -> Finding | None:
    chosen = [result for result in counted if result.item.role == role]
    if not chosen:
        return None
    leaves = {result.item.leaf for result in chosen}
    by_leaf = role == "panel" and len(leaves) >= FEW_CLUSTERS
    keys = [result.item.leaf if by_leaf else _context(result) for result in chosen]
    clusters = statistics.cluster(_differences(chosen), keys)
    means = _means(chosen)
    pooled = Pooled(
        role=role,
        leaves=len(leaves),
        items=len(chosen),
        clusters=clusters.count,
        base=means.base,
        previous=means.previous,
        candidate=means.candidate,
        difference=_rounded(clusters.mean),
        interval=_interval(clusters),
        p_value=_rounded(statistics.sign_flip(clusters)),
    )
    return Finding(pooled, clusters, "leaves" if by_leaf else "contexts", tuple(chosen))


def _leaf_scores(results: Sequence[ItemResult], margin: float) -> list[LeafScore]:
    """One score a leaf, changed leaves first, then by path.

    Holm's adjustment is over the leaves of one role: learning and forgetting are two questions.
    """
    scores: list[LeafScore] = []
    for role in ROLES:
        groups: dict[str, list[ItemResult]] = {}
        for result in results:
            if result.item.role == role:
                groups.setdefault(result.item.leaf, []).append(result)
        found = [_leaf_score(groups[leaf]) for leaf in sorted(groups)]
        tested = [score.p_value for score, _ in found if score.items]
        adjusted = iter(statistics.holm(tested))
        scores += [
            _judged(score, next(adjusted) if score.items else 1.0, contexts, margin)
            for score, contexts in found
        ]
    return scores


def _leaf_score(group: Sequence[ItemResult]) -> tuple[LeafScore, int]:
    """The score of one leaf, not yet judged, and the number of its contexts that counted."""
    item = group[0].item
    counted = [result for result in group if not result.item.leaked]
    means = _means(counted)
    difference, bounds, p_value, contexts = 0.0, (-1.0, 1.0), 1.0, 0
    if counted:
        clusters = statistics.cluster(_differences(counted), [_context(one) for one in counted])
        contexts = clusters.count
        tested = clusters
        if contexts < LEAST_CLUSTERS:
            tested = statistics.cluster(_differences(counted), [one.item.id for one in counted])
        difference, bounds = clusters.mean, _interval(clusters)
        p_value = statistics.sign_flip(tested)
    score = LeafScore(
        leaf=item.leaf,
        role=item.role,
        items=len(counted),
        leaked=len(group) - len(counted),
        base=means.base,
        previous=means.previous,
        candidate=means.candidate,
        difference=_rounded(difference),
        interval=bounds,
        p_value=p_value,
        verdict="inconclusive",
    )
    return score, contexts


def _judged(score: LeafScore, p_value: float, contexts: int, margin: float) -> LeafScore:
    verdict: LeafVerdict = "inconclusive"
    if p_value < ALPHA and score.difference < -margin:
        verdict = "regressed"
    elif p_value < ALPHA and score.difference > 0 and contexts >= LEAST_CLUSTERS:
        verdict = "improved"
    elif score.items and -margin < score.interval[0] and score.interval[1] < margin:
        verdict = "unchanged"
    return replace(score, p_value=_rounded(p_value), verdict=verdict)


def _context(result: ItemResult) -> str:
    """Contexts of two leaves never fall together, even where their text is the same."""
    return f"{result.item.leaf}\n{result.item.cluster}"


def _differences(results: Sequence[ItemResult]) -> list[float]:
    return [one.candidate_scores.token_f1 - one.previous_scores.token_f1 for one in results]


def _means(results: Sequence[ItemResult]) -> _Means:
    return _Means(
        mean_scores([one.base_scores for one in results]),
        mean_scores([one.previous_scores for one in results]),
        mean_scores([one.candidate_scores for one in results]),
    )


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """Means over items; of a metric that applies to some, over these; zeros where there is none."""
    return Scores(
        _average([one.exact_match for one in scores]) or 0.0,
        _average([one.token_f1 for one in scores]) or 0.0,
        _average([one.rouge_l for one in scores]),
        _average([one.numeric_match for one in scores]),
    )


def _average(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return _rounded(math.fsum(found) / len(found)) if found else None


def _interval(clusters: Clusters) -> tuple[float, float]:
    low, high = statistics.interval(clusters)
    return _rounded(low), _rounded(high)


def _rounded(value: float) -> float:
    """Six digits: more would be noise in a file that people compare."""
    return round(value, DIGITS) + 0.0  # -0.0 becomes 0.0
