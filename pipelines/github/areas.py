"""How near texts are, by the words that they share: for the area of a new leaf, and for clusters.

In: texts. Out: vectors of words weighted by how rare they are, and their cosine. Plain counting: it is
explained in a sentence, needs no model, and a person may move what it misplaces.
"""

from __future__ import annotations

import math
import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence

from pipelines.author.place import HOMES, Places
from pipelines.findings import Tree
from pipelines.leaves import LEAF_FILE
from pipelines.text import tokens

NEAR_ENOUGH = 0.06  # cosine under which no area is near
MOST_LEAVES = 2000
MOST_CHARACTERS = 20_000  # of one text
UNSORTED = "unsorted"

Vector = Mapping[str, float]


def vectors(texts: Sequence[str]) -> list[Vector]:
    """One vector of length 1 for each text."""
    counted = [Counter(_words(text)) for text in texts]
    among = Counter(word for one in counted for word in one)
    found: list[Vector] = []
    for one in counted:
        weighted = {
            word: (1 + math.log(n)) * math.log((1 + len(texts)) / among[word])
            for word, n in one.items()
        }
        length = math.sqrt(sum(value * value for value in weighted.values())) or 1.0
        found.append({word: value / length for word, value in weighted.items()})
    return found


def cosine(a: Vector, b: Vector) -> float:
    if len(b) < len(a):
        a, b = b, a
    return sum(value * b[word] for word, value in a.items() if word in b)


def _words(text: str) -> list[str]:
    """Words of some length, without the commonest ending of English plurals."""
    found = (word.casefold() for word in tokens(text[:MOST_CHARACTERS]))
    return [word.removesuffix("s") if len(word) > 4 else word for word in found if len(word) > 2]


def nearest_area(kind: str, text: str, tree: Tree, places: Places) -> str:
    """The folder whose leaves share most with ``text``; ``HOME/unsorted`` where none is near."""
    home = HOMES[kind]
    apart = f"{HOMES['grounded']}/" if kind == "freeform" else "\0"
    leaves = [
        leaf
        for leaf in sorted(places.leaves)
        if leaf.startswith(f"{home}/")
        and not leaf.startswith(apart)
        and posixpath.dirname(leaf) != home
    ][:MOST_LEAVES]
    texts = [_leaf_text(tree, leaf) for leaf in leaves]
    if not texts:
        return f"{home}/{UNSORTED}"
    wanted, *there = vectors([text, *texts])
    best = max(range(len(leaves)), key=lambda at: (cosine(wanted, there[at]), -at))
    near = cosine(wanted, there[best]) >= NEAR_ENOUGH
    return posixpath.dirname(leaves[best]) if near else f"{home}/{UNSORTED}"


def _leaf_text(tree: Tree, leaf: str) -> str:
    try:
        data = tree.read(f"{leaf}/{LEAF_FILE}").decode("utf-8", "replace")
    except OSError:
        data = ""
    return f"{leaf.replace('/', ' ').replace('_', ' ')} {data}"
