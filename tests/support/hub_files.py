"""A stand-in of the Hub for downloads: files of data sets at commits, over HTTP as the Hub sends them.

    with hub_files({("owner/name", COMMIT, "rows.jsonl"): b"…"}) as hub:
        … HF_ENDPOINT=hub.url …; hub.asked lists the requests.

It answers HEAD and GET of ``/datasets/OWNER/NAME/resolve/REVISION/FILE`` with the commit, an ETag and
the length, and 404 with the Hub's error codes for what it lacks.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Files = Mapping[tuple[str, str, str], bytes]


@dataclass
class HubFiles:
    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextlib.contextmanager
def hub_files(files: Files) -> Iterator[HubFiles]:
    hub = HubFiles("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def log_message(self, format: str, *arguments: object) -> None:
            return None

        def _answer(self, body: bool) -> None:
            hub.asked.append((self.command, self.path))
            parts = self.path.split("/")
            if parts[1] != "datasets" or len(parts) < 7 or parts[4] != "resolve":
                return self._missing("RepoNotFound")
            repository, revision = "/".join(parts[2:4]), parts[5]
            data = files.get((repository, revision, "/".join(parts[6:])))
            if data is None:
                known = {(name, at) for name, at, _ in files}
                there = (repository, revision) in known
                return self._missing("EntryNotFound" if there else "RevisionNotFound")
            self.send_response(200)
            self.send_header("X-Repo-Commit", revision)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def _missing(self, code: str) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
