"""Rules about the texts of a leaf and how they go together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.check import Policy, check
from pipelines.leaves import WorkTree
from pipelines.policy import LimitPolicy
from tests.check.builders import (
    KNOWLEDGE,
    SKILL,
    knowledge,
    run,
    skill,
    told,
    write_knowledge,
    write_skill,
)

GROUNDED = "compositional_skills/grounded/writing/rhymes"


def grounded(contexts: list[str], question: str = "What is told in text {}?") -> str:
    """A skill with these contexts, "" for none."""
    head = ["version: 3", "created_by: ada", "task_description: Read.", "seed_examples:"]
    for number, context in enumerate(contexts):
        head += [f"  - question: {question.format(number)}", f"    answer: Word {number}."]
        head += [f"    context: {json.dumps(context)}"] if context else []
    return "\n".join(head) + "\n"


FIVE = [f"Text {number}." for number in range(5)]


# --- length ----------------------------------------------------------------------------------


def words(count: int) -> str:
    return " ".join(f"w{number}" for number in range(count))


@pytest.mark.parametrize(("count", "found"), [(250, []), (251, [("length", 10, 5)])])
def test_an_answer_has_250_words(
    tmp_path: Path, count: int, found: list[tuple[str, int, int]]
) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", words(count)))
    assert told(tmp_path) == found


@pytest.mark.parametrize(("count", "rules"), [(500, []), (501, ["length"])])
def test_a_context_of_knowledge_has_500(tmp_path: Path, count: int, rules: list[str]) -> None:
    write_knowledge(tmp_path, knowledge().replace("Fact 2 of the river.", words(count)))
    assert [rule for rule, _, _ in told(tmp_path)] == rules


def test_a_skill_file_has_2300_and_knowledge_may_have_more(tmp_path: Path) -> None:
    contexts = [f"{words(480)} {number}" for number in range(5)]
    write_skill(tmp_path, grounded(contexts), GROUNDED)
    assert told(tmp_path) == [("length", 1, 1)]
    write_skill(tmp_path, grounded([f"{words(440)} {n}" for n in range(5)]), GROUNDED)
    assert told(tmp_path) == []


@pytest.mark.parametrize(("count", "rules"), [(500, []), (502, ["length"])])
def test_scripts_without_spaces_count_by_the_character(
    tmp_path: Path, count: int, rules: list[str]
) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", "日本" * (count // 2)))
    assert [rule for rule, _, _ in told(tmp_path)] == rules


def test_the_policy_sets_the_limits(tmp_path: Path) -> None:
    write_skill(tmp_path, skill())
    policy = replace(Policy(), limits=replace(LimitPolicy(), question_words=3))
    found = check(WorkTree(tmp_path), policy).findings
    assert [f.rule for f in found] == ["length"] * 5
    assert "4 words" in found[0].message


# --- repeated-text ---------------------------------------------------------------------------


def test_the_same_question_in_two_contexts_of_knowledge(tmp_path: Path) -> None:
    content = knowledge().replace("What is 3.1?", "what  is 0.1")
    write_knowledge(tmp_path, content.replace("It is 1.", "It is one.", 1))
    found = {f.rule: f for f in run(tmp_path).findings}
    assert "in seed example 1, question 2" in found["repeated-text"].message
    assert "keep one" in found["repeated-text"].hint


def test_the_same_context_twice(tmp_path: Path) -> None:
    write_knowledge(tmp_path, knowledge().replace("Fact 3", "Fact 1"))
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.severity) == ("repeated-text", "warning")
    assert "in seed example 2" in finding.message
    write_skill(tmp_path, grounded([*FIVE[:4], FIVE[1].upper()]), GROUNDED)
    assert [f.path for f in run(tmp_path).findings if f.rule == "repeated-text"] == [
        f"{GROUNDED}/qna.yaml",
        f"{KNOWLEDGE}/qna.yaml",
    ]


def test_a_skill_may_ask_the_same_of_many_contexts(tmp_path: Path) -> None:
    write_skill(tmp_path, grounded(FIVE, "What is told?"), GROUNDED)
    assert told(tmp_path) == []
    write_skill(tmp_path, skill().replace("rhymes with 3?", "rhymes with 1?"))
    assert told(tmp_path) == [("repeated-text", 11, 15)]


def test_equal_seeds_are_the_schemas_matter_but_for_version_1(tmp_path: Path) -> None:
    twice = "  - question: What rhymes with 0?\n    answer: Word 0.\n"
    write_skill(tmp_path, skill() + twice)
    assert [rule for rule, _, _ in told(tmp_path)] == ["schema"]
    write_skill(tmp_path, skill(None) + twice)
    assert [rule for rule, _, _ in told(tmp_path)] == ["repeated-text"]


# --- echoed-question, unsupported-answer -----------------------------------------------------


def test_an_answer_that_is_the_question(tmp_path: Path) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", "what rhymes with 2"))
    assert told(tmp_path) == [("echoed-question", 10, 13)]
    write_skill(tmp_path, skill().replace("Word 2.", "What rhymes with 2? Word 2."))
    assert told(tmp_path) == []


CONTEXT = "In 1902 the keeper rowed 12 miles; 灯台は海岸の近くに立っています。 Маяк стоит у моря."


@pytest.mark.parametrize(
    "answer",
    [
        "the keepers were rowing 12 miles",
        "In the year 1902",
        "Yes, because it was dark.",
        "No.",
        "海岸の近く",
        "у моря",
        "what happened in the test year",
        "a b c in",
    ],
)
def test_answers_that_the_context_supports(tmp_path: Path, answer: str) -> None:
    content = knowledge().replace("Fact 2 of the river.", f"'{CONTEXT}'")
    content = content.replace("What is 2.1?", "What happened in the test year, a b c?")
    before, after = content.split("in the test year, a b c?", 1)
    after = after.replace("It is 1.", answer, 1).replace("It is 2.", "1902", 1)
    write_knowledge(tmp_path, f"{before}in the test year, a b c?{after}")
    assert "unsupported-answer" not in [f.rule for f in run(tmp_path).findings if f.line == 29]


@pytest.mark.parametrize("answer", ["in 1903", "the captain swam ashore", "東京の駅前", "Москва"])
def test_answers_that_it_does_not(tmp_path: Path, answer: str) -> None:
    content = knowledge().replace("Fact 2 of the river.", f"'{CONTEXT}'")
    lines = content.split("\n")
    at = lines.index("      - question: What is 2.1?")
    lines[at : at + 2] = ["      - question: What was there?", f"        answer: {answer}"]
    write_knowledge(tmp_path, "\n".join(lines))
    assert ("unsupported-answer", at + 2, 17) in told(tmp_path)


# --- contexts and the place in the tree ------------------------------------------------------


def test_seeds_with_and_without_context(tmp_path: Path) -> None:
    write_skill(tmp_path, grounded([*FIVE[:3], "", FIVE[4]]), GROUNDED)
    assert told(tmp_path) == [("mixed-context", 14, 5)]
    write_skill(tmp_path, grounded(["", "", "", "One.", ""]), GROUNDED)
    assert told(tmp_path) == [("mixed-context", 11, 5)]


def test_grounded_in_the_path_and_no_context_and_the_reverse(tmp_path: Path) -> None:
    write_skill(tmp_path, skill(), GROUNDED)
    assert told(tmp_path) == [("grounded-path", 4, 1)]
    write_skill(tmp_path, grounded(FIVE), GROUNDED)
    write_skill(tmp_path, grounded([f"{c} More." for c in FIVE]), SKILL)
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.line, finding.path) == ("grounded-path", 7, f"{SKILL}/qna.yaml")
    assert f"`{GROUNDED}`" in finding.hint


def test_foundational_skills_and_knowledge_have_no_such_folder(tmp_path: Path) -> None:
    write_skill(tmp_path, grounded(FIVE), "foundational_skills/reasoning/texts")
    write_skill(tmp_path, skill(), "compositional_skills/well_grounded")
    write_knowledge(tmp_path)
    assert told(tmp_path) == []


# --- cut-text --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "column", "whole"),
    [
        ("C #1", 15, '"C #1"'),
        ("the major scale of C # minor", 34, '"the major scale of C # minor"'),
        ('say "hi" #2', 22, '"say \\"hi\\" #2"'),
    ],
)
def test_text_that_a_comment_cuts_short(
    tmp_path: Path, value: str, column: int, whole: str
) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", value))
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.line, finding.column) == ("cut-text", 10, column)
    assert finding.hint.startswith(f"Write {whole};")


@pytest.mark.parametrize(
    "value",
    [
        '"C #1"',
        "'C #1' # the note",
        "|  # as it is\n      C #1",
        "C#1",
        "C\n    # a remark",
        "a,#b",
    ],
)
def test_comments_that_cut_nothing(tmp_path: Path, value: str) -> None:
    content = skill().replace("Word 2.", value).replace("version: 3", "version: 3 # the newest")
    write_skill(tmp_path, "# Made by hand\n" + content)
    assert told(tmp_path) == []


def test_a_long_text_is_not_written_out(tmp_path: Path) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", "long " * 30 + "#2"))
    assert run(tmp_path).findings[0].hint.startswith("Put the text in quotes;")


# --- created-by ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ada@mail.org", "Ada <ada@mail.org>", "'mail: ada@mail.org'"])
def test_an_address_in_created_by(tmp_path: Path, name: str) -> None:
    write_skill(tmp_path, skill().replace("by: ada", f"by: {name}"))
    assert told(tmp_path) == [("created-by", 2, 13)]


@pytest.mark.parametrize("name", ["'@ada'", "ada_at_mail_org", "Ada L. @ Graft", "阿达"])
def test_names_in_created_by(tmp_path: Path, name: str) -> None:
    write_skill(tmp_path, skill().replace("by: ada", f"by: {name}"))
    assert told(tmp_path) == []
