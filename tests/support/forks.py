"""Processes of Graft that need not load the libraries: each is forked from one that has loaded them.

In: a module, its words, a folder and an environment. Out: a finished process, as ``subprocess.run`` gives
it. To load torch and its like takes some seconds of every command, which shows nothing; all else of a
process is there: its own memory, signals, exit code, and what it runs as it ends. A command whose
environment steers the libraries as they load (``HF_…``) wants a process from nothing.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
EARLY = ("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "TORCH_", "OMP_", "MKL_", "PYTHON")
LOADED = (
    "pipelines.backends.local",
    "pipelines.run",
    "pipelines.training",
    "pipelines.train.adapter",
    "pipelines.train.scratch",
    "transformers.models.llama.modeling_llama",
)


def run(
    words: Sequence[str], cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """``python -m WORDS…`` to its end; standard input is empty."""
    parent = _parent({name: environment[name] for name in environment if name.startswith(EARLY)})
    assert parent.stdin is not None
    assert parent.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        out.touch()
        err.touch()
        asked = [list(words), str(cwd), dict(environment), str(out), str(err)]
        parent.stdin.write(json.dumps(asked) + "\n")
        parent.stdin.flush()
        code = int(parent.stdout.readline())
        return subprocess.CompletedProcess(
            [*words], code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")
        )


# The one that runs, and the part of the environment under which it loaded the libraries.
_running: list[tuple[subprocess.Popen[str], Mapping[str, str]]] = []


def _parent(early: Mapping[str, str]) -> subprocess.Popen[str]:
    if _running and _running[0][1] != early:
        _end()
    if not _running:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(EARLY)}
        parent = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks"],
            cwd=ROOT,
            env={**kept, **early},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        _running.append((parent, early))
    return _running[0][0]


@atexit.register
def _end() -> None:
    while _running:
        _running.pop()[0].communicate()


# --- the parent ------------------------------------------------------------------------------------


def _load() -> None:
    """All that ``graft run`` comes to need, and no computation: its threads would not be forked."""
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()  # or each child would copy all memory as it looks for what is left


def _serve() -> list[str]:
    """Fork for every line; only a child returns, with the words that it is to run."""
    _load()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        words, cwd, environment, out, err = json.loads(line)
        child = os.fork()
        if not child:
            answers.close()
            _become(cwd, environment, out, err)
            return list(words)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answers.write(f"{code}\n")
        answers.flush()
    os._exit(0)


def _become(cwd: str, environment: Mapping[str, str], out: str, err: str) -> None:
    for stream, path in enumerate((os.devnull, out, err)):
        opened = os.open(path, os.O_WRONLY if stream else os.O_RDONLY)
        os.dup2(opened, stream)
        os.close(opened)
    sys.stdin = os.fdopen(0, closefd=False)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)


def _carry_out(module: str, words: Sequence[str]) -> int:
    """As ``python -m`` would, what runs at the end included; but nothing that was loaded is taken apart."""
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
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
