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
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.github_releases import new_asset, new_release, release_of, remove_asset
from tests.support.github_reviews import new_review, review_comments
from tests.support.github_state import BAD_GATEWAY as BAD_GATEWAY
from tests.support.github_state import BOT as BOT
from tests.support.github_state import SECONDARY as SECONDARY
from tests.support.github_state import TOKEN, Failure, Hub, Json, Missing, Unprocessable
from tests.support.serving import Quiet, served

if TYPE_CHECKING:
    from tests.support.actions import Forge

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
    ("GET", r"/actions/runs/(\d+)"): Hub.a_run,
    ("GET", r"/actions/workflows/([\w.-]+)"): Hub.workflow,
    ("POST", r"/actions/workflows/(\d+)/dispatches"): Hub.dispatch,
    ("POST", "/releases"): new_release,
    ("GET", "/releases/tags/([^/]+)"): release_of,
    ("POST", r"/releases/(\d+)/assets"): new_asset,
    ("DELETE", r"/releases/assets/(\d+)"): remove_asset,
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


def _answer(hub: Hub, method: str, target: str, body: Json) -> Failure:
    """Status, headers and data, or None where there is no content."""
    parts = urllib.parse.urlsplit(target)
    query = dict(urllib.parse.parse_qsl(parts.query))
    if parts.path.startswith("/users/"):
        return 200, {}, hub.user(parts.path.removeprefix("/users/"))
    top = f"/repos/{hub.repository}"
    below = parts.path.removeprefix(top) if parts.path.startswith(top) else None
    for (known, pattern), answer in ENDPOINTS.items():
        found = re.fullmatch(pattern, below) if known == method and below is not None else None
        if not found:
            continue
        words = [urllib.parse.unquote(word) for word in found.groups()]
        try:
            data = answer(hub, query if method == "GET" else {**query, **body}, *words)
        except Missing:
            break
        except Unprocessable as error:
            reasons = {"errors": list(error.reasons)} if error.reasons else {}
            return 422, {}, {"message": str(error), "status": "422", **reasons}
        if isinstance(data, list) and method == "GET":
            return 200, *_page(hub, data, parts.path, query)
        return (204 if data is None else 201 if method == "POST" else 200), {}, data
    return 404, {}, {"message": "Not Found"}


def _handler(hub: Hub) -> type[Quiet]:
    class Handler(Quiet):
        def _do(self) -> None:
            body = b"".join(self.body())
            with hub.lock:
                hub.asked.append((self.command, self.path))
                hub.tokens.add(self.headers.get("Authorization", ""))
                found = self._found(body)
                lost = next((end for end in hub.lost if self.path.endswith(end)), None)
                if lost is not None:
                    hub.lost.remove(lost)
                    found = (502, {}, {"message": "Bad Gateway"})
                self._send(*found)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _do

        def _found(self, body: bytes) -> Failure:
            if hub.fail:
                return hub.fail.pop(0)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return 401, {}, {"message": "Bad credentials"}
            if self.headers.get("Content-Type") == "application/octet-stream":
                return _answer(hub, self.command, self.path, {"data": body})
            return _answer(hub, self.command, self.path, json.loads(body) if body else {})

        def _send(self, status: int, headers: Mapping[str, str], data: Any) -> None:
            body = b"" if data is None else json.dumps(data).encode()
            told = {**headers, "Content-Type": "application/json; charset=utf-8"}
            self.begin(status, told, len(body))
            self.wfile.write(body)

    return Handler


@contextlib.contextmanager
def github(git_dir: Path) -> Iterator[Hub]:
    """The stand-in at ``hub.url``; ``git_dir`` is a bare repository that has a branch main."""
    hub = Hub(git_dir)
    with served(_handler(hub)) as host:
        hub.url = f"http://{host}"
        yield hub


@contextlib.contextmanager
def at_github(place: Forge) -> Iterator[Hub]:
    """The jobs of ``place`` talk to the stand-in."""
    with github(place.origin) as found:
        place.repository, place.token = found.repository, TOKEN
        place.environment["GITHUB_API_URL"] = found.url
        yield found
