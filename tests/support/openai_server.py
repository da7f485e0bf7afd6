"""A stand-in OpenAI-compatible server, in a process of its own, that tells what it was asked.

    with start("faults", answer="tagged") as server:
        …  # the client talks to server.url, "http://127.0.0.1:PORT/v1"
        server.counts().calls

    python -m tests.support.openai_server --profile tail --port 8000

It speaks ``GET /v1/models``, ``GET /health``, ``POST /v1/chat/completions`` and ``POST /v1/completions``
(no streaming), with errors in OpenAI's shape. Answers follow from the messages alone
(``openai_answers``); what goes wrong, and how long an answer takes, follows from the request's content
and how often it was sent before, so that a retry may succeed (``openai_profiles``). Outside of ``/v1``:
``GET /counter``, whose counts are the truth about what arrived, ``GET /prompts``, ``GET /delays`` and
``POST /counter/reset``. The process ends with its parent, whatever happens to that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REFUSED, ALWAYS_GARBAGE = "[[poison: refused]]", "[[poison: garbage]]"  # in a prompt, any profile


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server behaves. ``json_schema``: supported, refused (400) or ignored.

    ``latency`` in seconds is added to the profile's. ``limit`` is how many requests may be in flight
    before the next one gets 429, ``context`` how many tokens fit; 0 is without limit.
    """

    profile: str = "zero"
    answer: str = "tagged"
    model: str = "stand-in"
    token: str = ""
    json_schema: str = "supported"
    latency: float = 0.0
    limit: int = 0
    context: int = 0
    retry_after: int = 1
    seed: int = 0


@dataclass(slots=True)
class Counts:
    """``calls`` counts requests for an answer on their arrival, ``prompts`` what they asked (a legacy
    request may hold several), ``distinct`` different prompts with their index of repetition left out,
    ``abandoned`` those whose client went away. ``delays`` are seconds, added up; ``cpu`` is the
    server's own since its start.
    """

    calls: int = 0
    prompts: int = 0
    distinct: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0
    most_in_flight: int = 0
    abandoned: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    delays: float = 0.0
    cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs. ``url`` ends with ``/v1``."""

    url: str
    process: subprocess.Popen[str]

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")

    def counts(self) -> Counts:
        """What arrived since the start or the last reset."""
        return Counts(**self._json("/counter"))

    def prompts(self) -> dict[str, int]:
        """How often each distinct prompt was asked, by the hash of its content."""
        found: dict[str, int] = self._json("/prompts")
        return found

    def delays(self) -> list[float]:
        """How long each answer was held back, in order of arrival, in seconds."""
        found: list[float] = self._json("/delays")
        return found

    def reset(self) -> None:
        """Counts back to zero; attempts are forgotten, too."""
        request = urllib.request.Request(f"{self.root}/counter/reset", method="POST")
        with _OPENER.open(request, timeout=30):
            pass

    def _json(self, path: str) -> Any:
        with _OPENER.open(f"{self.root}{path}", timeout=30) as response:
            return json.load(response)


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def start(profile: str = "zero", **settings: Any) -> Iterator[Server]:
    """A server with these ``Settings``, ready; it is gone when the block ends, however that ends."""
    wanted = Settings(profile, **settings)
    command = [sys.executable, "-m", "tests.support.openai_server", "--with-parent"]
    for name, value in dataclasses.asdict(wanted).items():
        command.append(f"--{name.replace('_', '-')}={value}")
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"the stand-in server did not start: {' '.join(command)}")
        yield Server(url, process)
    finally:
        process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()


async def serve(settings: Settings, port: int, with_parent: bool) -> None:
    """Serve until cancelled or, ``with_parent``, until standard input ends; the URL is printed first."""
    from aiohttp import web

    from tests.support.openai_http import Site

    site = Site(settings)
    runner = web.ServerRunner(web.Server(site.handle, handler_cancellation=True, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", flush=True)
    if with_parent:
        await asyncio.to_thread(sys.stdin.read)
    else:
        await asyncio.Event().wait()


def main(words: list[str]) -> int:
    """Run the server in this process."""
    parser = argparse.ArgumentParser(description="A stand-in OpenAI-compatible server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    for known in dataclasses.fields(Settings):
        option = f"--{known.name.replace('_', '-')}"
        parser.add_argument(option, type=type(known.default), default=known.default)
    given = vars(parser.parse_args(words))
    port, with_parent = given.pop("port"), given.pop("with_parent")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Settings(**given), port, with_parent))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
