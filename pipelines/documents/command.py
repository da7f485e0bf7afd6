"""The real `git` as a child process, kept within limits of time, output and disk.

In: arguments, an environment, ``Limits``. Out: what Git printed, or one of three exceptions. Credential
helpers, ssh, proxies and certificates are Git's own business and follow the settings of whoever runs
Graft. No hook, submodule or prompt comes into play, and nothing that it says is shown unredacted.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipelines.errors import GraftError

OLDEST = (2, 37)  # the first Git that can be pinned to an address (http.curloptResolve)
_SAID = 1 << 20  # what a remote may print while it is fetched from
_SPARE = 1 << 20  # beyond the limit on disk: the watch below is to notice first, and says it better

# What a Git hook or a calling Git leaves behind would lead ours into that repository; traces would
# tell secrets; an asking window would wait for ever.
_NOT_OURS = re.compile(
    r"GIT_(TRACE.*|CURL_VERBOSE|DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|COMMON_DIR|NAMESPACE|PREFIX"
    r"|ALTERNATE_OBJECT_DIRECTORIES|SHALLOW_FILE|QUARANTINE_PATH|CEILING_DIRECTORIES|PROTOCOL"
    r"|EXEC_PATH|TEMPLATE_DIR|EXTERNAL_DIFF|ADVICE|FLUSH)|SSH_ASKPASS|LANGUAGE|LC_.*"
)
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.bigFileThreshold=16m",
    "credential.interactive=false",
    "fetch.unpackLimit=1",  # a pack appears as a whole, loose objects one by one
    "fetch.negotiationAlgorithm=noop",
    "fetch.recurseSubmodules=false",
    "fetch.uriProtocols=",
    "gc.auto=0",
    "http.followRedirects=false",
    "maintenance.auto=false",
    "transfer.bundleURI=false",
)


class GitFailed(Exception):
    """Git ended with an error; ``said`` is its redacted text."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class TooSlow(Exception):
    """Git was stopped because its time was up."""


class TooLarge(Exception):
    """Git was stopped because it had printed, or written to disk, more than it may."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``until`` is a moment of ``time.monotonic``; ``printed`` and ``written`` are bytes.

    ``folder`` is where Git writes.
    """

    until: float
    printed: int = 1 << 26
    folder: Path | None = None
    written: int = 0


def run_git(
    arguments: Sequence[str],
    limits: Limits,
    *,
    settings: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> bytes:
    """Run `git ARGUMENTS`; what it prints. No network is reached unless ``environment`` allows it."""
    options = [word for setting in (*_SETTINGS, *settings) for word in ("-c", setting)]
    whole = {**_environment(), "GIT_ALLOW_PROTOCOL": "", **(environment or {})}
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        stdin.write(given)
        stdin.seek(0)
        words = _bounded(["git", *options, *arguments], limits)
        with _started(words, whole, stdin, stdout, stderr) as process:
            code = _watched(process, limits, stdout, stderr)
        stderr.seek(0)
        said = redacted(stderr.read(_SAID).decode(errors="replace"))
        if code == 0:
            stdout.seek(0)
            return stdout.read()
        if _written(limits) > limits.written or "signal 25" in said or "File too large" in said:
            raise TooLarge
        raise GitFailed(said)


def redacted(said: str) -> str:
    """Without logins in addresses, without control characters, shortened to its last lines."""
    said = re.sub(r"(?<=//)[^/@\s]+@", "***@", said)
    lines = [re.sub(r"[^\x20-\x7e\xa1-\uffff]", "", line).strip() for line in said.splitlines()]
    return "\n".join([line[:300] for line in lines if line][-20:])


@functools.cache
def check_version() -> None:
    """``GraftError`` where Git is missing or too old to be kept to one address."""
    try:
        said = run_git(["version"], Limits(time.monotonic() + 10)).decode()
    except (OSError, GitFailed):
        raise GraftError("Git cannot be run here; install it first.") from None
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise GraftError(f"Documents in other repositories need Git {wanted} or newer.")


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not _NOT_OURS.fullmatch(key)}
    return {
        **kept,
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GCM_INTERACTIVE": "never",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }


@contextlib.contextmanager
def _started(
    words: Sequence[str],
    environment: Mapping[str, str],
    stdin: IO[bytes],
    stdout: IO[bytes],
    stderr: IO[bytes],
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own (no terminal to ask on); stopped with all its children."""
    process = subprocess.Popen(
        words,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd="/",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:  # else it ended by itself, and a helper may have left a daemon
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _bounded(words: Sequence[str], limits: Limits) -> list[str]:
    """Have the kernel bound each file too: a Git that outlives us is watched by nobody."""
    if limits.folder is None:
        return list(words)
    blocks = (limits.written + _SPARE) // 512
    return ["/bin/sh", "-c", 'ulimit -f "$0" && exec "$@"', str(blocks), *words]


def _watched(
    process: subprocess.Popen[bytes], limits: Limits, stdout: IO[bytes], stderr: IO[bytes]
) -> int:
    pause = 0.02
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(pause)
        if time.monotonic() > limits.until:
            raise TooSlow
        printed = os.fstat(stdout.fileno()).st_size
        if printed > limits.printed or os.fstat(stderr.fileno()).st_size > _SAID:
            raise TooLarge
        if _written(limits) > limits.written:
            raise TooLarge
        pause = min(2 * pause, 0.1)


def _written(limits: Limits) -> int:
    """Bytes below the folder now; files may vanish while they are counted."""
    total = 0
    if limits.folder is not None:
        for root, _, names in os.walk(limits.folder):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(root, name)).st_size
    return total
