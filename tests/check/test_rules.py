"""The other rules, and how `check` gathers: paths, prefix, crashing rules."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.check import RULES, Policy, check, load_policy
from pipelines.check.subject import LeafRule, LeafSubject, TreeRule, TreeSubject
from pipelines.leaves import WorkTree, read_leaves
from pipelines.records import Finding
from tests.check.builders import (
    ATTRIBUTION,
    KNOWLEDGE,
    SKILL,
    knowledge,
    run,
    skill,
    told,
    write,
    write_knowledge,
    write_skill,
)

ROOT = Path(__file__).parents[2]


def rules(root: Path) -> list[str]:
    return [finding.rule for finding in run(root).findings]


# --- whitespace ------------------------------------------------------------------------------


def test_spaces_at_line_ends_inside_blocks_too(tmp_path: Path) -> None:
    content = skill().replace("Rhyme.", "|\n  a  \n  b").replace("ada", "ada  ")
    write_skill(tmp_path, content)
    assert told(tmp_path) == [("whitespace", 2, 16), ("whitespace", 4, 4)]


def test_no_newline_at_the_end(tmp_path: Path) -> None:
    write_skill(tmp_path, skill().rstrip("\n"))
    assert told(tmp_path) == [("whitespace", 14, 20)]


def test_version_1_is_only_warned(tmp_path: Path) -> None:
    write_skill(tmp_path, skill(None).rstrip("\n"))
    result = run(tmp_path)
    assert [finding.severity for finding in result.findings] == ["warning"]
    assert not result.failed


# --- attribution -----------------------------------------------------------------------------


def test_attribution_missing_and_empty(tmp_path: Path) -> None:
    write_skill(tmp_path)
    write(tmp_path, f"{SKILL}/attribution.txt", " \n")
    assert rules(tmp_path) == ["attribution"]
    (tmp_path / SKILL / "attribution.txt").unlink()
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.severity) == ("attribution", "error")
    assert finding.path == f"{SKILL}/qna.yaml"


def test_a_licence_outside_the_policy_is_shown_at_its_line(tmp_path: Path) -> None:
    write_skill(tmp_path)
    second = ATTRIBUTION.replace("CC0-1.0", "WTFPL").replace("Link to work", "Link to the work")
    write(tmp_path, f"{SKILL}/attribution.txt", ATTRIBUTION + "\n" + second)
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.line) == ("attribution", 8)
    assert finding.path == f"{SKILL}/attribution.txt"
    permitted = replace(Policy(), licences=("WTFPL", "CC0-1.0"))
    assert check(WorkTree(tmp_path), permitted).findings == ()


def test_an_incomplete_block(tmp_path: Path) -> None:
    write_skill(tmp_path)
    write(tmp_path, f"{SKILL}/attribution.txt", "see below\nTitle of work: X\nCreator names:\n")
    found = [(finding.line, finding.message) for finding in run(tmp_path).findings]
    assert [line for line, _ in found] == [1, 2, 2, 2]
    assert any("`Creator names:`" in message for _, message in found)


def test_attribution_in_another_encoding(tmp_path: Path) -> None:
    write_skill(tmp_path)
    write(tmp_path, f"{SKILL}/attribution.txt", ATTRIBUTION.encode() + b"\xe9")
    assert rules(tmp_path) == ["attribution"]


# --- documents -------------------------------------------------------------------------------


def test_a_pattern_that_matches_nothing(tmp_path: Path) -> None:
    write_knowledge(tmp_path, knowledge().replace("*.md", "rhine.md"))
    assert told(tmp_path) == [("documents", len(knowledge().splitlines()), 7)]


def test_rtf_is_no_document_though_it_is_text(tmp_path: Path) -> None:
    write_knowledge(tmp_path, knowledge().replace("*.md", "danube.rtf"))
    write(tmp_path, f"{KNOWLEDGE}/danube.rtf", r"{\rtf1\ansi The Danube is a river.\par}")
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.path) == ("documents", f"{KNOWLEDGE}/danube.rtf")
    assert "is RTF, whose commands would be taught" in finding.message


@pytest.mark.parametrize("pattern", ["qna.yaml", "attribution.txt", "*/danube.md"])
def test_patterns_name_documents_inside_the_leaf_only(tmp_path: Path, pattern: str) -> None:
    write_knowledge(tmp_path, knowledge().replace("*.md", pattern))
    assert rules(tmp_path) == ["documents"]


def test_documents_in_another_repository_are_not_looked_for(tmp_path: Path) -> None:
    remote = knowledge().replace('repo: "."', "repo: https://example.org/x").replace("*.md", "x.md")
    write_knowledge(tmp_path, remote.replace("HEAD", "a1" * 20))
    assert told(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b" \n", b"caf\xe9\n"])
def test_documents_are_text(tmp_path: Path, content: bytes) -> None:
    write_knowledge(tmp_path)
    write(tmp_path, f"{KNOWLEDGE}/danube.md", content)
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.path) == ("documents", f"{KNOWLEDGE}/danube.md")


# --- blank text ------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ['"   "', '"\\t\\n"', '"\\u200b"', '"\\u00a0"'])
def test_blank_text(tmp_path: Path, value: str) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", value))
    assert told(tmp_path) == [("blank-text", 10, 13)]


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["qna.yml", "QNA.yaml", "qna.yaml.txt", "Qna.YML", "leaf.yaml"])
def test_misnamed_leaf_files(tmp_path: Path, name: str) -> None:
    write_skill(tmp_path)
    write_skill(tmp_path, path="compositional_skills/other")
    (tmp_path / "compositional_skills/other/qna.yaml").rename(
        tmp_path / "compositional_skills/other" / name
    )
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.path) == ("file-name", f"compositional_skills/other/{name}")


def test_a_folder_called_qna_yaml(tmp_path: Path) -> None:
    write(tmp_path, "knowledge/x/qna.yaml/qna.txt", "x")
    write(tmp_path, "knowledge/x/attribution.txt", ATTRIBUTION)
    assert rules(tmp_path) == ["file-name"]


def test_attribution_without_a_leaf(tmp_path: Path) -> None:
    write(tmp_path, "knowledge/x/attribution.txt", ATTRIBUTION)
    assert rules(tmp_path) == ["file-name"]


def test_paths_that_differ_only_in_case(tmp_path: Path) -> None:
    write_skill(tmp_path, path="compositional_skills/writing/Rhymes")
    write_skill(tmp_path, path="compositional_skills/writing/rhymes")
    found = run(tmp_path, paths=["compositional_skills/writing/rhymes/qna.yaml"])
    assert (found.checked, [finding.rule for finding in found.findings]) == (1, ["case-clash"])
    assert rules(tmp_path) == ["case-clash", "case-clash"]


def test_paths_that_differ_only_in_unicode_form(tmp_path: Path) -> None:
    write_skill(tmp_path, path="compositional_skills/caf\u00e9")
    write_skill(tmp_path, path="compositional_skills/cafe\u0301")
    assert rules(tmp_path) == ["case-clash", "case-clash"]


def test_a_leaf_inside_a_leaf_is_told_to_whoever_adds_either(tmp_path: Path) -> None:
    inner = f"{SKILL}/deep/inner"
    write_skill(tmp_path)
    write_skill(tmp_path, path=inner)
    assert rules(tmp_path) == ["nested-leaf", "nested-leaf"]
    for path in (SKILL, inner):
        found = run(tmp_path, paths=[f"{path}/qna.yaml"]).findings
        assert f"{path}/qna.yaml" in [finding.path for finding in found]


# --- check -----------------------------------------------------------------------------------


def test_paths_choose_leaves_and_the_prefix_stands_before_them(tmp_path: Path) -> None:
    write_skill(tmp_path, skill() + " ")
    write_knowledge(tmp_path, knowledge().rstrip())
    result = run(tmp_path, paths=[f"{KNOWLEDGE}/danube.md"], prefix="my/taxonomy")
    assert result.checked == 1
    assert [finding.path for finding in result.findings] == [f"my/taxonomy/{KNOWLEDGE}/qna.yaml"]
    assert run(tmp_path, paths=["."]).checked == 2
    assert run(tmp_path, paths=["./knowledge/"]).checked == 1
    assert run(tmp_path, paths=["values.yaml"]).checked == 0
    assert run(tmp_path, paths=[]).checked == 0


def test_a_crashing_rule_is_a_finding_and_stops_no_other(tmp_path: Path) -> None:
    def leaf_crash(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
        yield Finding("odd", "warning", leaf.file, 1, 1, "Before the crash.")
        raise ZeroDivisionError("of all things")

    def tree_crash(tree: TreeSubject, policy: Policy) -> list[Finding]:
        raise KeyError("names")

    write_skill(tmp_path, skill().rstrip())
    rules = {"odd": LeafRule(leaf_crash), "names": TreeRule(tree_crash), **RULES}
    found = check(WorkTree(tmp_path), Policy(), [SKILL], "tax", rules=rules).findings
    assert [(finding.rule, finding.path) for finding in found] == [
        ("internal", "tax"),
        ("internal", f"tax/{SKILL}/qna.yaml"),
        ("odd", f"tax/{SKILL}/qna.yaml"),
        ("whitespace", f"tax/{SKILL}/qna.yaml"),
    ]
    assert "of all things" in found[1].message


def test_every_module_of_a_rule_is_registered() -> None:
    helpers = {"__init__", "about", "exceptions", "identities", "passages", "places", "policy"}
    helpers |= {"readable", "remote", "render", "schemas", "subject", "vocabulary"}
    helpers |= {"comparison", "twin_findings"}
    helpers |= {"compat", "leafwise", "parallel", "strays"}  # the flow around the rules
    modules = {path.stem for path in (ROOT / "pipelines/check").glob("*.py")} - helpers
    registered = {rule.check.__module__.rpartition(".")[2] for rule in RULES.values()}
    assert modules == registered - {"readable"}


def test_this_taxonomy_passes_and_can_be_read() -> None:
    tree = WorkTree(ROOT / "taxonomy")
    result = check(tree, load_policy(ROOT / "graft.yaml"))
    assert result.findings == ()
    assert result.checked == len(read_leaves(tree)) >= 30


def test_importing_the_checks_loads_nothing_heavy() -> None:
    code = (
        "import sys, pipelines.check, pipelines.check.render; "
        "print([m for m in ('torch', 'transformers', 'peft', 'pygit2') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_every_rule_says_what_it_is_and_is_tested() -> None:
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests/check").glob("test_*.py"))
    for rule_id, rule in RULES.items():
        assert rule.about is not None, rule_id
        assert rule.about.says.endswith("."), rule_id
        assert rule.about.mend.endswith("."), rule_id
        assert f'"{rule_id}"' in tests, rule_id
