"""Numeric match: whether answer and reference name the same numbers, however they are written.

An answer with a number too many fails like one with a number too few: "1881 or 1882" is no answer.
"""

from __future__ import annotations

from pipelines.evaluate.numbers import Number, numbers, same


def score(answer: str, reference: str) -> float | None:
    """0.0 or 1.0; None where the reference holds no number, so that there is nothing to match."""
    wanted = numbers(reference)
    if not wanted:
        return None
    given = numbers(answer)
    return float(_covers(given, wanted) and _covers(wanted, given))


def _covers(these: list[Number], those: list[Number]) -> bool:
    """Whether each of ``those`` is among ``these``; said twice is said once."""
    return all(any(same(one, other) for one in these) for other in those)
