"""Findings as text, JSON and annotations; hostile text stays text."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from pipelines.check.render import FORMATS
from pipelines.check.schemas import load_schema
from pipelines.check.subject import CheckResult
from pipelines.records import Finding
from tests.check.builders import run, skill, write_skill

HOSTILE = Finding(
    "schema",
    "error",
    "knowledge/a:b,c%\n::error::x/qna.yaml",
    3,
    7,
    "Text \x1b[31m 100% red\r\n::set-output name=x::y ::stop-commands::z\u2028\u202e.",
    "Mend it.",
)
RESULT = CheckResult(2, (HOSTILE, Finding("whitespace", "warning", "a/qna.yaml", 1, 2, "Odd.")))


def test_text_is_a_line_a_finding() -> None:
    lines = FORMATS["text"](RESULT).split("\n")
    assert lines[1:] == [
        "a/qna.yaml:1:2: warning: Odd. [whitespace]",
        "2 leaves checked: 1 error, 1 warning.",
        "",
    ]
    assert lines[0].endswith("Mend it. [schema]")
    assert lines[0].isprintable()


def test_github_commands_cannot_be_broken_out_of() -> None:
    lines = FORMATS["github"](RESULT).split("\n")
    assert lines[1] == "::warning file=a/qna.yaml,line=1,col=2,title=whitespace::Odd."
    command, message = lines[0].removeprefix("::").split("::")
    assert command == (
        "error file=knowledge/a%3Ab%2Cc%25%0A%3A%3Aerror%3A%3Ax/qna.yaml,line=3,col=7,title=schema"
    )
    assert "100%25 red%0D%0A" in message
    assert lines[0].isprintable()


def test_json_keeps_its_contract(tmp_path: Path) -> None:
    write_skill(tmp_path, skill().rstrip() + " ")
    for result in (RESULT, run(tmp_path), CheckResult(0, ())):
        data = json.loads(FORMATS["json"](result))
        assert list(Draft202012Validator(load_schema("findings")).iter_errors(data)) == []
        assert data["checked"] == result.checked
        assert len(data["findings"]) == len(result.findings)


def test_every_schema_is_a_schema() -> None:
    names = ("leaf-skill-v1", "leaf-skill-v2", "leaf-skill-v3", "leaf-knowledge-v3")
    for name in (*names, "policy", "findings"):
        Draft202012Validator.check_schema(load_schema(name))
