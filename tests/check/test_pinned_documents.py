"""Where documents come from: pattern, repository and commit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.check import Policy, check
from pipelines.leaves import WorkTree
from pipelines.policy import DocumentPolicy
from pipelines.records import Finding
from tests.check.builders import knowledge, run, told, write_knowledge

SHA = "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"
LINES = len(knowledge().splitlines())


def remote(
    repo: str = "https://example.org/x.git", commit: str = SHA, pattern: str = "*.md"
) -> str:
    found = knowledge().replace('repo: "."', f"repo: '{repo}'").replace("HEAD", f'"{commit}"')
    return found.replace('"*.md"', f"'{pattern}'")


@pytest.mark.parametrize(
    "pattern",
    [
        "../*/danube.md",
        "/etc/passwd",
        "a/../../b.md",
        "C:/x.md",
        r"\\host\x.md",
        "~/x",
        "file:///x",
    ],
)
def test_patterns_that_lead_out(tmp_path: Path, pattern: str) -> None:
    for content in (knowledge().replace('"*.md"', f"'{pattern}'"), remote(pattern=pattern)):
        write_knowledge(tmp_path, content)
        assert told(tmp_path) == [("document-pattern", LINES, 7)]


def test_a_backslash_between_folders(tmp_path: Path) -> None:
    write_knowledge(tmp_path, remote(pattern=r"docs\x.md"))
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.hint) == ("document-pattern", "Write `docs/x.md`.")


@pytest.mark.parametrize("pattern", ["*.md", "**/x.md", "a..b.md", "docs/...", "./x.md", "…/x.md"])
def test_patterns_that_stay(tmp_path: Path, pattern: str) -> None:
    write_knowledge(tmp_path, remote(pattern=pattern))
    assert told(tmp_path) == []


@pytest.mark.parametrize(
    ("repo", "hint"),
    [
        ("http://example.org/x", "`https://example.org/x`"),
        ("git://example.org/x", "`https://example.org/x`"),
        ("ssh://git@example.org/x", "`https://example.org/x`"),
        ("git@example.org:me/x.git", "`https://example.org/me/x.git`"),
        ("example.org/me/x", "`https://example.org/me/x`"),
        ("file:///srv/x", "beside the leaf"),
        ("/srv/x", "beside the leaf"),
        ("../x", "beside the leaf"),
        ("ext::sh -c id", "beside the leaf"),
        ("the usual one", "beside the leaf"),
    ],
)
def test_repositories_that_are_not_permitted(tmp_path: Path, repo: str, hint: str) -> None:
    write_knowledge(tmp_path, remote(repo=repo))
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.line, finding.column) == ("document-repository", LINES - 3, 9)
    assert hint in finding.hint


@pytest.mark.parametrize(
    "repo", ["https://example.org/x", "HTTPS://example.org:8443/x.git", "https://[2001:db8::1]/x"]
)
def test_repositories_that_are(tmp_path: Path, repo: str) -> None:
    write_knowledge(tmp_path, remote(repo=repo))
    assert told(tmp_path) == []


def test_the_policy_says_which(tmp_path: Path) -> None:
    def found(repo: str, **documents: tuple[str, ...]) -> tuple[Finding, ...]:
        write_knowledge(tmp_path, remote(repo=repo))
        policy = replace(Policy(), documents=replace(DocumentPolicy(), **documents))
        return check(WorkTree(tmp_path), policy).findings

    assert found("git@git.corp:x/y.git", schemes=("ssh",)) == ()
    assert found("https://Git.Corp/x", hosts=("git.corp",)) == ()
    (finding,) = found("https://git.corp.evil.org/x", hosts=("git.corp",))
    assert "git.corp.evil.org" in finding.message
    (finding,) = found("https://git.corp@evil.org/x", hosts=("git.corp",))
    assert "`evil.org`" in finding.message


@pytest.mark.parametrize(
    ("commit", "word"),
    [("main", "does not pin"), ("HEAD", "does not pin"), (SHA[:7], "7 digits"), (SHA[:39], "39")],
)
def test_commits_that_pin_nothing(tmp_path: Path, commit: str, word: str) -> None:
    write_knowledge(tmp_path, remote(commit=commit))
    (finding,) = run(tmp_path).findings
    assert (finding.rule, finding.line, finding.column) == ("document-commit", LINES - 2, 11)
    assert word in finding.message


def test_commits_that_do(tmp_path: Path) -> None:
    for commit in (SHA, SHA.upper(), SHA + SHA[:24]):
        write_knowledge(tmp_path, remote(commit=commit))
        assert told(tmp_path) == []


def test_beside_the_leaf_it_is_head(tmp_path: Path) -> None:
    write_knowledge(tmp_path, knowledge().replace("HEAD", SHA))
    (finding,) = run(tmp_path).findings
    assert finding.rule == "document-commit"
    assert "commit: HEAD" in finding.hint
