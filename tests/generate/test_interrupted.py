"""Ctrl-C and SIGTERM while many calls are under way: an end in order, one sentence, and resumed."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.flow import Site, new_site
from tests.support.openai_server import Server, start

# A shell's background jobs ignore SIGINT: each test says what its process begins with.
BEGIN = """
import signal, sys
signal.signal(signal.SIGINT, signal.{handler})
from pipelines.cli import main
sys.exit(main())
"""
NOISE = re.compile(r"Traceback|never retrieved|was destroyed|never awaited|Unclosed|Warning|Error")


def generating(site: Site, handler: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", BEGIN.format(handler=handler), *site.words("run")],
        cwd=site.path,
        env=site.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(server: Server, calls: int, process: subprocess.Popen[str]) -> None:
    while server.counts().calls < calls and process.poll() is None:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()


@pytest.mark.parametrize(
    ("number", "handler"),
    [
        (signal.SIGINT, "default_int_handler"),
        (signal.SIGTERM, "default_int_handler"),
        (signal.SIGTERM, "SIG_IGN"),
    ],
)
def test_an_interrupted_generation_ends_in_order_and_is_resumed(
    tmp_path: Path, number: signal.Signals, handler: str
) -> None:
    with start(latency=0.25) as server:
        teacher = {
            "backend": "openai_api", "model": "stand-in", "revision": "1", "url": server.url,
            "concurrency": 4,
        }  # fmt: skip
        site = new_site(tmp_path / "site", teacher=teacher)
        process = generating(site, handler)
        wait_for(server, 9, process)
        process.send_signal(number)
        out, told = process.communicate()
        assert (process.returncode, out) == (75, ""), told
        assert told.splitlines()[-1] == (
            "graft: stopped; run the same command again to go on from here."
        )
        assert not NOISE.search(told), told
        assert site.unfinished() == []
        counts = server.counts()
        db = sqlite3.connect(site.path / ".graft" / "calls.sqlite")
        (kept,) = db.execute("SELECT COUNT(*) FROM answers").fetchone()
        db.close()
        assert 0 < kept <= counts.calls <= kept + 4
        done = site.graft("generate")
        assert done.returncode == 0, done.stderr
        made, reused = map(int, re.findall(r"(\d+) calls made, (\d+) read back", done.stderr)[0])
        assert made > 0
        assert reused >= kept  # some calls are those of two flows
        assert server.counts().calls == counts.calls + made
