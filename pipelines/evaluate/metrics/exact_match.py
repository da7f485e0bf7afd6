"""Exact match: 1.0 where answer and reference have the same words in the same order, else 0.0."""

from __future__ import annotations

from pipelines.evaluate.words import words


def score(answer: str, reference: str) -> float:
    """0.0 or 1.0; case, punctuation, width and English articles do not count."""
    return float(words(answer) == words(reference))
