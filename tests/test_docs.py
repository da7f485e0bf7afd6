"""The pages that are made from code are current, and say something of every rule and command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pipelines.check import RULES
from pipelines.cli import COMMANDS

ROOT = Path(__file__).parents[1]


def test_the_made_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/regenerate_docs.py", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_every_rule_and_command_is_told_of() -> None:
    rules = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
    assert [rule for rule in RULES if f"| `{rule}` |" not in rules] == []
    told = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"## `graft {name}`" not in told] == []
