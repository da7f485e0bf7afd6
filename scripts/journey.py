"""A contributor's journey in a scratch clone, step by step: what the demo plays and the benchmark times.

Every step is a command that a person could type; each is echoed before it runs. Nothing outside of the
scratch folder is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GRAFT = [sys.executable, "-m", "pipelines"]


class Journey:
    """A clone of this repository below ``scratch``, with releases of its own beside it."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.clone = scratch / "work"
        self.releases = scratch / "releases"

    def prepare(self) -> None:
        """A fresh clone of HEAD as ``main``, and release zero: made once, then only copied."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        for stale in (self.clone, self.releases):
            shutil.rmtree(stale, ignore_errors=True)
        self.git("clone", "--quiet", str(ROOT), str(self.clone), at=ROOT)
        self.git("checkout", "--quiet", "-B", "main")
        self.git("config", "user.name", "A Contributor")
        self.git("config", "user.email", "contributor@example.org")
        zero = self.scratch.parent / f"zero-{self._key()}"
        self.graft("run", "--target", f"folder:{zero}")
        shutil.copytree(zero, self.releases, copy_function=os.link)

    def contribute(self, example: Path, branch: str) -> None:
        """Put the leaves of ``example`` on a branch, signed off."""
        self.git("switch", "--quiet", "--create", branch, "main")
        shutil.copytree(example, self.clone / "taxonomy", dirs_exist_ok=True)
        self.commit(f"Add {branch}")

    def commit(self, message: str) -> None:
        self.git("add", "taxonomy")
        self.git("commit", "--quiet", "--signoff", "--message", message)

    def run(self) -> Path:
        """``graft run`` on the branch; the run's directory."""
        self.graft("run", "--base", "main", "--target", f"folder:{self.releases}")
        runs = self.clone / "runs"
        return runs / (runs / "latest").read_text(encoding="utf-8").strip()

    def git(self, *words: str, at: Path | None = None) -> str:
        found = subprocess.run(
            ["git", *words], cwd=at or self.clone, check=True, capture_output=True, text=True
        )
        return found.stdout.strip()

    def graft(self, *words: str) -> None:
        """Run one command in the clone, echoed; its exit code must be 0, or 1 for a verdict."""
        print(f"\n$ graft {' '.join(words)}", flush=True)
        done = subprocess.run(
            [*GRAFT, *words], cwd=self.clone, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        if done.returncode not in (0, 1):
            raise SystemExit(done.returncode)

    def _key(self) -> str:
        """What release zero follows from: the tree and the code, not the commit."""
        trees = [self.git("rev-parse", f"HEAD:{name}")[:8] for name in ("taxonomy", "pipelines")]
        return "-".join(trees)


def evaluation(run: Path) -> dict[str, object]:
    """``evaluation.json`` of a run."""
    found: dict[str, object] = json.loads((run / "evaluation" / "evaluation.json").read_bytes())
    return found


def by_author(run: Path) -> list[tuple[str, int, float, float]]:
    """Of the changed leaves' questions: who wrote them, how many, token F1 before and after."""
    found = []
    for synthetic, who in ((False, "people"), (True, "the teacher")):
        asked = [
            row
            for row in exam(run)
            if row["item"]["role"] == "changed" and row["item"]["synthetic"] is synthetic
        ]
        if asked:
            before, after = (
                sum(row[f"{arm}_scores"]["token_f1"] for row in asked) / len(asked)
                for arm in ("previous", "candidate")
            )
            found.append((who, len(asked), before, after))
    return found


def exam(run: Path) -> list[dict[str, Any]]:
    """The items of a run's exam, with the answers."""
    lines = (run / "evaluation" / "items.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
