"""``graft run`` with a teacher and a judge behind servers: all of it, in processes of its own."""

from __future__ import annotations

import json
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.support.flow import ROOT, Site, new_site, run_directory
from tests.support.openai_server import Server, start

KEY = "sk-test-91d4be70c52f4f3a-secret"


def asking(site: Path, teacher: Mapping[str, object], judge: Mapping[str, object] | None) -> Site:
    """A fresh site whose recipe names this teacher, and this judge with LAB's flow for skills."""
    found = new_site(site, teacher={"backend": "openai_api", "model": "stand-in", **teacher})
    recipe = yaml.safe_load(found.recipe.read_text("utf-8"))
    if judge is not None:
        recipe["judge"] = {"backend": "openai_api", "model": "judge", "revision": "1", **judge}
        recipe["generate"]["flows"] = {"freeform_skill": ["seeds", "lab_freeform"]}
    found.recipe.write_text(yaml.safe_dump(recipe), "utf-8")
    return found


def graft(site: Site, *words: str) -> str:
    """What the command says, on both streams; it ends well."""
    done = site.graft(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def made(site: Site) -> int:
    ledger = json.loads((run_directory(site) / "dataset" / "ledger.json").read_bytes())
    found: int = ledger["calls"]["made"]
    return found


def teachers(site: Site) -> set[str]:
    """Who wrote the rows."""
    files = (run_directory(site) / "dataset" / "rows").iterdir()
    return {
        json.loads(line)["teacher"] for file in files for line in file.read_bytes().splitlines()
    }


def files_with(site: Site, secret: bytes) -> list[Path]:
    return [p for p in site.path.rglob("*") if p.is_file() and secret in p.read_bytes()]


def test_a_teacher_behind_a_server_makes_a_release_and_its_key_is_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start("no-hang", token=KEY, retry_after=0) as server:
        site = asking(tmp_path / "site", {"key_env": "TEACHER_KEY"}, None)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("TEACHER_KEY", KEY)
        said = graft(site, "run")
        counts = server.counts()
        assert made(site) + sum(counts.faults.values()) == counts.calls
        assert teachers(site) == {"stand-in"}
        assert site.head().release in said
        assert KEY not in said
        assert files_with(site, b"stand-in")
        assert files_with(site, KEY.encode()) == []
        assert "Nothing to do." in graft(site, "run")
        assert server.counts().calls == counts.calls


def test_a_wrong_key_is_one_sentence_that_does_not_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(token=KEY) as server:
        site = asking(tmp_path / "site", {"url": server.url}, None)
        monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}-old")
        done = site.graft("run")
        assert done.returncode == 1
        (line,) = [line for line in done.stderr.splitlines() if server.url in line]
        assert "does not accept the key in OPENAI_API_KEY" in line
        assert KEY not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        assert site.unfinished() == []
        assert files_with(site, KEY.encode()) == []


def judged(site: Path, teacher: Server, judge: Server) -> Site:
    return asking(site, {"url": teacher.url}, {"url": judge.url, "key_env": "JUDGE_KEY"})


def test_the_judge_is_asked_apart_from_the_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(token=KEY) as teacher, start(token="other", model="judge") as judge:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("JUDGE_KEY", "other")
        site = judged(tmp_path / "site", teacher, judge)
        graft(site, "generate")
        asked, told = teacher.counts(), judge.counts()
        assert set(asked.by_status) == set(told.by_status) == {"200"}
        assert made(site) == asked.calls + told.calls
        ledger = json.loads((run_directory(site) / "dataset" / "ledger.json").read_bytes())
        steps = {step["step"]: step for step in ledger["steps"]}
        assert told.calls > 0
        assert steps["judge_freeform_question"]["in"] > 0
        assert teachers(site) == {"stand-in"}


def test_a_teacher_s_own_server_runs_while_it_is_asked_and_no_longer(tmp_path: Path) -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    server = [sys.executable, "-m", "tests.support.openai_server", "--port", str(port)]
    command = shlex.join(["sh", "-c", f"cd {shlex.quote(str(ROOT))}; exec {shlex.join(server)}"])
    url = f"http://127.0.0.1:{port}/v1"
    site = asking(tmp_path / "site", {"url": url, "command": command, "key_env": ""}, None)
    graft(site, "generate")
    assert made(site) > 0
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0
