"""Token F1 (Rajpurkar et al., 1606.05250): how far the words of answer and reference overlap."""

from __future__ import annotations

from collections import Counter

from pipelines.evaluate.words import words


def score(answer: str, reference: str) -> float:
    """0..1: harmonic mean of precision and recall over words, repeated words counted."""
    given, wanted = words(answer), words(reference)
    if not given or not wanted:
        return float(given == wanted)
    shared = sum((Counter(given) & Counter(wanted)).values())
    return 2 * shared / (len(given) + len(wanted))
