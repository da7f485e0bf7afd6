"""A small repository with a taxonomy, and `graft` run in it, in this process or on a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pexpect

from tests.check.builders import write, write_knowledge, write_skill

ROOT = Path(__file__).parents[2]


def repository(path: Path) -> Path:
    """A work tree with two leaves, a policy and one commit; Git knows its author."""
    write_skill(path / "taxonomy")
    write_knowledge(path / "taxonomy")
    write(path, "graft.yaml", "licences: [CC-BY-4.0, MIT, CC0-1.0]\n")
    write(path, ".gitignore", ".graft/\n")
    for words in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["config", "user.name", "Ada Lovelace"],
        ["config", "user.email", "ada@example.org"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "first"],
    ):
        git(path, *words)
    return path


def git(path: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=path, env=environment(), capture_output=True, text=True, check=True
    )
    return done.stdout


def environment() -> dict[str, str]:
    """Without the settings of whoever runs the tests."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "GRAFT"))
    }
    nowhere = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    # A pexpect terminal does not answer where its cursor is.
    return {
        **kept,
        **nowhere,
        "PYTHONPATH": str(ROOT),
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "TERM": "xterm",
    }


def spawn(path: Path, *words: str) -> pexpect.spawn[str]:
    """``graft …`` on a real pseudo-terminal."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "pipelines", *words],
        cwd=str(path),
        env=environment(),
        encoding="utf-8",
        timeout=60,
        dimensions=(50, 160),
        preexec_fn=_as_a_terminal_starts_it,
    )


def _as_a_terminal_starts_it() -> None:
    """Under nohup, or behind a shell's &, this process ignores these signals, and a child would too."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP, signal.SIGINT})
