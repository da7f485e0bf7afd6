"""``git commit -s`` of what was written, and what Git knows of the person who writes.

In: a folder of a work tree. Git itself is run, so that its hooks, identity and signing hold; a commit
takes the named folder alone and leaves everything else as it is staged.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from pipelines.errors import GraftError


def author_name(root: Path) -> str:
    """The person's name on GitHub, else in commits; "" where Git knows neither."""
    for key in ("github.user", "user.name"):
        done = _git(root, "config", "--get", key)
        if done is not None and done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
    return ""


def in_repository(root: Path) -> bool:
    """Whether the folder lies in a Git work tree."""
    done = _git(root, "rev-parse", "--is-inside-work-tree")
    return done is not None and done.stdout.strip() == "true"


def commit(root: Path, folder: Path, message: str) -> str:
    """Commit one folder with a sign-off; gives Git's own words. ``GraftError`` with them on failure."""
    path = str(folder.resolve())
    for words in (["add", "--", path], ["commit", "-s", "-m", message, "--", path]):
        done = _git(root, *words)
        if done is None:
            raise GraftError(f"git was not found, so {folder} is written but not committed.")
        if done.returncode:
            reason = " ".join((done.stderr or done.stdout).split())[:300]
            raise GraftError(
                f"{folder} is written, but git {words[0]} failed: {reason or 'it gave no reason'}"
            )
    return done.stdout.strip() if done else ""


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            ["git", "-C", str(root), *words],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError:
        return None
