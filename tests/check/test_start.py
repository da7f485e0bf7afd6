"""A check of one file starts at once: what takes long to import is not imported. No clock is read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.check.builders import SKILL, skill, write_skill

ROOT = Path(__file__).resolve().parents[2]
SLOW = (
    "pipelines.records",
    "jsonschema",
    "multiprocessing",
    "concurrent.futures",
    "pygit2",
    "numpy",
    "rapidfuzz",
)


@pytest.mark.parametrize(("broken", "loaded"), [(False, []), (True, ["jsonschema"])])
def test_jsonschema_is_loaded_to_explain_and_for_nothing_else(
    tmp_path: Path, broken: bool, loaded: list[str]
) -> None:
    write_skill(tmp_path, skill(seeds=3 if broken else 5))
    assert _loaded("check", "--taxonomy", str(tmp_path), str(tmp_path / SKILL)) == loaded


def test_a_leaf_that_the_index_knows_as_it_is_is_compared_with_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    tree = tmp_path / "tree"
    write_skill(tree, skill())
    _loaded("check", "--taxonomy", str(tree))
    assert _loaded("check", "--taxonomy", str(tree), str(tree / SKILL)) == []


def test_help_loads_no_yaml() -> None:
    assert _loaded("--help") == []


def _loaded(*words: str) -> list[str]:
    """Which of ``SLOW`` a command has imported by its end, and yaml where it only shows help."""
    code = (
        "import sys\n"
        "from pipelines.cli import main\n"
        "try: main(sys.argv[2:])\n"
        "except SystemExit: pass\n"
        "print(*(name for name in sys.argv[1].split() if name in sys.modules))\n"
    )
    names = " ".join((*SLOW, "yaml") if words == ("--help",) else SLOW)
    done = subprocess.run(
        [sys.executable, "-c", code, names, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split("\n")[-2].split()
