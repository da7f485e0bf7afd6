"""Keys and tokens, whole ones only; nothing of what is found is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.builders import (
    ATTRIBUTION,
    KNOWLEDGE,
    SKILL,
    run,
    skill,
    told,
    write,
    write_knowledge,
    write_skill,
)

# Put together here, so that no scanner takes this file for a leak.
BODY = "Q7wErT2yUi9oPa4sDf6gHj8kLz3xCv5bNm1Q"
SECRETS = [
    "ghp" + "_" + BODY,
    "github" + "_pat_" + BODY + BODY,
    "glpat" + "-" + BODY[:20],
    "AKIA" + "QWER7TYUI5OPAS4D",
    "AIza" + BODY[:35],
    "sk" + "-proj-" + BODY,
    "hf" + "_" + BODY[:34],
    "xoxb" + "-" + BODY,
    "https://hooks.slack.com/services/" + "T0AB1CD2E/B0AB1CD2E/" + BODY[:24],
    "sk" + "_live_" + BODY[:24],
    "npm" + "_" + BODY,
    "SG." + BODY[:22] + "." + BODY + BODY[:7],
    "123456789:AA" + BODY[:33],
    "eyJ" + BODY + ".eyJ" + BODY + "." + BODY,
    "https://ada:" + "hunter7pass" + "@example.org/x.git",
    "api_key = " + BODY,
    'SECRET_TOKEN: "' + BODY + '"',
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets(tmp_path: Path, secret: str) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", f"|\n      Use it:\n      run {secret} now"))
    findings = [f for f in run(tmp_path).findings if f.rule == "secret"]
    assert [(f.line, f.severity) for f in findings] == [(12, "error")]
    assert all(BODY[:10] not in f.message + f.hint for f in findings)


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_ is the prefix of a token",
        "ghp_" + "x" * 36,
        "scikit-learn, sk-learn-for-short-and-other-words-with-dashes"[:28],
        "https://ada@example.org/x.git and https://user:password@example.org",
        "https://user:<your-password>@example.org",
        "-----BEGIN PRIVATE KEY----- is how such a file begins",
        "-----BEGIN PUBLIC KEY-----",
        "the key = value format; token: a-word-with-many-parts-in-it",
        "password = correcthorsebatterystaple",
        "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
        "sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ],
)
def test_what_comes_close(tmp_path: Path, text: str) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", f"|\n      {text}"))
    assert told(tmp_path) == []


def test_a_private_key_in_a_document_a_token_in_the_attribution_and_one_in_a_remark(
    tmp_path: Path,
) -> None:
    write_knowledge(tmp_path)
    header = "-----BEGIN OPENSSH " + "PRIVATE KEY-----"
    write(tmp_path, f"{KNOWLEDGE}/danube.md", f"# Danube\n\n{header}\n{BODY}{BODY}\n")
    write_skill(tmp_path, f"# {SECRETS[0]}\n" + skill())
    write(tmp_path, f"{SKILL}/attribution.txt", ATTRIBUTION.replace("Ada", SECRETS[0]))
    found = [(f.rule, f.path, f.line, f.column) for f in run(tmp_path).findings]
    assert found == [
        ("secret", f"{SKILL}/attribution.txt", 4, 16),
        ("secret", f"{SKILL}/qna.yaml", 1, 3),
        ("secret", f"{KNOWLEDGE}/danube.md", 3, 1),
    ]


def test_a_file_full_of_them_is_told_in_a_few_lines(tmp_path: Path) -> None:
    lines = "".join(f"      {SECRETS[0]}{n}\n" for n in range(4000))
    write_skill(tmp_path, skill() + "    context: |\n" + lines)
    assert [f.rule for f in run(tmp_path).findings].count("secret") == 20
