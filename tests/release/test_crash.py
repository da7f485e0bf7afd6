"""Publishing survives kill -9 at every step, and two publishers at once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.release.targets import Target, open_target
from pipelines.release.verify import verify
from tests.release.crash import prepare

ROOT = Path(__file__).parents[2]
PUBLISH = """
import sys
from pathlib import Path
from pipelines.errors import GraftError
from pipelines.release.manifest import read_manifest
from pipelines.release.targets import open_target
target, built, manifest = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
record = read_manifest(Path(manifest).read_bytes(), manifest)
try:
    print(open_target(target).publish(Path(built), record))
except GraftError as error:
    print(error)
    sys.exit(1)
"""


def assert_one_release_more(target: Target, root: Path) -> None:
    assert target.head() == "v2026.01.02"
    assert target.tags() == ["v2026.01.01", "v2026.01.02"]
    assert verify(target, "v2026.01.01") == []
    assert verify(target, "v2026.01.02") == []
    assert sorted(path.name for path in root.iterdir()) == [
        ".lock", "HEAD", "blobs", "refs", "v2026.01.01", "v2026.01.02",
    ]  # fmt: skip
    assert sorted(os.listdir(root / "refs")) == ["v2026.01.01", "v2026.01.02"]


def test_killed_at_every_step_then_run_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "tests.release.crash", tmp_path], cwd=ROOT, check=True)
    folders = sorted(tmp_path.iterdir(), key=lambda folder: int(folder.name))
    assert len(folders) > 20
    heads = []
    for folder in folders:
        root = folder / "target"
        target = open_target(f"folder:{root}")
        heads.append(target.head())
        known = ["v2026.01.01", "v2026.01.02"]
        assert target.tags() == known[: 1 if heads[-1] == "v2026.01.01" else 2]
        assert verify(target, str(heads[-1])) == []
        second = prepare(folder)
        assert target.publish(folder / "second", second) == "v2026.01.02"
        assert_one_release_more(target, root)
    assert heads == sorted(heads, key=str)
    assert set(heads) == {"v2026.01.01", "v2026.01.02"}


def start(folder: Path, built: str) -> subprocess.Popen[str]:
    """A process that is about to publish, and waits for a line on its standard input."""
    command = [
        sys.executable,
        "-c",
        PUBLISH,
        f"folder:{folder / 'target'}",
        folder / built,
        folder / f"{built}.json",
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def write_manifest(folder: Path, built: str, record: object) -> None:
    from pipelines.artifacts import pretty_json

    (folder / f"{built}.json").write_bytes(pretty_json(record))


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_a_random_moment(tmp_path: Path, seed: int) -> None:
    second = prepare(tmp_path)
    write_manifest(tmp_path, "second", second)
    process = start(tmp_path, "second")
    go(process)
    time.sleep(random.Random(seed).uniform(0, 0.15))
    process.kill()
    process.communicate()
    target = open_target(f"folder:{tmp_path / 'target'}")
    assert target.publish(tmp_path / "second", second) == "v2026.01.02"
    assert_one_release_more(target, tmp_path / "target")


def test_two_publishers_at_once(tmp_path: Path) -> None:
    from tests.release.builders import build

    second = prepare(tmp_path)
    target = open_target(f"folder:{tmp_path / 'target'}")
    rival = build(
        tmp_path / "rival",
        target,
        "v2026.01.02.1",
        leaves={"knowledge/rival": "other"},
        previous="v2026.01.01",
    )
    write_manifest(tmp_path, "second", second)
    write_manifest(tmp_path, "rival", rival)
    processes = [start(tmp_path, "second"), start(tmp_path, "rival")]
    for process in processes:
        go(process)
    outputs = [process.communicate()[0].strip() for process in processes]
    codes = [process.returncode for process in processes]
    assert sorted(codes) == [0, 1]
    winner, loser = outputs[codes.index(0)], outputs[codes.index(1)]
    assert "Someone else published" in loser or "Another process is at work" in loser
    assert target.head() == winner
    assert target.tags() == ["v2026.01.01", winner]
    assert verify(target, winner) == []
