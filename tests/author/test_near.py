"""Questions of the tree that are near a new one; a tree of broken leaves is no obstacle."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.author.near import MOST_LEAVES, Questions
from pipelines.author.place import read_places
from pipelines.leaves import WorkTree
from tests.check.builders import KNOWLEDGE, SKILL, write, write_knowledge, write_skill


def questions(root: Path) -> Questions:
    tree = WorkTree(root)
    return Questions(tree, sorted(read_places(tree).leaves))


@pytest.mark.parametrize(
    ("asked", "leaves"),
    [
        ("what rhymes with 3", [SKILL]),
        ("What rhymes with 33?", []),  # another number is another question
        ("What is 2.1?", [KNOWLEDGE]),
        ("What about something else entirely?", []),
        ("", []),
        ("?", []),
    ],
)
def test_near_questions_of_skills_and_knowledge(
    tmp_path: Path, asked: str, leaves: list[str]
) -> None:
    write_skill(tmp_path)
    write_knowledge(tmp_path)
    assert sorted({found.leaf for found in questions(tmp_path).near(asked)}) == leaves


def test_broken_leaves_are_passed_over(tmp_path: Path) -> None:
    contents = (
        b"",
        b"[",
        b"\xff",
        b"seed_examples: 3",
        b"seed_examples: [1, {question: 2}]",
        b"- 1",
    )
    for number, content in enumerate(contents):
        write(tmp_path, f"knowledge/a/l{number}/qna.yaml", content)
    write_skill(tmp_path)
    assert [found.leaf for found in questions(tmp_path).near("What rhymes with 3?")] == [SKILL]


def test_what_a_stranger_wrote_cannot_steer_the_terminal(tmp_path: Path) -> None:
    text = 'version: 3\nseed_examples: [{question: "What \\e[2J is it?\\nNow", answer: "\\a"}]\n'
    write_skill(tmp_path, text)
    (found,) = questions(tmp_path).near("What [2J is it? Now")
    assert str(found) == f"{SKILL} asks: What \ufffd[2J is it? Now (\ufffd)"


def test_a_tree_that_is_too_large_says_how_many_leaves_were_left_out(tmp_path: Path) -> None:
    names = [f"knowledge/{n}" for n in range(MOST_LEAVES + 3)]
    (tmp_path / "knowledge").mkdir()
    assert Questions(WorkTree(tmp_path), names).left_out == 3
