"""What forms and examples leave to be filled in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

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

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "text",
    [
        "…",
        "...",
        "Who …?",
        "TODO",
        "todo",
        "TODO: ask Ada",
        "tbd.",
        "FIXME",
        "xxx",
        "<your-answer>",
        "<YOUR ANSWER HERE>",
        "<insert answer>",
        "<answer>",
        "Your answer here",
        "Lorem ipsum dolor sit amet, consectetur",
    ],
)
def test_placeholders(tmp_path: Path, text: str) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", json.dumps(text, ensure_ascii=False)))
    assert told(tmp_path) == [("placeholder", 10, 13)]


@pytest.mark.parametrize(
    "text",
    [
        "1, 2, 3, …",
        "Wait …",
        "A TODO comment marks work that is left.",
        "todo lists",
        "<div>",
        "<my-element>",
        "<answer>42</answer>",
        "Dear [Your Name],",
        "git clone https://example.org/<your-name>/x",
        "Lorem ipsum is filler text of printers.",
        "XX",
    ],
)
def test_what_comes_close(tmp_path: Path, text: str) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", json.dumps(text, ensure_ascii=False)))
    assert told(tmp_path) == []


def test_short_fields_hold_none_at_all(tmp_path: Path) -> None:
    write_skill(tmp_path, skill().replace("ada", "'Ada <your-name>'"))
    assert told(tmp_path) == [("placeholder", 2, 13)]


def test_in_the_attribution_and_in_documents(tmp_path: Path) -> None:
    write_skill(tmp_path)
    filled = ATTRIBUTION.replace("Ada", "<your name>").replace(": -", ": …")
    write(tmp_path, f"{SKILL}/attribution.txt", filled)
    write_knowledge(tmp_path)
    text = "# Danube\n\nIt flows.\n\n  TODO\n\nLorem ipsum dolor sit amet.\n\nA TODO is fine.\n"
    write(tmp_path, f"{KNOWLEDGE}/danube.md", text)
    found = [(f.rule, f.path, f.line, f.column) for f in run(tmp_path).findings]
    assert found == [
        ("placeholder", f"{SKILL}/attribution.txt", 2, 15),
        ("placeholder", f"{SKILL}/attribution.txt", 4, 16),
        ("placeholder", f"{KNOWLEDGE}/danube.md", 5, 3),
        ("placeholder", f"{KNOWLEDGE}/danube.md", 7, 1),
    ]


def test_every_placeholder_of_the_contributing_guide_is_known(tmp_path: Path) -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (leaf,) = (
        block
        for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
        if "created_by: your-github-name" in block and "document:" in block
    )
    write_knowledge(tmp_path, leaf)
    lines = leaf.split("\n")
    marked = {number for number, line in enumerate(lines, 1) if "…" in line or "your-" in line}
    marked |= {
        number for number, line in enumerate(lines, 1) if line.endswith(("context: |", "covers."))
    }
    found = {f.line for f in run(tmp_path).findings if f.rule == "placeholder"}
    assert yaml.safe_load(leaf)["created_by"] == "your-github-name"
    assert found == marked
