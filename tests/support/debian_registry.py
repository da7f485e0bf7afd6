"""Debian's docker-registry on loopback: the real thing, beside which the stand-in is held (registry.py).

In: an empty folder. Out: ``127.0.0.1:PORT`` of a registry that keeps what it is given there.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CONFIGURATION = """
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def registry_program() -> str:
    """Where it lies: beside Python, as `make setup-all` unpacks it, or installed."""
    unpacked = Path(sys.prefix) / "registry" / "usr" / "bin" / "docker-registry"
    program = str(unpacked) if unpacked.is_file() else shutil.which("docker-registry")
    assert program, "docker-registry is missing; `make setup-all` unpacks it on Debian."
    return program


@contextlib.contextmanager
def debian_registry(folder: Path) -> Iterator[str]:
    """A registry that runs while the block does."""
    program = registry_program()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yml").write_text(CONFIGURATION.format(root=folder / "data", port=port))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", folder / "config.yml"], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(port, process, folder / "log")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"The registry does not answer: {log.read_text()}")
