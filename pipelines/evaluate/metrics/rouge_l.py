"""ROUGE-L (Lin, 2004, W04-1013): the longest common subsequence of words, as an F measure.

Unlike token F1 it minds the order: "A before B" and "B before A" share all words and half a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.evaluate.words import words


def score(answer: str, reference: str) -> float:
    """0..1: harmonic mean of the subsequence's share of the answer and of the reference."""
    given, wanted = words(answer), words(reference)
    if not given or not wanted:
        return float(given == wanted)
    return 2 * common(given, wanted) / (len(given) + len(wanted))


def common(given: Sequence[str], wanted: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    Bit-parallel (Hyyrö, 2004): bit i of ``row`` is 0 where the subsequence grows at word i of
    ``wanted``, so an answer of a megabyte costs one addition a word.
    """
    places: dict[str, int] = {}
    for index, word in enumerate(wanted):
        places[word] = places.get(word, 0) | 1 << index
    full = (1 << len(wanted)) - 1
    row = full
    for word in given:
        met = row & places.get(word, 0)
        row = (row + met | row - met) & full
    return len(wanted) - row.bit_count()
