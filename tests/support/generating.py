"""The generate stage in a process of its own, against a server: to be killed or stopped.

    python -m tests.support.generating TAXONOMY OUT STORE URL CONCURRENCY

In: a taxonomy of which every skill seed is shown, an OpenAI-compatible server. Out: a dataset in OUT, which
must not exist yet. ``many_leaves`` writes such a taxonomy.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipelines.backends import open_backend
from pipelines.documents import documents
from pipelines.exam import split
from pipelines.generate import Teaching, generate
from pipelines.generate.completions import Completions
from pipelines.leaves import WorkTree, read_leaves
from pipelines.recipe import Recipe, Teacher, load_recipe
from pipelines.records import ExamSplit, Leaf
from tests.support.repositories import SkillSeed, knowledge_leaf, skill_leaf

FAST = Path(__file__).parent / "fast.yaml"


def many_leaves(root: Path, skills: int, seeds: int) -> WorkTree:
    """A leaf about tides and ``skills`` leaves of ``seeds`` examples each; one call a seed."""
    knowledge_leaf(root, "knowledge/earth/tides")
    for leaf in range(skills):
        examples: list[SkillSeed] = [
            ("", f"Name thing {number} of list {leaf}.", f"It is {number * 7 + leaf}.")
            for number in range(seeds)
        ]
        skill_leaf(root, f"compositional_skills/lists/list{leaf}", seeds=examples)
    return WorkTree(root)


def work_of(tree: WorkTree) -> dict[str, tuple[Leaf, ExamSplit]]:
    """Every leaf with its split; of skills everything is shown, so that the calls can be counted."""
    found = {}
    for leaf in read_leaves(tree).values():
        ids = tuple(sorted(seed.id for seed in leaf.seeds))
        sides = split(leaf, None, None) if leaf.kind == "knowledge" else ExamSplit((), ids)
        found[leaf.content_hash] = (leaf, sides)
    return found


def recipe(url: str, concurrency: int) -> Recipe:
    whole = load_recipe(str(FAST))
    teacher = Teacher("openai_api", "stand-in", "1", url=url, concurrency=concurrency)
    return replace(whole, teacher=teacher)


def main(taxonomy: Path, out: Path, store: Path, url: str, concurrency: int) -> None:
    tree = WorkTree(taxonomy)
    chosen = recipe(url, concurrency)
    out.mkdir()
    with Completions(store) as answers:
        teaching = Teaching(chosen, answers, open_backend(chosen.teacher))
        generate(work_of(tree), partial(documents, tree), teaching, out, lambda line: None)
    print(answers.made, answers.reused)


if __name__ == "__main__":
    folder, place, file, address, most = sys.argv[1:]
    main(Path(folder), Path(place), Path(file), address, int(most))
