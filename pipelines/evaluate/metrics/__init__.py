"""The metrics, one module each: an answer and its reference in, a number in 0..1 out.

None is for a metric that does not apply to an item. A further metric is a module here, a line in
``METRICS``, a field of ``records.Scores`` and a test. Token F1 gates; the others are told beside it.
Where an item is multiple choice, the answer is the choice that a student finds likeliest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipelines.evaluate.metrics import (
    choice_accuracy,
    exact_match,
    numeric_match,
    rouge_l,
    token_f1,
)
from pipelines.records import Scores

METRICS: Mapping[str, Callable[[str, str], float | None]] = {
    "exact_match": exact_match.score,
    "token_f1": token_f1.score,
    "rouge_l": rouge_l.score,
    "numeric_match": numeric_match.score,
}

# Of a choice among some: the one that was chosen, and the right one.
CHOICE_METRICS: Mapping[str, Callable[[str, str], float]] = {
    "choice_accuracy": choice_accuracy.score,
}


def score(answer: str, reference: str) -> Scores:
    """Every metric of one answer."""
    found: dict[str, Any] = {name: metric(answer, reference) for name, metric in METRICS.items()}
    return Scores(**found)
