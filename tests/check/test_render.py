"""Findings as text, JSON and annotations; hostile text stays text."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from pipelines.check.render import FORMATS, as_text, wants_colour
from pipelines.check.subject import CheckResult
from pipelines.records import Finding
from pipelines.schemas import load_schema
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
    lines = "".join(FORMATS["text"](RESULT)).split("\n")
    assert lines[1:] == [
        "a/qna.yaml:1:2: warning: Odd. [whitespace]",
        "2 leaves checked: 1 error, 1 warning.",
        "",
    ]
    assert lines[0].endswith("Mend it. [schema]")
    assert lines[0].isprintable()


def test_github_commands_cannot_be_broken_out_of() -> None:
    lines = "".join(FORMATS["github"](RESULT)).split("\n")
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
        data = json.loads("".join(FORMATS["json"](result)))
        assert list(Draft202012Validator(load_schema("findings")).iter_errors(data)) == []
        assert data["checked"] == result.checked
        assert len(data["findings"]) == len(result.findings)


def test_every_schema_is_a_schema() -> None:
    names = ("leaf-skill-v1", "leaf-skill-v2", "leaf-skill-v3", "leaf-knowledge-v3")
    for name in (*names, "policy", "findings"):
        Draft202012Validator.check_schema(load_schema(name))


@pytest.mark.parametrize(
    "text",
    [
        "100% sure",
        "%0A%0D::error::x",
        "a\n::add-mask::b",
        "a\r\n::set-env name=PATH::b",
        "a,line=1,title=x::y",
        "::::::",
        "##[error]x",
        "\x1b]0;x\x07",
        "\u202e\u2066x\u2069",
        "a\u2028::b\u0085c",
        "\x00\x08",
        "\ud800",
    ],
)
@pytest.mark.parametrize("field", ["rule", "path", "message", "hint"])
def test_no_field_breaks_out_of_an_annotation(text: str, field: str) -> None:
    finding = replace(Finding("rule", "error", "p", 1, 2, "m", "h"), **{field: text})
    out = "".join(FORMATS["github"](CheckResult(1, (finding,))))
    line, count, end = out.split("\n")
    assert (count, end) == ("1 leaf checked: 1 error, 0 warnings.", "")
    assert line.isprintable()
    assert line.isascii() or line.encode()
    # One command with its four properties, and a message: nothing that GitHub reads as another.
    assert re.fullmatch(r"::error file=[^,:]*,line=1,col=2,title=[^,:]*::.*", line)
    assert line.count("::") == 2
    assert re.sub(r"%(25|0A|0D|3A|2C)", "", line).count("%") == 0


def test_colours_are_for_those_who_want_them() -> None:
    plain, painted = "".join(as_text(RESULT)), "".join(as_text(RESULT, colour=True))
    assert "\x1b" not in plain
    assert "\x1b[1;31merror\x1b[0m" in painted
    assert "\x1b[1;33mwarning\x1b[0m" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain


def test_who_wants_colours() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    pipe, terminal = io.StringIO(), Terminal()
    assert wants_colour(terminal, {"TERM": "xterm"})
    assert not wants_colour(pipe, {"TERM": "xterm"})
    assert not wants_colour(terminal, {"TERM": "dumb"})
    assert not wants_colour(terminal, {"NO_COLOR": "1"})
    assert wants_colour(terminal, {"NO_COLOR": ""})
    assert wants_colour(pipe, {"FORCE_COLOR": "1"})
    assert not wants_colour(terminal, {"FORCE_COLOR": "1", "NO_COLOR": "1"})
