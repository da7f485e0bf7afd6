"""Rule `schema`: each violation at its own place, in words; the verdicts of the field notes."""

from pathlib import Path

import pytest

from tests.check.builders import (
    knowledge,
    run,
    skill,
    told,
    write_knowledge,
    write_skill,
)


def messages(root: Path) -> list[str]:
    return [finding.message for finding in run(root).findings]


@pytest.mark.parametrize(
    "version", ['"3"', "abc", "", "[3]", ".nan", ".inf", "true", "0", "4", "-1", "2.5"]
)
def test_versions_that_are_none(tmp_path: Path, version: str) -> None:
    write_skill(tmp_path, skill().replace("version: 3", f"version: {version}".rstrip()))
    ((rule, line, _),) = told(tmp_path)
    assert (rule, line) == ("schema", 1)


@pytest.mark.parametrize("version", [None, 1, 2, 3])
def test_skills_of_all_versions_pass(tmp_path: Path, version: int | None) -> None:
    write_skill(tmp_path, skill(version))
    assert told(tmp_path) == []


def test_what_only_version_1_allows(tmp_path: Path) -> None:
    old = skill(None, seeds=1).replace("Rhyme.", '""')
    twice = "  - question: What rhymes with 0?\n    answer: Word 0.\n"
    write_skill(tmp_path, old + twice)
    assert not run(tmp_path).failed
    write_skill(tmp_path, "version: 2\n" + old + twice)
    assert told(tmp_path) == [("schema", 3, 19), ("schema", 4, 1), ("schema", 7, 5)]


@pytest.mark.parametrize(
    "value",
    ["Yes", "42", "2024-01-02", "12:30:45", ".nan", "", "!!binary aGk=", '""', "[a]", "{a: b}"],
)
def test_an_answer_that_is_not_text(tmp_path: Path, value: str) -> None:
    write_skill(tmp_path, skill().replace("answer: Word 2.", f"answer: {value}".rstrip()))
    ((rule, line, _),) = told(tmp_path)
    assert (rule, line) == ("schema", 10)
    assert "`answer` in seed example 3" in messages(tmp_path)[0]


def test_all_violations_at_once_each_at_its_place(tmp_path: Path) -> None:
    content = skill().replace("created_by: ada\n", "").replace("answer: Word 1.", "anwser: x")
    write_skill(tmp_path, content + "surplus: 1\n")
    assert told(tmp_path) == [
        ("schema", 1, 1),
        ("schema", 6, 5),
        ("schema", 7, 5),
        ("schema", 14, 1),
    ]
    found = run(tmp_path).findings
    assert found[0].message == "The top of the file lacks `created_by`."
    assert found[1].message == "Seed example 2 lacks `answer`."
    assert found[2].hint == "Is `answer` meant?"
    assert "`surplus`" in found[3].message


def test_two_missing_keys_are_told_once_each(tmp_path: Path) -> None:
    write_skill(tmp_path, "version: 3\n")
    assert sorted(messages(tmp_path)) == [
        "The top of the file lacks `created_by`.",
        "The top of the file lacks `seed_examples`.",
        "The top of the file lacks `task_description`.",
    ]


def test_knowledge_passes_and_allows_more_in_a_question_only(tmp_path: Path) -> None:
    pair = "        answer: It is 0.\n"
    write_knowledge(tmp_path, knowledge().replace(pair, pair + "        1: more\n", 1))
    assert told(tmp_path) == []
    write_knowledge(tmp_path, knowledge() + "  more: x\n")
    assert [rule for rule, _, _ in told(tmp_path)] == ["schema"]


@pytest.mark.parametrize("version", [1, 2])
def test_old_knowledge_is_one_error(tmp_path: Path, version: int) -> None:
    write_knowledge(tmp_path, knowledge(version) + "surplus: x\n")
    assert told(tmp_path) == [("schema", 1, 10)]


def test_knowledge_must_not_have_a_task_description(tmp_path: Path) -> None:
    write_knowledge(tmp_path, knowledge() + "task_description: x\n")
    (finding,) = run(tmp_path).findings
    assert "domain" in finding.hint


@pytest.mark.parametrize("commit", ["1234567", "0123456", "1234.5e+6"])
def test_a_commit_that_yaml_reads_as_a_number(tmp_path: Path, commit: str) -> None:
    write_knowledge(tmp_path, knowledge().replace("HEAD", commit))
    assert [rule for rule, _, _ in told(tmp_path)] == ["schema"]


def test_a_commit_that_only_looks_like_a_number(tmp_path: Path) -> None:
    write_knowledge(tmp_path, knowledge().replace("HEAD", "12345e6"))
    assert [rule for rule, _, _ in told(tmp_path)] == ["document-commit"]


def test_a_skill_below_a_folder_named_knowledge_is_read_as_knowledge(tmp_path: Path) -> None:
    write_skill(tmp_path, path="compositional_skills/knowledge/rhymes")
    assert any("`domain`" in message for message in messages(tmp_path))


def test_a_knowledge_leaf_among_skills_is_one_finding(tmp_path: Path) -> None:
    write_knowledge(tmp_path, path="compositional_skills/grounded/rivers")
    (finding,) = (one for one in run(tmp_path).findings if one.rule == "schema")
    assert finding.hint == "Move the folder below `knowledge/`."


def test_foundational_skills_need_no_version(tmp_path: Path) -> None:
    write_skill(tmp_path, skill(None), path="foundational_skills/reasoning/logic")
    assert told(tmp_path) == []


def test_many_distinct_seeds_are_compared_in_linear_time(tmp_path: Path) -> None:
    # Each pair compared would be more than 100 million comparisons, which take minutes.
    many = "".join(f"  - {{question: q, answer: a{number}}}\n" for number in range(7_000))
    again = "  - {question: q, answer: a0}\n"
    write_skill(tmp_path, skill(seeds=0) + many + again)
    (finding,) = (found for found in run(tmp_path).findings if found.rule == "schema")
    assert finding.line == 4 + 7_001


def test_many_unknown_keys_are_placed_in_linear_time(tmp_path: Path) -> None:
    write_skill(tmp_path, skill() + "".join(f"k{number}: 1\n" for number in range(20_000)))
    findings = [finding for finding in run(tmp_path).findings if finding.rule == "schema"]
    # Of very many the first hundred are told.
    assert [finding.line for finding in findings] == list(range(15, 115))


def test_repeated_seeds_name_the_one_they_repeat(tmp_path: Path) -> None:
    seed = "  - question: What rhymes with 1?\n    answer: Word 1.\n"
    write_skill(tmp_path, skill() + seed)
    (finding,) = run(tmp_path).findings
    assert finding.line == 15
    assert "2" in finding.message
    assert "6" in finding.message


def test_fewer_seeds_than_needed_points_at_the_key(tmp_path: Path) -> None:
    write_skill(tmp_path, skill(seeds=4))
    assert told(tmp_path) == [("schema", 4, 1)]


def test_a_document_without_repo_is_a_schema_finding_alone(tmp_path: Path) -> None:
    write_knowledge(tmp_path, knowledge().replace('  repo: "."\n', ""))
    (finding,) = run(tmp_path).findings
    assert finding.rule == "schema"
    assert "`repo`" in finding.message


def test_document_of_the_wrong_type_crashes_no_rule(tmp_path: Path) -> None:
    content = knowledge().split("document:")[0] + "document: danube.md\n"
    write_knowledge(tmp_path, content)
    assert [rule for rule, _, _ in told(tmp_path)] == ["schema"]
