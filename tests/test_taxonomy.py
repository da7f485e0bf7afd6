"""This repository's own leaves, those of its examples and benchmarks, and the tree in the README."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from pipelines.check import check
from pipelines.check.policy import load_policy
from pipelines.leaves import WorkTree, read_leaves
from pipelines.records import Leaf
from pipelines.text import normalise

ROOT = Path(__file__).parents[1]
TREES = ("taxonomy", "docs/examples/taxonomy", "benchmarks/leaves/taxonomy")
DEEPEST = 8  # columns before a name in the README's tree
SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


def leaves(tree: str) -> dict[str, Leaf]:
    return read_leaves(WorkTree(ROOT / tree))


def texts(leaf: Leaf) -> str:
    """Everything that a leaf's seeds say."""
    told = [
        text
        for seed in leaf.seeds
        for text in (
            seed.context,
            *(t for pair in seed.pairs for t in (pair.question, pair.answer)),
        )
    ]
    return "\n".join(told)


@pytest.mark.parametrize("tree", TREES)
def test_every_leaf_passes_the_check(tree: str) -> None:
    result = check(WorkTree(ROOT / tree), load_policy(ROOT / "graft.yaml"))
    assert result.findings == ()
    assert result.checked == len(leaves(tree)) > 0


def test_enough_leaves_of_every_kind() -> None:
    found = leaves("taxonomy")
    assert len(found) >= 30
    kinds = Counter((path.split("/")[0], leaf.kind) for path, leaf in found.items())
    assert kinds["knowledge", "knowledge"] >= 12
    assert kinds["compositional_skills", "freeform_skill"] >= 6
    assert kinds["compositional_skills", "grounded_skill"] >= 6
    assert sum(count for (top, _), count in kinds.items() if top == "foundational_skills") >= 6


@pytest.mark.parametrize("tree", TREES)
def test_documents_are_long_enough_to_teach_and_short_enough_to_read(tree: str) -> None:
    knowledge = [leaf for leaf in leaves(tree).values() if leaf.kind == "knowledge"]
    assert knowledge
    for leaf in knowledge:
        assert leaf.document is not None
        assert (leaf.document.repo, leaf.document.commit) == (".", "HEAD")
        for document in leaf.documents:
            words = (ROOT / tree / document.path).read_text(encoding="utf-8").split()
            assert 600 <= len(words) <= 1500, document.path


@pytest.mark.parametrize("tree", TREES)
def test_every_leaf_names_where_it_comes_from_and_has_an_exam(tree: str) -> None:
    for path, leaf in leaves(tree).items():
        assert leaf.attribution, path
        assert len(leaf.seeds) >= 4, path


def test_a_script_without_spaces_and_one_from_right_to_left() -> None:
    spaceless = right_to_left = 0
    for leaf in leaves("taxonomy").values():
        letters = [character for character in texts(leaf) if character.isalpha()]
        names = [unicodedata.name(letter, "") for letter in letters]
        spaceless += 2 * sum(name.startswith(SPACELESS) for name in names) > len(letters)
        backward = [unicodedata.bidirectional(letter) in ("R", "AL") for letter in letters]
        right_to_left += 2 * sum(backward) > len(letters)
    assert spaceless >= 1
    assert right_to_left >= 1


def test_no_question_is_asked_by_two_leaves() -> None:
    asked: dict[str, str] = {}
    for tree in TREES:
        for path, leaf in leaves(tree).items():
            for seed in leaf.seeds:
                context = "" if leaf.kind == "knowledge" else seed.context
                for pair in seed.pairs:
                    other = asked.setdefault(normalise(f"{context} {pair.question}"), path)
                    assert other == path, pair.question


def test_examples_are_not_in_the_taxonomy() -> None:
    there = {leaf.content_hash for leaf in leaves("taxonomy").values()}
    for tree in TREES[1:]:
        assert there.isdisjoint(leaf.content_hash for leaf in leaves(tree).values())


# --- the README ----------------------------------------------------------------------------------


def annotated_tree() -> list[str]:
    """The paths in the left column of the README's tree, in its order."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split("## The tree", 1)[1].split("\n\n")[1]
    found: list[str] = []
    folders: list[tuple[int, str]] = []
    for line in block.splitlines():
        depth = len(line) - len(line.lstrip())
        if depth > DEEPEST:  # a remark that goes on
            continue
        folders = [(at, name) for at, name in folders if at < depth]
        above = "".join(name for _, name in folders)
        columns = re.split(r"\s{2,}", line.strip())
        for name in itertools.takewhile(re.compile(r"[\w.-]+(/|\.\w+)").fullmatch, columns):
            found.append(above + name)
            if name.endswith("/"):
                folders.append((depth, name))
    return found


def test_the_annotated_tree_names_what_is_there() -> None:
    paths = annotated_tree()
    assert {"taxonomy/knowledge/", "pipelines/run.py", "pipelines/text.py", "tests/"} <= set(paths)
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert missing == []
    assert [path for path in paths if path.endswith("/") and not (ROOT / path).is_dir()] == []


def test_the_annotated_tree_leaves_no_module_out() -> None:
    """A folder below ``pipelines/`` that a reader meets is one that the README tells of."""
    told = set(annotated_tree())
    folders = {f"pipelines/{p.parent.name}/" for p in (ROOT / "pipelines").glob("*/__init__.py")}
    assert folders <= told
