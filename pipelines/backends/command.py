"""A teacher's own server: started before its first call, waited for, ended after its last.

In: a recipe's ``command`` and the backend that asks the server it starts. Out: a backend. A run whose
answers all lie in the store starts nothing. The server ends with the run, whatever ends that
(``guard.py``), and the GPU memory that it took is seen free again before ``close`` returns.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipelines.backends import Answer, Backend, Call
from pipelines.backends.guard import GRACE
from pipelines.backends.reach import OPENAI, api_key, base_url, cleaned
from pipelines.errors import BackendError, CallError
from pipelines.recipe import Teacher

START = 1800.0  # seconds until a server answers: large models load for minutes
FREE = 60.0  # seconds until the driver has taken back a process's memory
SLACK = 512  # MiB by which the GPU's memory in use may differ from before
_GUARD = Path(__file__).with_name("guard.py")
_TAIL = 4096  # bytes of what the command said


class Commanded:
    """``backend``, with the server that ``teacher.command`` starts behind it."""

    def __init__(self, teacher: Teacher, backend: Backend, start: float = START) -> None:
        try:
            self._words = shlex.split(teacher.command)
        except ValueError as error:
            raise BackendError(f"The teacher's command cannot be read: {error}.") from error
        self._url = base_url(teacher)
        if teacher.backend != "openai_api" or self._url == OPENAI or not self._words:
            raise BackendError(
                "A command needs the backend openai_api, and as url where its server will answer."
            )
        self._key = api_key(teacher)
        self._backend = backend
        self._start = start
        self._starting = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed with this
        self._in_use: list[int] = []

    async def answer(self, call: Call) -> Answer:
        """The server's answer; the first call waits until it runs."""
        async with self._starting:
            if self._process is None:
                await self._started()
        try:
            return await self._backend.answer(call)
        except CallError:
            raise
        except BackendError as error:
            ended = await self._ended_soon()
            raise BackendError(ended) if ended else error from None

    async def close(self) -> None:
        """End the server; ``BackendError`` where it leaves GPU memory in use."""
        try:
            await self._backend.close()
        finally:
            process, self._process = self._process, None
            if process is not None:
                await asyncio.to_thread(_end, process)
            self._said.close()
        if process is not None:
            await self._seen_free()

    async def _started(self) -> None:
        if await self._status("") is not None:
            raise BackendError(
                f"Something answers at {self._url} already, so the teacher's command was not started. "
                "Stop what runs there, or take command out of the recipe."
            )
        self._in_use = await asyncio.to_thread(gpu_memory)
        self._process = subprocess.Popen(
            [sys.executable, str(_GUARD), *self._words],
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        until = time.monotonic() + self._start
        wait = 0.05
        while not await self._healthy():
            ended = self._ended()
            if ended:
                raise BackendError(ended)
            if time.monotonic() > until:
                raise BackendError(
                    f"The teacher's command runs, and nothing answers at {self._url} after "
                    f"{self._start:.0f} s; {self._tail()}."
                )
            await asyncio.sleep(wait)
            wait = min(1.0, 1.5 * wait)

    def _ended(self) -> str:
        """What there is to say of a command that has ended; "" while it runs."""
        code = self._process.poll() if self._process is not None else None
        return "" if code is None else f"The teacher's command ended with {code}; {self._tail()}."

    async def _ended_soon(self) -> str:
        """The same; a server that has just died may take a moment to be seen to."""
        until = time.monotonic() + 1
        while not (ended := self._ended()) and time.monotonic() < until:
            await asyncio.sleep(0.05)
        return ended

    def _tail(self) -> str:
        self._said.seek(0, 2)
        self._said.seek(max(0, self._said.tell() - _TAIL))
        lines = self._said.read().decode("utf-8", "replace").splitlines()
        last = [line for line in lines if line.strip()][-5:]
        told = cleaned(" / ".join(last)[-280:], self._key)
        return f"it said last: {told}" if told else "it said nothing"

    async def _healthy(self) -> bool:
        status = await self._status(f"{self._url.removesuffix('/v1')}/health")
        if status is None or status >= 500:
            return False
        return status == 200 or await self._status(f"{self._url}/models") == 200

    async def _status(self, url: str) -> int | None:
        """The status of a GET; None where nobody answers."""
        import aiohttp

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = aiohttp.ClientTimeout(10)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
                session.get(url or f"{self._url}/models", allow_redirects=False) as response,
            ):
                return response.status
        except (aiohttp.ClientError, OSError):
            return None

    async def _seen_free(self) -> None:
        until = time.monotonic() + FREE
        while True:
            now = await asyncio.to_thread(gpu_memory)
            kept = [a - b for a, b in zip(now, self._in_use, strict=False) if a - b > SLACK]
            if not kept:
                return
            if time.monotonic() > until:
                raise BackendError(
                    f"The teacher's command has ended, and {max(kept)} MiB more of the GPU are in use "
                    "than before it. End what it left behind; run again to go on."
                )
            await asyncio.sleep(0.5)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(2 * GRACE + 5)
    except subprocess.TimeoutExpired:  # the guard itself is stopped or stuck
        process.kill()
        process.wait()


def gpu_memory() -> list[int]:
    """MiB in use on each NVIDIA GPU; empty where there is none or its driver does not say."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    words = [program, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
        return [int(line) for line in done.stdout.split()]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
