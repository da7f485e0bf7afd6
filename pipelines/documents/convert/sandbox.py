"""A converter in a child process: limits on time, memory and output, and no network.

In: the name of a converter and a document's bytes. Out: its Markdown, or ``Stopped`` with half a sentence.
On Linux the child leaves the network by a namespace of its own, where the kernel permits that; everywhere
Python's own sockets are shut too. It gets none of our environment, so no secret either.

Run as a script, this file is the child.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = str(Path(__file__).resolve().parents[3])
_OUTPUT = 1 << 26
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_KEPT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "HF_HOME", "VIRTUAL_ENV")


class Refused(Exception):
    """A converter's own word on why a document cannot be read: a sentence."""


class Stopped(Exception):
    """A conversion without a result; ``str`` is the cause, a sentence."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds on the clock, megabytes of memory, pages."""

    seconds: int
    megabytes: int
    pages: int


def converted(module: str, data: bytes, limits: Limits) -> str:
    """The Markdown that the function ``convert`` of ``module`` makes of ``data``."""
    answer = _child([module, str(limits.megabytes), str(limits.pages)], data, limits.seconds)
    if "refused" in answer:
        raise Stopped(answer["refused"])
    if "failed" in answer:
        raise Stopped(f"it is damaged, or not what its ending says ({answer['failed']}).")
    return str(answer["markdown"])


def isolation() -> str:
    """How converters are kept from the network on this machine: for `graft doctor`."""
    return str(_child(["", "1024", "0"], b"", 60)["network"])


def _child(arguments: list[str], data: bytes, seconds: int) -> dict[str, Any]:
    kept = {key: value for key, value in os.environ.items() if key in _KEPT}
    environment = {**kept, "PYTHONPATH": _ROOT, "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
    words = [sys.executable, "-P", "-W", "ignore", __file__, *arguments]
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout:
        stdin.write(data)
        stdin.seek(0)
        process = subprocess.Popen(
            words,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Stopped(f"it took more than {seconds} seconds.") from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        stdout.seek(0)
        answer = stdout.read()
    try:
        found: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise Stopped("the converter crashed on it, or ran out of memory.") from None
    return found


def _main(module: str, megabytes: int, pages: int) -> dict[str, str]:
    """In the child: shut everything, convert, say how it went."""
    network = _leave_network()
    for limit, size in (
        (resource.RLIMIT_AS, megabytes << 20),
        (resource.RLIMIT_FSIZE, _OUTPUT),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS knows no limit on memory
            resource.setrlimit(limit, (size, size))
    if not module:
        return {"network": network}
    try:
        convert = importlib.import_module(module).convert
        return {"markdown": convert(sys.stdin.buffer.read(), pages)}
    except MemoryError:
        return {"refused": f"it takes more than {megabytes} MB of memory."}
    except RecursionError:
        return {"refused": "its parts are nested too deeply."}
    except Exception as error:
        # The child knows this file as __main__, a converter by its name.
        if type(error).__name__ == "Refused":
            return {"refused": str(error)}
        return {"failed": f"{type(error).__name__}: {error}"[:200].replace("\n", " ")}


def _leave_network() -> str:
    sys.addaudithook(_no_socket)
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_NEW_NETWORK) == 0 or libc.unshare(_NEW_USER | _NEW_NETWORK) == 0:
            return "a network namespace of their own"
    return "shutting Python's sockets (this machine gives no network namespace)"


def _no_socket(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        raise PermissionError("a converter reaches no network")


def _packages_alone() -> None:
    """Let converters be imported without what their packages load for others: that takes longest."""
    for name in ("pipelines.documents", "pipelines.documents.convert"):
        package = types.ModuleType(name)
        package.__path__ = [os.path.join(_ROOT, *name.split("."))]
        sys.modules[name] = package


if __name__ == "__main__":
    _packages_alone()
    told = json.dumps(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))).encode()
    if len(told) > _OUTPUT:
        told = json.dumps({"refused": "what comes out of it is too large."}).encode()
    sys.stdout.buffer.write(told)
