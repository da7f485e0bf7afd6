"""`graft check --documents` and `--outdated`: one finding a cause, at its place, and the rest goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.check import RULES, CheckResult, Policy, check
from pipelines.check.remote import remote_rules
from pipelines.leaves import WorkTree
from pipelines.policy import DocumentPolicy, Exemption
from tests.check.builders import KNOWLEDGE, assert_plain, knowledge, told, write, write_knowledge
from tests.support.formats import pdf
from tests.support.git_server import GitServer, git_server
from tests.support.repositories import TIDES, Repo

ROOT = Path(__file__).parents[2]
SHA = "a" * 40


@pytest.fixture
def docs(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "served" / "docs")


@pytest.fixture
def server(docs: Repo) -> Iterator[GitServer]:
    with git_server(docs.path.parent) as running:
        yield running


def leaf(repo: str, commit: str, pattern: str = "*.md") -> str:
    """The builders' knowledge leaf with its documents elsewhere: `repo` on line 42, then the others."""
    return (
        knowledge()
        .replace('repo: "."', f"repo: {json.dumps(repo)}")
        .replace("commit: HEAD", f'commit: "{commit}"')
        .replace('"*.md"', json.dumps(pattern))
    )


def remote(root: Path, server: GitServer, **options: bool) -> CheckResult:
    allowed = DocumentPolicy(schemes=("http",), allow_hosts=(server.host,), seconds=300)
    policy = Policy(documents=allowed)
    chosen = {"fetch": True, "outdated": False, **options}
    rules = RULES | remote_rules(root.parent / "cache", policy, **chosen)
    return check(WorkTree(root), policy, rules=rules)


def test_each_cause_is_one_finding_and_the_others_go_on(
    server: GitServer, docs: Repo, tmp_path: Path
) -> None:
    commit = docs.write("a.md", TIDES).write("bad.pdf", b"no pdf").commit("One")
    url = server.url("docs/.git")
    root = tmp_path / "taxonomy"
    cases = {
        "fine": leaf(url, commit),
        "gone": leaf(server.url("gone"), commit),
        "sha": leaf(url, SHA),
        "pattern": leaf(url, commit, "b/*.md"),
        "broken": leaf(url, commit, "*.pdf"),
        "inside": leaf("http://169.254.169.254/a", commit),
        "scheme": leaf("https://example.org/a", commit),
    }
    for name, content in cases.items():
        write_knowledge(root, content, f"knowledge/{name}")
    found = remote(root, server).findings
    documents = [finding for finding in found if finding.rule == "documents"]
    for finding in documents:
        assert_plain(finding)
        assert finding.hint
    lines = cases["fine"].split("\n")
    at = {key: n for n, line in enumerate(lines, 1) for key in (line.strip().split(":")[0],)}
    assert {(f.path.split("/")[1], f.line, f.severity) for f in documents} == {
        ("gone", at["repo"], "error"),
        ("sha", at["commit"], "error"),
        ("pattern", at["patterns"] + 1, "error"),
        ("broken", at["patterns"] + 1, "error"),
        ("inside", at["repo"], "error"),
        ("scheme", at["repo"], "error"),
    }
    assert not any(f.rule == "internal" for f in found)


def test_without_the_options_nothing_is_fetched(
    server: GitServer, docs: Repo, tmp_path: Path
) -> None:
    root = tmp_path / "taxonomy"
    write_knowledge(root, leaf(server.url("gone"), SHA))
    assert "documents" not in [rule for rule, _, _ in told(root)]
    assert server.requests == []


def test_an_exception_is_judged_only_where_its_rule_has_run(
    server: GitServer, docs: Repo, tmp_path: Path
) -> None:
    commit = docs.write("bad.pdf", b"no pdf").commit("One")
    allowed = DocumentPolicy(schemes=("http",), allow_hosts=(server.host,), seconds=300)
    entries = tuple(Exemption(rule, KNOWLEDGE, "Because.") for rule in ("documents", "outdated"))
    policy = Policy(documents=allowed, exceptions=entries)
    write_knowledge(tmp_path / "tree", leaf(server.url("docs/.git"), commit, "*.pdf"))

    def found(**options: bool) -> list[str]:
        rules = RULES | remote_rules(tmp_path / "cache", policy, **options)
        return [f.message for f in check(WorkTree(tmp_path / "tree"), policy, rules=rules).findings]

    assert found(fetch=False, outdated=False) == []
    assert found(fetch=True, outdated=False) == []
    (unneeded,) = found(fetch=True, outdated=True)
    assert "The exception of `outdated`" in unneeded
    write_knowledge(tmp_path / "tree", knowledge())
    assert found(fetch=False, outdated=False) == []
    (unneeded,) = found(fetch=True, outdated=False)
    assert "The exception of `documents`" in unneeded


def test_documents_beside_the_leaf_are_converted(server: GitServer, tmp_path: Path) -> None:
    root = tmp_path / "taxonomy"
    write_knowledge(root, knowledge().replace("*.md", "*.pdf"))
    place = write(root, "knowledge/earth/rivers/danube/danube.pdf", pdf([[(11, "It flows.")]]))
    assert told(root) == []
    assert remote(root, server).findings == ()
    place.write_bytes(b"\xff no pdf")
    assert told(root) == []
    (finding,) = remote(root, server).findings
    assert_plain(finding)
    assert finding.path.endswith("danube.pdf")


def test_outdated(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    pinned = docs.write("a.md", TIDES).commit("One")
    root = tmp_path / "taxonomy"
    write_knowledge(root, leaf(server.url("docs/.git"), pinned), "knowledge/one")
    write_knowledge(root, leaf(server.url("gone"), pinned), "knowledge/two")
    outdated = {"fetch": False, "outdated": True}
    (gone,) = remote(root, server, **outdated).findings
    assert (gone.rule, gone.severity) == ("outdated", "warning")
    head = docs.write("a.md", f"{TIDES}\nMore.\n").commit("Two")
    moved, _ = remote(root, server, **outdated).findings
    assert_plain(moved)
    assert (moved.rule, moved.severity, moved.path) == (
        "outdated",
        "warning",
        "knowledge/one/qna.yaml",
    )
    assert head in moved.message
    assert "a.md" in moved.message


def test_the_command_line(server: GitServer, docs: Repo, tmp_path: Path) -> None:
    pinned = docs.write("a.md", TIDES).commit("One")
    root = tmp_path / "site" / "taxonomy"
    write_knowledge(root, leaf(server.url("docs/.git"), pinned), "knowledge/one")
    write_knowledge(root, leaf(server.url("gone"), pinned), "knowledge/two")
    write(
        root.parent,
        "graft.yaml",
        f'documents:\n  schemes: [http]\n  allow_hosts: ["{server.host}"]\n  seconds: 300\n',
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pipelines",
            "check",
            "--documents",
            "--outdated",
            "--format",
            "json",
        ],
        cwd=root.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GRAFT_CACHE": "cache"},
        capture_output=True,
        text=True,
    )
    findings = json.loads(done.stdout)["findings"]
    remote = [f for f in findings if f["rule"] in ("documents", "outdated")]
    found = [(f["rule"], f["severity"], f["path"]) for f in remote]
    gone = "taxonomy/knowledge/two/qna.yaml"
    assert found == [("documents", "error", gone), ("outdated", "warning", gone)]
    assert done.returncode == 1
    assert (root.parent / "cache" / "mirrors").is_dir()
