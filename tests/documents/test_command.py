"""The real Git kept within limits, with all the processes that it starts."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipelines.documents.command import (
    GitFailed,
    Limits,
    TooLarge,
    TooSlow,
    check_version,
    redacted,
    run_git,
)


def soon(seconds: float = 30) -> float:
    return time.monotonic() + seconds


def alias(script: str) -> list[str]:
    """Arguments with which Git starts a shell, as it starts a credential helper or ssh."""
    return ["-c", f"alias.x=!{script}", "x"]


def test_what_git_prints_comes_back() -> None:
    check_version()
    assert run_git(["version"], Limits(soon())).startswith(b"git version")
    assert run_git(alias("cat; :"), Limits(soon()), given=b"given") == b"given"
    with pytest.raises(GitFailed, match="not a git repository"):
        run_git(["--git-dir=/nowhere", "log"], Limits(soon()))


def test_no_network_unless_asked_for() -> None:
    with pytest.raises(GitFailed, match="not allowed"):
        run_git(["ls-remote", "https://example.org/a"], Limits(soon()))


def test_time_up_ends_git_and_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(TooSlow):
        run_git(alias(f"echo $$ > {note}; sleep 600; :"), Limits(soon(1)))
    process = Path("/proc") / note.read_text().strip()
    while alive(process):  # killed already, and soon reaped
        time.sleep(0.01)


def alive(process: Path) -> bool:
    try:
        return process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("stream", ["1", "2"])
def test_too_much_printed(stream: str) -> None:
    with pytest.raises(TooLarge):
        run_git(alias(f"yes >&{stream}; :"), Limits(soon(), printed=100_000))


def test_too_much_written(tmp_path: Path) -> None:
    limits = Limits(soon(), folder=tmp_path, written=100_000)
    with pytest.raises(TooLarge):
        run_git(alias(f"cat /dev/zero > {tmp_path}/file; sleep 600; :"), limits)
    assert os.path.getsize(tmp_path / "file") <= 2 * (
        100_000 + (1 << 20)
    )  # some shells count double


def test_nothing_that_git_says_holds_a_login_or_a_control_character() -> None:
    said = (
        "fatal: unable to access 'https://ada:hunter2@example.org/a/':\x1b[31m no\n\nremote: \x07b"
    )
    assert redacted(said) == (
        "fatal: unable to access 'https://***@example.org/a/':[31m no\nremote: b"
    )
    assert len(redacted("line\n" * 1000 + "x" * 5000)) < 500
