"""A run that is killed over and over, against a server that counts: nothing is lost, nothing paid twice."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.generate.support import row_bytes, rows
from tests.support.generating import many_leaves
from tests.support.openai_server import Server, start

ROOT = Path(__file__).parents[2]
IN_FLIGHT = 16  # requests at once at most
FILES = ("rejects.jsonl", "summary.json")


def started(taxonomy: Path, out: Path, store: Path, server: Server) -> subprocess.Popen[str]:
    words = [str(taxonomy), str(out), str(store), server.url, str(IN_FLIGHT)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.generating", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, int]:
    """How many calls the run made, and how many it read back."""
    told, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    made, reused = map(int, told.split())
    return made, reused


def stored(path: Path) -> int:
    """How many answers the store holds."""
    if not path.exists():
        return 0
    db = sqlite3.connect(path)
    there = db.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'answers'").fetchone()[0]
    (count,) = db.execute("SELECT COUNT(*) FROM answers").fetchone() if there else (0,)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    return int(count)


def killed_and_resumed(folder: Path, skills: int, seeds: int, kills: int) -> None:
    tree = many_leaves(folder / "taxonomy", skills, seeds)
    taxonomy = folder / "taxonomy"
    assert tree.files()
    draw = random.Random(kills)
    with start(latency=0.02) as server:
        calls, shared = finished(
            started(taxonomy, folder / "whole", folder / "whole.sqlite", server)
        )
        assert server.counts().calls == calls >= skills * seeds
        server.reset()
        store = folder / "calls.sqlite"
        asked = kept = 0
        for kill in range(kills):
            point = asked + draw.randint(1, 2 * (calls - kept) // (kills - kill + 1))
            process = started(taxonomy, folder / f"out{kill}", store, server)
            while server.counts().calls < point and process.poll() is None:
                time.sleep(0.002)
            assert process.poll() is None, process.communicate()
            process.send_signal(signal.SIGKILL)
            process.communicate()
            asked, kept = server.counts().calls, stored(store)
            assert kept <= asked <= kept + IN_FLIGHT * (kill + 1)
        made, reused = finished(started(taxonomy, folder / "last", store, server))
        assert (made, reused) == (calls - kept, kept + shared)
        counts = server.counts()
        assert calls <= counts.calls <= calls + kills * IN_FLIGHT
        assert len(server.prompts()) == calls
        assert counts.most_in_flight <= IN_FLIGHT
    assert row_bytes(folder / "last") == row_bytes(folder / "whole")
    for name in FILES:
        assert (folder / "last" / name).read_bytes() == (folder / "whole" / name).read_bytes()
    assert steps(folder / "last") == steps(folder / "whole")
    ids = [row["id"] for row in rows(folder / "last")]
    assert len(ids) == len(set(ids)) > skills * seeds


def steps(out: Path) -> object:
    return json.loads((out / "ledger.json").read_bytes())["steps"]


def test_a_run_killed_three_times_pays_for_no_answer_twice(tmp_path: Path) -> None:
    killed_and_resumed(tmp_path, skills=4, seeds=60, kills=3)


@pytest.mark.slow
def test_a_run_of_2000_calls_killed_at_20_random_points(tmp_path: Path) -> None:
    killed_and_resumed(tmp_path, skills=8, seeds=250, kills=20)
