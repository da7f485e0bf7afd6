"""A stand-in of GitHub's REST API over real HTTP, for one repository with a real bare Git repository.

    with github(tmp_path / "remote.git") as hub:
        hub.issue(7, body, "ada")
        … GITHUB_API_URL=hub.url GITHUB_REPOSITORY=hub.repository …

It knows issues, comments, labels, pull requests, their files and reviews, check runs, permissions, releases,
the start of a workflow and Git's objects, in GitHub's shapes and with its pages (of ``page_size``, though
100 are asked for). ``asked`` lists the requests; ``fail`` answers the next ones; ``token`` must be sent.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.github_reviews import new_review, review_comments
from tests.support.github_state import BAD_GATEWAY as BAD_GATEWAY
from tests.support.github_state import BOT as BOT
from tests.support.github_state import SECONDARY as SECONDARY
from tests.support.github_state import TOKEN, Hub, Json, Missing, Unprocessable

ENDPOINTS: dict[tuple[str, str], Callable[..., Any]] = {
    ("GET", ""): Hub.repo,
    ("GET", "/issues"): Hub.list_issues,
    ("POST", "/issues"): Hub.new_issue,
    ("GET", r"/issues/(\d+)"): Hub.get_issue,
    ("GET", r"/issues/(\d+)/comments"): Hub.get_comments,
    ("POST", r"/issues/(\d+)/comments"): Hub.new_comment,
    ("PATCH", r"/issues/comments/(\d+)"): Hub.edit_comment,
    ("POST", r"/issues/(\d+)/labels"): Hub.add_labels,
    ("DELETE", r"/issues/(\d+)/labels/([^/]+)"): Hub.remove_label,
    ("GET", r"/collaborators/([^/]+)/permission"): Hub.permission,
    ("GET", "/pulls"): Hub.list_pulls,
    ("POST", "/pulls"): Hub.new_pull,
    ("GET", r"/pulls/(\d+)"): Hub.get_pull,
    ("GET", r"/pulls/(\d+)/files"): Hub.pull_files,
    ("GET", r"/pulls/(\d+)/reviews"): Hub.pull_reviews,
    ("POST", r"/pulls/(\d+)/reviews"): new_review,
    ("GET", r"/pulls/(\d+)/comments"): review_comments,
    ("GET", r"/commits/([0-9a-f]{40})/pulls"): Hub.commit_pulls,
    ("GET", "/commits"): Hub.list_commits,
    ("GET", "/commits/([^/]+)"): Hub.a_commit,
    ("POST", "/check-runs"): Hub.new_check_run,
    ("GET", "/contents/(.+)"): Hub.contents,
    ("GET", r"/actions/workflows/([\w.-]+)"): Hub.workflow,
    ("POST", r"/actions/workflows/(\d+)/dispatches"): Hub.dispatch,
    ("POST", "/releases"): Hub.new_release,
    ("GET", "/releases/tags/([^/]+)"): Hub.release_of,
    ("POST", r"/releases/(\d+)/assets"): Hub.new_asset,
    ("DELETE", r"/releases/assets/(\d+)"): Hub.remove_asset,
    ("GET", "/git/ref/((?:heads|tags)/.+)"): Hub.get_ref,
    ("POST", "/git/tags"): Hub.new_tag,
    ("POST", "/git/refs"): Hub.new_ref,
    ("PATCH", "/git/refs/heads/(.+)"): Hub.move_ref,
    ("GET", r"/git/commits/([0-9a-f]{40})"): Hub.get_commit,
    ("GET", "/git/blobs/([0-9a-f]{40})"): Hub.get_blob,
    ("POST", "/git/blobs"): Hub.new_blob,
    ("POST", "/git/trees"): Hub.new_tree,
    ("POST", "/git/commits"): Hub.new_commit,
}


def _page(
    hub: Hub, data: list[Json], path: str, query: dict[str, str]
) -> tuple[dict[str, str], list[Json]]:
    """One page of a list, and the header that names the next one."""
    size = min(hub.page_size, int(query.get("per_page", "30")))
    page = int(query.get("page", "1"))
    headers = {}
    if len(data) > page * size:
        more = urllib.parse.urlencode({**query, "page": page + 1})
        headers["Link"] = f'<{hub.url}{path}?{more}>; rel="next"'
    return headers, data[(page - 1) * size : page * size]


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            return None

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):
                super().handle_one_request()

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with hub.lock:
                hub.asked.append((self.command, self.path))
                hub.tokens.add(self.headers.get("Authorization", ""))
                if hub.fail:
                    return self._send(*hub.fail.pop(0))
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    return self._send(401, {}, {"message": "Bad credentials"})
                if self.headers.get("Content-Type") == "application/octet-stream":
                    return self._answer({"data": body})
                return self._answer(json.loads(body) if body else {})

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _do

        def _answer(self, body: Json) -> None:
            parts = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(parts.query))
            top = f"/repos/{hub.repository}"
            if parts.path.startswith("/users/"):
                return self._send(200, {}, hub.user(parts.path.removeprefix("/users/")))
            below = parts.path.removeprefix(top)
            for (method, pattern), answer in ENDPOINTS.items():
                found = re.fullmatch(pattern, below)
                if method != self.command or not found or not parts.path.startswith(top):
                    continue
                words = [urllib.parse.unquote(word) for word in found.groups()]
                try:
                    asked = query if method == "GET" else {**query, **body}
                    data = answer(hub, asked, *words)
                except Missing:
                    break
                except Unprocessable as error:
                    told: Json = {"message": str(error), "status": "422"}
                    if error.reasons:
                        told["errors"] = list(error.reasons)
                    return self._send(422, {}, told)
                if isinstance(data, list) and method == "GET":
                    return self._send(200, *_page(hub, data, parts.path, query))
                if data is None:
                    return self._send(204, {}, None)
                return self._send(201 if method == "POST" else 200, {}, data)
            return self._send(404, {}, {"message": "Not Found"})

        def _send(self, status: int, headers: dict[str, str], data: Any) -> None:
            body = b"" if data is None else json.dumps(data).encode()
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


@contextlib.contextmanager
def github(git_dir: Path) -> Iterator[Hub]:
    """The stand-in at ``hub.url``; ``git_dir`` is a bare repository that has a branch main."""
    hub = Hub(git_dir)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
