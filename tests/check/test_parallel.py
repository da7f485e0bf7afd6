"""Several processes find what one finds; one that dies is reported, and nothing hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.generated import generate
from pipelines.check import How, Policy, check
from pipelines.check.parallel import WORTH_IT, processors
from pipelines.leaves import WorkTree
from tests.check.builders import skill, write, write_skill

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More leaves than one process is given; some of them are broken."""
    root = tmp_path_factory.mktemp("large")
    folders = generate(root, WORTH_IT + 40)
    for number in (3, 77, WORTH_IT + 39):
        write(root, f"{folders[number]}/qna.yaml", skill(seeds=number % 5) + "extra: x \n")
    write(root, f"{folders[9]}/qna.yaml", "a: b: c\n")
    return root


@pytest.mark.parametrize("compat", ["", "instructlab"])
def test_two_processes_find_what_one_finds(large: Path, compat: str) -> None:
    one = check(WorkTree(large), Policy(), how=How(compat))
    two = check(WorkTree(large), Policy(), how=How(compat, jobs=2))
    assert one == two
    assert one.checked == WORTH_IT + 40
    assert len(one.findings) >= 9


def test_the_policy_reaches_the_workers(large: Path) -> None:
    policy = replace(Policy(), licences=("MIT",))
    found = check(WorkTree(large), policy, how=How(jobs=2)).findings
    assert sum(finding.rule == "attribution" for finding in found) == WORTH_IT + 40


def test_a_worker_that_is_killed_is_reported(large: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines", "check", "--jobs", "2", "--taxonomy", str(large)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=large,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.kill(next(_workers(process)), signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "not every leaf was checked" in said
    assert "Traceback" not in said


def _workers(process: subprocess.Popen[str]) -> Iterator[int]:
    """The process ids of the pool's workers, as soon as there are any."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        for child in children.read_text().split():
            command = Path(f"/proc/{child}/cmdline")
            if command.exists() and b"spawn_main" in command.read_bytes():
                yield int(child)
        time.sleep(0.005)


def test_a_small_tree_starts_no_process(tmp_path: Path) -> None:
    write_skill(tmp_path)
    code = (
        "import sys; from pipelines.cli import main; code = main(sys.argv[1:]); "
        "print('multiprocessing' in sys.modules, code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "check", "--taxonomy", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("False 0\n")
    assert processors() >= 1
