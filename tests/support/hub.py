"""A stand-in of the Hub: what huggingface_hub 2.4 asks of it, over HTTP, with its state on disk.

    with hub(DIR) as stand_in: … HF_ENDPOINT=stand_in.url, HF_TOKEN=hf_writer …
    python -m tests.support.hub DIR        # for developers: says its address, serves until Ctrl-C

Repositories of models and data sets are real bare Git repositories. Writing, and reading a private one,
needs the token ``hf_writer``, or one that ``/oauth/token`` gave for that repository. Large files go to
another host, as they do on the Hub, and their digests are verified. ``before`` and ``after`` may spoil a
request: each gets its number, method and path, and returns the status to answer with instead, ``RESET``,
or None. What is not here: Xet and multipart uploads.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.support.hub_answers import Answer, Hub, Request, answer, json_answer
from tests.support.hub_store import Store
from tests.support.serving import Quiet, served

RESET = 0


def _handler(hub: Hub) -> type[Quiet]:
    class Handler(Quiet):
        def _serve(self) -> None:
            body = b"".join(self.body())
            path, _, query = self.path.partition("?")
            with hub.lock:
                hub.asked.append((self.command, self.path))
                hub.received += len(body)
                about = (len(hub.asked), self.command, path)
                spoilt = hub.before(*about) if hub.before else None
                if spoilt is None:
                    ask = Request(self.command, path, parse_qs(query), self.headers, body)
                    found = answer(hub, ask)
                    spoilt = hub.after(*about) if hub.after else None
            if spoilt == RESET:
                return self.reset()
            self._send(found if spoilt is None else json_answer({"error": "spoilt"}, spoilt))

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

        def _send(self, found: Answer) -> None:
            self.begin(found.status, found.headers, len(found.body))
            if self.command != "HEAD":
                self.wfile.write(found.body)
            self.wfile.flush()

    return Handler


@contextlib.contextmanager
def hub(folder: Path, port: int = 0) -> Iterator[Hub]:
    """Serve what lies in ``folder`` on 127.0.0.1."""
    found = Hub(Store(folder))
    with served(_handler(found), port) as host:
        found.url = f"http://{host}"
        yield found


def used(stand_in: Hub, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Point this process's client and its children at a stand-in; downloads go below ``folder``, and the
    client waits no whole seconds before it tries again."""
    from huggingface_hub import constants
    from huggingface_hub.utils import http_backoff

    from pipelines.release.targets import hub_repository

    template = stand_in.url + "/{repo_id}/resolve/{revision}/{filename}"
    settings = {"HF_HOME": folder, "HF_HUB_CACHE": folder / "hub", "HF_HUB_DISABLE_XET": 1}
    for name, value in {**settings, "HF_ENDPOINT": stand_in.url, "HF_TOKEN": "hf_writer"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(constants, "ENDPOINT", stand_in.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setitem(http_backoff.__kwdefaults__, "base_wait_time", 0.01)
    monkeypatch.setitem(http_backoff.__kwdefaults__, "max_wait_time", 0.01)
    monkeypatch.setattr(hub_repository, "WAITS", (0.01,) * 4)


def main(folder: Path) -> None:
    with hub(folder) as stand_in, contextlib.suppress(KeyboardInterrupt):
        print(
            f"export HF_ENDPOINT={stand_in.url} HF_TOKEN=hf_writer HF_HUB_DISABLE_XET=1", flush=True
        )
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
