"""Near duplicates among the texts of one leaf, by ROUGE-L.

In: texts in their order. Out: which of them stay: each that is not nearly an earlier one that stays. The
work is quadratic, in C: 5,000 questions take about a second.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.text import tokens


def firsts(texts: Sequence[str], threshold: float) -> list[bool]:
    """For each text whether it stays. Those with other numbers than all before it do."""
    from rapidfuzz import process
    from rapidfuzz.distance import Indel

    letters: dict[str, str] = {}
    kept: dict[tuple[str, ...], dict[str, None]] = {}  # by the numbers in them
    stays = []
    for text in texts:
        words = tokens(text)
        numbers = tuple(sorted(word for word in words if any(map(str.isdigit, word))))
        # A letter a token: the same figure, and strings are compared fastest. 1 - edits without
        # replacement / both lengths = 2 * longest common subsequence / both lengths: ROUGE-L's F.
        word = "".join([letters.setdefault(token, chr(len(letters) + 1)) for token in words])
        beside = kept.setdefault(numbers, {})
        near = word in beside or process.extractOne(
            word, beside.keys(), scorer=Indel.normalized_similarity, score_cutoff=threshold
        )
        stays.append(not near)
        if not near:
            beside[word] = None
    return stays
