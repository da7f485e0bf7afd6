"""A stand-in of the Hub for downloads: files at commits, over HTTP as the Hub sends them.

    with hub_files({("owner/name", COMMIT, "rows.jsonl"): b"…"}) as hub:
        … HF_ENDPOINT=hub.url …; hub.asked lists the requests.

It answers HEAD and GET of ``/datasets/OWNER/NAME/resolve/REVISION/FILE``, and for models of
``/OWNER/NAME/resolve/REVISION/FILE``, with the commit, an ETag and the length; of a model also
``/api/models/OWNER/NAME/tree/REVISION``, which lists the files; and 404 with the Hub's error codes
for what it lacks.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Files = Mapping[tuple[str, str, str], bytes]


@dataclass
class HubFiles:
    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)


def _handler(hub: HubFiles, files: Files, models: Files) -> type[BaseHTTPRequestHandler]:
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
            parts = self.path.split("?")[0].split("/")[1:]
            if parts[:2] == ["api", "models"] and parts[4:5] == ["tree"]:
                return self._listing("/".join(parts[2:4]), parts[5], body)
            held = files if parts[0] == "datasets" else models
            parts = parts[1:] if parts[0] == "datasets" else parts
            if len(parts) < 5 or parts[2] != "resolve":
                return self._missing("RepoNotFound")
            repository, revision = "/".join(parts[:2]), parts[3]
            data = held.get((repository, revision, "/".join(parts[4:])))
            if data is None:
                known = {(name, at) for name, at, _ in held}
                there = (repository, revision) in known
                return self._missing("EntryNotFound" if there else "RevisionNotFound")
            return self._send(data, revision, body)

        def _listing(self, repository: str, revision: str, body: bool) -> None:
            found = [
                {"type": "file", "path": file, "size": len(data), "oid": revision}
                for (name, at, file), data in sorted((models).items())
                if (name, at) == (repository, revision)
            ]
            if not found:
                return self._missing("RevisionNotFound")
            return self._send(json.dumps(found).encode(), revision, body)

        def _send(self, data: bytes, revision: str, body: bool) -> None:
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

    return Handler


@contextlib.contextmanager
def hub_files(files: Files, models: Files | None = None) -> Iterator[HubFiles]:
    hub = HubFiles("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub, files, models or {}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
