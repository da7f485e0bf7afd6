"""A loopback server that speaks OpenAI's completions and chat completions, answering by ``answers.reply``.

The same prompt has the same answers, of which a request for ``n`` gets the first n; at temperature 1 a
prompt that comes again gets the next ones.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.generate.instructlab.answers import reply
from tests.generate.instructlab.rows import spoken


class _Handler(BaseHTTPRequestHandler):
    drawn: Counter[str]

    def do_GET(self) -> None:
        self._send(404, {"error": {"message": "there is nothing here"}})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = asked.get("n", 1)
        if self.path.endswith("/chat/completions"):
            turns = [(turn["role"], turn["content"]) for turn in asked["messages"]]
            texts = self._answers(spoken(turns), number, asked)
            choices: list[dict[str, Any]] = [
                {"message": {"role": "assistant", "content": text}} for text in texts
            ]
        else:
            prompts = asked["prompt"] if isinstance(asked["prompt"], list) else [asked["prompt"]]
            plain = [_unwrapped(prompt) for prompt in prompts]
            texts = [text for prompt in plain for text in self._answers(prompt, number, asked)]
            choices = [{"text": text, "logprobs": None} for text in texts]
        for index, choice in enumerate(choices):
            choice.update(index=index, finish_reason="stop")
        self._send(200, {"id": "x", "object": "x", "created": 0, "model": "x", "choices": choices})

    def _answers(self, prompt: str, number: int, asked: dict[str, Any]) -> list[str]:
        first = 0
        if asked.get("temperature", 0) >= 1:
            first = self.drawn[prompt]
            self.drawn[prompt] += number
        return [reply(prompt, first + index) for index in range(number)]

    def _send(self, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return None


def _unwrapped(prompt: str) -> str:
    """A prompt without the chat template that a client puts around it for plain completions."""
    found = re.fullmatch(r"<s>\s*\[INST\] (.*) \[/INST\]", prompt, re.DOTALL)
    return found[1] if found else prompt


@contextlib.contextmanager
def stand_in() -> Iterator[str]:
    """Its address while it serves."""
    handler = type("Handler", (_Handler,), {"drawn": Counter()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
