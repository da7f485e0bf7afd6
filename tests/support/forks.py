"""Processes of Graft that need not load the libraries: each is forked from one that has loaded them.

In: a module, its words, a folder and an environment. Out: a process with pipes, or a finished one, as
``subprocess`` has them. To load torch and its like takes some seconds of every command, which shows
nothing; all else of a process is there: its memory, its signals, its exit code, what it runs at its end.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What libraries, and Python itself, read from the environment as they load.
EARLY = ("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "TORCH_", "OMP_", "MKL_", "PYTHONHASHSEED")
LOADED = (
    "pipelines.backends.local",
    "pipelines.run",
    "pipelines.training",
    "pipelines.train.adapter",
    "pipelines.train.scratch",
    "transformers.models.llama.modeling_llama",
)


class Process:
    """``python -m WORDS…`` with empty standard input, as far as tests use ``subprocess.Popen``."""

    def __init__(self, words: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> None:
        parent = _parent(
            {name: environment[name] for name in environment if name.startswith(EARLY)}
        )
        asked = json.dumps([list(words), str(cwd), dict(environment)]).encode()
        out, err, status = os.pipe(), os.pipe(), os.pipe()
        socket.send_fds(parent, [asked], [out[1], err[1], status[1]])
        for pipe in (out, err, status):
            os.close(pipe[1])
        self.stdout, self.stderr, self._status = (
            os.fdopen(pipe[0], encoding="utf-8") for pipe in (out, err, status)
        )
        self.pid = int(self._status.readline())
        self.returncode = 0

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self) -> tuple[str, str]:
        """What it says from now on until its end."""
        with ThreadPoolExecutor(1) as pool, self.stdout, self.stderr, self._status:
            told = pool.submit(self.stderr.read)
            out, err = self.stdout.read(), told.result()
            self.returncode = int(self._status.readline())
        return out, err


def run(
    words: Sequence[str], cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    process = Process(words, cwd, environment)
    out, err = process.communicate()
    return subprocess.CompletedProcess([*words], process.returncode, out, err)


# By the part of the environment under which each loaded the libraries: those that run, and where to ask.
_running: dict[tuple[tuple[str, str], ...], tuple[subprocess.Popen[bytes], socket.socket]] = {}


def _parent(environment: Mapping[str, str]) -> socket.socket:
    early = {name: environment[name] for name in environment if name.startswith(EARLY)}
    key = tuple(sorted(early.items()))
    if key not in _running:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(EARLY)}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks"],
            cwd=ROOT,
            env={**kept, **early},
            stdin=there,
        )
        there.close()
        _running[key] = process, here
    return _running[key][1]


@atexit.register
def _end() -> None:
    for process, asking in _running.values():
        asking.close()
        process.wait()


# --- the parent ------------------------------------------------------------------------------------


def _load() -> None:
    """All that ``graft run`` comes to need, and no computation: its threads would not be forked."""
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()  # or each child would copy all memory as it looks for what is left


def _serve() -> list[str]:
    """Fork for everyone who asks; only such a child returns, with the words that it is to run."""
    _load()
    asked = socket.socket(fileno=os.dup(0))
    while True:
        message, pipes, _, _ = socket.recv_fds(asked, 1 << 20, 3)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # keepers that have told all
                pass
        if not message:
            os._exit(0)
        if not os.fork():
            asked.close()
            # A shell's background jobs ignore it, and so would all that they start.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            words, cwd, environment = json.loads(message)
            _keep(pipes)
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(environment)
            return list(words)
        for pipe in pipes:
            os.close(pipe)


def _keep(pipes: Sequence[int]) -> None:
    """Fork once more and stay, to tell how the child ends; the child returns, its streams in place."""
    out, err, status = pipes
    child = os.fork()
    if child:
        os.close(out)
        os.close(err)
        os.write(status, f"{child}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(status, f"{code}\n".encode())
        os._exit(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for pipe in pipes:
        os.close(pipe)
    sys.stdin = os.fdopen(0, closefd=False)


def _carry_out(module: str, words: Sequence[str]) -> int:
    """As ``python -m`` would, what runs at the end included; but nothing that was loaded is taken apart."""
    sys.argv = [module, *words]
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    module, *words = _serve()
    os._exit(_carry_out(module, words))
