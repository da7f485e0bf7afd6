"""A teacher's own server: real commands, real processes, and none of them left afterwards."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines.backends import Answer, Call, open_backend
from pipelines.backends import command as module
from pipelines.backends.command import Commanded, gpu_memory
from pipelines.backends.openai_api import OpenAI
from pipelines.errors import BackendError
from pipelines.recipe import Teacher
from pipelines.records import Message
from tests.support.openai_server import ROOT, start

CALL = Call("ask", {}, (Message("user", "Hello."),), "stand-in", "1")
GOOD = Answer("This answer is always the same.", 2, 8)


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port: int = place.getsockname()[1]
    return port


def server_words(port: int, *more: str) -> str:
    return shlex.join(
        [sys.executable, "-m", "tests.support.openai_server", "--port", str(port), "--answer",
         "fixed", *more]
    )  # fmt: skip


def teacher(command: str, port: int, **more: str) -> Teacher:
    url = f"http://127.0.0.1:{port}/v1"
    return Teacher("openai_api", "stand-in", "1", url=url, command=command, **more)  # type: ignore[arg-type]


def python(program: str) -> str:
    return shlex.join([sys.executable, "-c", program])


def ask(wanted: Teacher, times: int = 1, begin: float = 60.0) -> list[Answer]:
    """The answers to as many calls at once; the server is ended whatever happens."""

    async def all_of_it() -> list[Answer]:
        backend = Commanded(wanted, OpenAI(wanted, first_wait=0.001), begin)
        try:
            return await asyncio.gather(*(backend.answer(CALL) for _ in range(times)))
        finally:
            await backend.close()

    return asyncio.run(all_of_it())


def listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def gone(pid: int) -> bool:
    """Whether a process ends within a while."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_it_is_started_once_answers_and_is_gone() -> None:
    port = free_port()
    assert ask(teacher(server_words(port), port), times=5) == [GOOD] * 5
    assert not listening(port)


def test_nothing_is_started_where_nothing_is_asked(tmp_path: Path) -> None:
    mark = tmp_path / "started"
    backend = open_backend(teacher(python(f"open({str(mark)!r}, 'w')"), free_port()))
    assert isinstance(backend, Commanded)
    asyncio.run(backend.close())
    assert not mark.exists()


def test_a_command_that_dies_says_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789abcdef")
    program = "import os, sys; print('no such file: model.gguf', os.environ['OPENAI_API_KEY'], "
    program += "file=sys.stderr); sys.exit(3)"
    with pytest.raises(BackendError, match=r"ended with 3; it said last: no such file") as caught:
        ask(teacher(python(program), free_port()))
    assert "sk-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("/no/such/program --port 1", "/no/such/program cannot be started"),
        (python("import time; time.sleep(1000)"), "nothing answers at .* after 1 s"),
    ],
)
def test_a_command_that_serves_nothing_is_told(command: str, told: str) -> None:
    with pytest.raises(BackendError, match=told):
        ask(teacher(command, free_port()), begin=1.0)


def test_a_server_that_dies_in_the_middle_is_told() -> None:
    port = free_port()
    wanted = teacher(server_words(port), port)

    async def all_of_it() -> None:
        backend = Commanded(wanted, OpenAI(wanted, first_wait=0.001))
        try:
            assert await backend.answer(CALL) == GOOD
            (child,) = psutil.Process(backend._process.pid).children()  # type: ignore[union-attr]
            child.kill()
            await backend.answer(CALL)
        finally:
            await backend.close()

    with pytest.raises(BackendError, match=f"ended with {128 + signal.SIGKILL}; it said last"):
        asyncio.run(all_of_it())


def test_what_runs_there_already_is_left_alone() -> None:
    with start(answer="fixed") as server:
        port = int(server.root.rsplit(":", 1)[1])
        with pytest.raises(BackendError, match=r"Something answers at .* already"):
            ask(teacher(server_words(port), port))
        assert server.counts().calls == 0


STUBBORN = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
worker = subprocess.Popen([sys.executable, "-c", "import signal, time; "
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(1000)"],
    stdout=subprocess.PIPE)
worker.stdout.readline()
open(sys.argv[1], "w").write(f"{os.getpid()} {worker.pid}")
os.execv(sys.executable, [sys.executable, "-m", "tests.support.openai_server", *sys.argv[2:]])
"""


def test_a_server_and_its_workers_that_ignore_term_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = tmp_path / "guard.py"
    source = module._GUARD.read_text(encoding="utf-8")
    assert "GRACE = 10.0" in source
    guard.write_text(source.replace("GRACE = 10.0", "GRACE = 0.3"), encoding="utf-8")
    monkeypatch.setattr(module, "_GUARD", guard)
    port, pids = free_port(), tmp_path / "pids"
    words = [sys.executable, "-c", STUBBORN, str(pids), "--port", str(port), "--answer", "fixed"]
    assert ask(teacher(shlex.join(words), port)) == [GOOD]
    for pid in map(int, pids.read_text().split()):
        assert gone(pid)


# Started in the background a process may ignore SIGINT, and its children with it.
KILLED = """
import asyncio, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.backends.test_command import CALL, teacher
from pipelines.backends import open_backend
async def ask():
    backend = open_backend(teacher(sys.argv[1], int(sys.argv[2])))
    await backend.answer(CALL)
    print("answered", flush=True)
    await asyncio.sleep(1000)
asyncio.run(ask())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_takes_its_server_along(number: signal.Signals) -> None:
    port = free_port()
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, server_words(port), str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
    )  # fmt: skip
    assert run.stdout is not None
    assert run.stdout.readline() == "answered\n"
    family = [child.pid for child in psutil.Process(run.pid).children(recursive=True)]
    assert len(family) == 2
    run.send_signal(number)
    run.wait(60)
    run.stdout.close()
    assert all(gone(pid) for pid in family)
    assert not listening(port)


def test_a_command_needs_a_url_and_a_backend_that_asks_it() -> None:
    for wanted in (
        Teacher("openai_api", "m", "1", command="serve"),
        Teacher("local", "m", "1", url="http://127.0.0.1:1/v1", command="serve"),
        Teacher("openai_api", "m", "1", url="http://127.0.0.1:1/v1", command="serve 'it"),
        Teacher("openai_api", "m", "1", url="http://127.0.0.1:1/v1", command=" "),
    ):
        with pytest.raises(BackendError, match="command"):
            open_backend(wanted)


# --- the GPU -----------------------------------------------------------------------------------


def fake_gpu(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> Path:
    """An ``nvidia-smi`` that says what the file ``used`` holds, after running ``program``."""
    tool, used = folder / "nvidia-smi", folder / "used"
    used.write_text("100\n4000\n")
    tool.write_text(f'#!/bin/sh\n{program}\ncat "{used}"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return used


def test_memory_that_the_server_leaves_in_use_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = fake_gpu(tmp_path, monkeypatch, "")
    assert gpu_memory() == [100, 4000]
    monkeypatch.setattr(module, "FREE", 0.2)
    port = free_port()
    taking = f"echo '100\n24000' > {shlex.quote(str(used))}; exec {server_words(port)}"
    with pytest.raises(BackendError, match="20000 MiB more of the GPU are in use"):
        ask(teacher(shlex.join(["sh", "-c", taking]), port))
    assert not listening(port)


def test_memory_that_comes_back_after_a_while_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = fake_gpu(tmp_path, monkeypatch, "")
    port = free_port()
    quoted = shlex.quote(str(used))
    taking = f"echo 24000 > {quoted}; (sleep 60; true) & exec {server_words(port)}"
    back = tmp_path / "asked"
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        f'#!/bin/sh\nn=$(cat "{back}" 2>/dev/null || echo 0)\necho $((n + 1)) > "{back}"\n'
        f'[ "$n" -ge 3 ] && echo 100 > "{used}"\ncat "{used}"\n'
    )
    used.write_text("100\n")
    assert ask(teacher(shlex.join(["sh", "-c", taking]), port)) == [GOOD]
    assert int(back.read_text()) >= 4


@pytest.mark.parametrize("program", ["exit 9", "echo '[N/A]'", "echo No devices were found"])
def test_a_driver_that_says_nothing_useful_is_no_gpu(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gpu(tmp_path, monkeypatch, program)
    assert gpu_memory() == []
