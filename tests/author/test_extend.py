"""Adding seeds to a leaf that is there: its own lines stay as they are, to the byte."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import yaml

from pipelines.author.extend import context_wanted, extended, known_seeds
from pipelines.author.leaf import NewSeed
from pipelines.errors import GraftError
from pipelines.records import QuestionAnswer
from pipelines.yaml_source import read_yaml

ROOT = Path(__file__).parents[2]
LEAVES = sorted((ROOT / "taxonomy").rglob("qna.yaml"))

SKILL = """\
# a comment at the top
version: 3
seed_examples:   # and one here
  - question: "Q1?"
    answer: |
      A1

      # no comment
  # a comment between
  - question: Q2?
    answer: 'A2'  # why
  # at the end

task_description: t
"""
KNOWLEDGE = """\
version: 3
seed_examples:
- context: >-
    One
    two
  questions_and_answers:
  - question: Q1?
    answer: A1
- context: |
    Three

  questions_and_answers:
    - {question: "Q2?", answer: A2}
domain: d
"""


def seed(number: int, context: str = "") -> NewSeed:
    return NewSeed(context, (QuestionAnswer(f"New {number}?", f"- {number}"),))


def added_lines(old: str, new: str) -> list[str]:
    """The lines that are new, after seeing that no old one is gone."""
    changed = [
        line for line in difflib.ndiff(old.splitlines(), new.splitlines()) if line[0] in "+-"
    ]
    assert all(line.startswith("+ ") for line in changed), changed
    return [line[2:] for line in changed]


def test_a_skill_gets_seeds_and_keeps_its_comments() -> None:
    new = extended(SKILL.encode(), "x", [seed(1), seed(2)], knowledge=False).decode()
    assert added_lines(SKILL, new) == [
        "  - question: New 1?", '    answer: "- 1"', "  - question: New 2?", '    answer: "- 2"',
    ]  # fmt: skip
    questions = [found["question"] for found in yaml.safe_load(new)["seed_examples"]]
    assert questions == ["Q1?", "Q2?", "New 1?", "New 2?"]
    assert new.endswith('    answer: "- 2"\n  # at the end\n\ntask_description: t\n')


def test_a_context_that_is_there_gets_the_pair_and_another_is_a_seed_of_its_own() -> None:
    seeds = [seed(1, "Four\n"), seed(2, "One two"), seed(3, "Three"), seed(4, "Five\n")]
    new = extended(KNOWLEDGE.encode(), "x", seeds, knowledge=True).decode()
    added_lines(KNOWLEDGE, new)
    found = yaml.safe_load(new)["seed_examples"]
    asked = [[pair["question"] for pair in s["questions_and_answers"]] for s in found]
    assert asked == [["Q1?", "New 2?"], ["Q2?", "New 3?"], ["New 1?"], ["New 4?"]]
    assert found[2]["context"] == "Four\n"


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.parent.name)
def test_every_leaf_of_this_repository_can_be_extended(path: Path) -> None:
    old = path.read_text(encoding="utf-8")
    data = yaml.safe_load(old)
    knowledge = "domain" in data
    context = data["seed_examples"][1].get("context", "")
    seeds = [seed(1, context), seed(2, "Quite another context.\n" if context else "")]
    new = extended(path.read_bytes(), "x", seeds, knowledge=knowledge).decode()
    assert len(added_lines(old, new)) >= 4
    after = yaml.safe_load(new)
    assert len(after["seed_examples"]) == len(data["seed_examples"]) + (1 if knowledge else 2)
    assert {key: after[key] for key in data if key != "seed_examples"} == {
        key: data[key] for key in data if key != "seed_examples"
    }


@pytest.mark.parametrize("ends", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark_stay(ends: str, mark: bytes) -> None:
    old = mark + SKILL.replace("\n", ends).encode()
    new = extended(old, "x", [seed(1)], knowledge=False)
    assert new.startswith(mark + b"# a")
    assert new.count(b"\n") == old.count(b"\n") + 2
    assert (b"\r\n" in new) == (ends == "\r\n")
    reading = read_yaml(new, "x")
    assert reading.source is not None
    assert len(reading.source.data["seed_examples"]) == 3


def test_a_file_without_a_last_newline() -> None:
    old = b"version: 3\nseed_examples:\n  - question: q\n    answer: a"
    new = extended(old, "x", [seed(1)], knowledge=False)
    assert new == old + b'\n  - question: New 1?\n    answer: "- 1"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed_examples: [{question: q, answer: a}]\n", "cannot be added to safely"),
        ('{"seed_examples": [{"question": "q", "answer": "a"}]}\n', "cannot be added to safely"),
        ("seed_examples: 7\n", "no list of seeds"),
        ("version: 3\n", "no list of seeds"),
        ("- a\n", "no list of seeds"),
        ("seed_examples: [\n", "x:"),
        ("seed_examples:\n  - &a {}\n", "anchor"),
        ("", "empty"),
    ],
)
def test_a_form_that_cannot_be_extended_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(GraftError, match=words):
        extended(text.encode(), "x", [seed(1)], knowledge=False)


def test_a_file_that_would_be_too_large_is_refused() -> None:
    large = NewSeed("", (QuestionAnswer("q?", "a" * 262_000),))
    with pytest.raises(GraftError, match="larger than 256 kB"):
        extended(SKILL.encode(), "x", [large], knowledge=False)


def test_what_the_leaf_itself_asks_of_a_new_seed() -> None:
    known = known_seeds(yaml.safe_load(SKILL))
    assert [pair.question for s in known for pair in s.pairs] == ["Q1?", "Q2?"]
    assert context_wanted(known, knowledge=False) == "none"
    assert context_wanted([seed(1, "c")], knowledge=False) == "needed"
    assert context_wanted([seed(1, "c"), seed(2)], knowledge=False) == "allowed"
    assert context_wanted(known_seeds(yaml.safe_load(KNOWLEDGE)), knowledge=True) == "needed"
