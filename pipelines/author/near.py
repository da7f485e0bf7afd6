"""Questions of the tree that are close to one that is being written.

In: a tree and a question. Out: the leaves that ask nearly the same. A plain comparison with every
question there is: enough for a person who types; ``check`` has the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from pipelines.author.scalars import on_one_line
from pipelines.leaves import LEAF_FILE
from pipelines.records import Tree
from pipelines.text import normalise, too_close
from pipelines.yaml_source import read_yaml

_SHOWN = 3
_CUTOFF = 60  # rapidfuzz's ratio: what may pass `too_close` at all
MOST_LEAVES = 5000  # read before the first question; a larger tree has its index in `check`


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that a leaf of the tree asks."""

    question: str
    answer: str
    leaf: str

    def __str__(self) -> str:
        return on_one_line(f"{self.leaf} asks: {self.question[:200]} ({self.answer[:60]})")


class Questions:
    """The questions of a tree, read at the first look. ``left_out`` leaves were too many."""

    def __init__(self, tree: Tree, leaves: list[str]) -> None:
        self._tree = tree
        self._leaves = leaves[:MOST_LEAVES]
        self.left_out = len(leaves) - len(self._leaves)
        self._known: list[Asked] | None = None
        self._normal: list[str] = []

    def near(self, question: str) -> list[Asked]:
        """At most three that ask nearly the same, the nearest first."""
        if self._known is None:
            self._known = [asked for leaf in self._leaves for asked in self._read(leaf)]
            self._normal = [normalise(asked.question) for asked in self._known]
        found = process.extract(
            normalise(question), self._normal, scorer=fuzz.ratio, score_cutoff=_CUTOFF, limit=20
        )
        near = [self._known[place] for _, _, place in found]
        return [asked for asked in near if too_close(asked.question, question)][:_SHOWN]

    def _read(self, leaf: str) -> Iterator[Asked]:
        file = f"{leaf}/{LEAF_FILE}"
        try:
            source = read_yaml(self._tree.read(file), file).source
        except OSError:
            return
        data = source.data if source else None
        seeds = data.get("seed_examples") if isinstance(data, dict) else None
        for seed in seeds if isinstance(seeds, list) else ():
            if not isinstance(seed, dict):
                continue
            pairs = seed.get("questions_and_answers", [seed])
            for pair in pairs if isinstance(pairs, list) else ():
                if isinstance(pair, dict) and isinstance(pair.get("question"), str):
                    yield Asked(pair["question"], str(pair.get("answer", "")), leaf)
