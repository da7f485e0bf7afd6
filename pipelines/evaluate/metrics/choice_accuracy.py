"""Choice accuracy: whether a student takes the right one of some choices for the likeliest.

How likely a student finds a choice, ``backends.local`` says. Chance is one divided by their number.
"""

from __future__ import annotations


def score(chosen: str, reference: str) -> float:
    """0.0 or 1.0; the choices are four texts, so nothing is normalised."""
    return float(chosen == reference)
