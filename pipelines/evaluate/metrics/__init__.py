"""The metrics, one module each: an answer and its reference in, a number in 0..1 out.

A further metric is a module here, a line in ``METRICS``, a field of ``records.Scores`` and a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipelines.evaluate.metrics import exact_match, token_f1
from pipelines.records import Scores

METRICS: Mapping[str, Callable[[str, str], float]] = {
    "exact_match": exact_match.score,
    "token_f1": token_f1.score,
}


def score(answer: str, reference: str) -> Scores:
    """Every metric of one answer."""
    return Scores(**{name: metric(answer, reference) for name, metric in METRICS.items()})
