"""GitHub's REST API over HTTP, in this one module: pages, retries, rate limits; the token stays here.

In: a method, a path below the API's address, JSON. Out: JSON as GitHub sent it; ``api`` makes records of
it. The standard library is enough for the few calls there are: a client library would bring a hundred
thousand lines. A redirect is followed on the API's own host alone, and files are uploaded to the host that
GitHub keeps for them, so the token goes nowhere else.
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from pipelines.errors import GraftError

RETRIES = 5
LONGEST_WAIT = (
    120.0  # seconds that GitHub may ask to wait; beyond them the job ends and is run again
)
TIMEOUT = 30.0
LARGEST = 32 << 20  # bytes of a response
MOST_PAGES = 100
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
# What GitHub names by its content, or what is a set: sent twice it is there once.
_REPEATABLE = re.compile(r"/(?:git/(?:blobs|trees|commits)|labels)$")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_Body = Mapping[str, Any] | bytes | None


class NotThere(GraftError):
    """GitHub answers 404: the thing is not there, or this token may not see it."""


class Unanswered(GraftError):
    """Something was to be made, and nobody knows whether it was: it is not sent twice."""


class Refused(GraftError):
    """GitHub understands and will not: 4xx. ``status`` tells which."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Client:
    """One repository (``owner/name``) as one token sees it. ``repr`` does not show the token."""

    url: str
    repository: str
    token: str = field(repr=False)
    _opener: urllib.request.OpenerDirector = field(
        default_factory=lambda: urllib.request.build_opener(_NoRedirects), repr=False
    )

    def __post_init__(self) -> None:
        if not _REPOSITORY.fullmatch(self.repository):
            raise GraftError(
                f"GITHUB_REPOSITORY is {self.repository[:80]!r}; it must be OWNER/NAME."
            )
        if urlsplit(self.url).scheme not in ("https", "http"):
            raise GraftError("GITHUB_API_URL must begin with https://.")
        self.url = self.url.rstrip("/")

    def get(self, path: str, /, **query: str) -> Any:
        return self._json("GET", self._at(path, query))

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST, PATCH, PUT or DELETE."""
        return self._json(method, self._at(path, {}), body)

    def upload(self, address: str, name: str, data: bytes) -> Any:
        """A file to the ``upload_url`` of a release."""
        return self._json("POST", f"{self._uploads(address)}?{urlencode({'name': name})}", data)

    def pages(self, path: str, key: str = "", /, **query: str) -> Iterator[Any]:
        """Every item of a list, page by page; ``key``: where the list stands in each page."""
        address = self._at(path, {"per_page": "100", **query})
        for _ in range(MOST_PAGES):
            reply = self._asked("GET", address)
            data = _parsed(reply)
            yield from data[key] if key else data
            found = _NEXT.search(reply.headers.get("link", ""))
            if found is None:
                return
            address = self._own(found[1])
        raise GraftError(f"{path}: GitHub lists more than {MOST_PAGES} pages.")

    def _at(self, path: str, query: Mapping[str, str]) -> str:
        """``path`` is below the repository; one that begins with / is below the API."""
        below = path if path.startswith("/") else f"/repos/{self.repository}/{path}"
        return f"{self.url}{below}" + (f"?{urlencode(query)}" if query else "")

    def _own(self, address: str) -> str:
        """An address that GitHub gave, where it is on the API's own host."""
        if urlsplit(address)[:2] != urlsplit(self.url)[:2]:
            raise GraftError("GitHub's API points to another host; the token is not sent there.")
        return address

    def _uploads(self, address: str) -> str:
        """An ``upload_url``, where it is on the API's own host or on the one that GitHub has for files."""
        bare = address.split("{")[0]
        scheme, host = urlsplit(self.url)[:2]
        if urlsplit(bare)[:2] not in (
            (scheme, host),
            (scheme, f"uploads.{host.removeprefix('api.')}"),
        ):
            raise GraftError("GitHub's upload_url is on another host; the token is not sent there.")
        return bare

    def _json(self, method: str, address: str, body: _Body = None) -> Any:
        return _parsed(self._asked(method, address, body))

    def _asked(self, method: str, address: str, body: _Body = None) -> _Reply:
        """The answer, after retries; what GitHub refuses is raised."""
        told = f"{method} {urlsplit(address).path}"
        moved = 0
        for attempt in range(RETRIES + 1):
            reply = self._once(method, address, body)
            if reply is not None and reply.status in (301, 302, 307, 308) and moved < 3:
                address = self._own(urljoin(address, reply.headers.get("location", "")))
                moved += 1
                continue
            wait = 2.0**attempt if reply is None else _wait(reply, attempt)
            if reply is not None and wait is None:
                return _sound(reply, told)
            if wait is not None and wait > LONGEST_WAIT:
                raise GraftError(
                    f"{told}: GitHub's rate limit asks to wait {wait:.0f} s; run this again then."
                )
            # What was created may have been created although no answer came: it is not sent twice.
            if (
                method == "POST"
                and not _REPEATABLE.search(address)
                and (reply is None or reply.status >= 500)
            ):
                raise Unanswered(f"{told}: GitHub did not answer as it should; run this again.")
            if attempt < RETRIES and wait is not None:
                time.sleep(wait)
        raise GraftError(f"{told}: GitHub does not answer ({RETRIES + 1} times); run this again.")

    def _once(self, method: str, address: str, body: _Body) -> _Reply | None:
        """One request; None where nobody answered."""
        request = urllib.request.Request(address, method=method)
        request.add_header("Accept", "application/vnd.github+json")
        request.add_header("X-GitHub-Api-Version", "2022-11-28")
        request.add_header("User-Agent", "graft")
        request.add_header("Authorization", f"Bearer {self.token}")
        if isinstance(body, bytes):
            request.data = body
            request.add_header("Content-Type", "application/octet-stream")
        elif body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            try:
                answer = self._opener.open(request, timeout=TIMEOUT)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                data = answer.read(LARGEST + 1)
                headers = {key.lower(): value for key, value in answer.headers.items()}
                return _Reply(int(answer.status), headers, data)
        except (OSError, HTTPException):
            return None


def open_client(environment: Mapping[str, str] = os.environ) -> Client:
    """The client that the variables of an Actions job describe."""
    missing = [name for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN") if not environment.get(name)]
    if missing:
        raise GraftError(
            f"{' and '.join(missing)} must be set; in GitHub Actions pass the token with "
            "env: GITHUB_TOKEN: ${{ github.token }}."
        )
    url = environment.get("GITHUB_API_URL") or "https://api.github.com"
    return Client(url, environment["GITHUB_REPOSITORY"], environment["GITHUB_TOKEN"])


def segment(text: str) -> str:
    """A name as one part of a path."""
    return quote(text, safe="")


def _wait(reply: _Reply, attempt: int) -> float | None:
    """Seconds after which it may be asked again; None where the answer stands."""
    if reply.status in (500, 502, 503, 504):
        return 2.0**attempt
    if reply.status not in (403, 429):
        return None
    after = reply.headers.get("retry-after", "")
    if after.isdecimal():
        return float(after)
    if reply.headers.get("x-ratelimit-remaining") == "0":
        reset = reply.headers.get("x-ratelimit-reset", "")
        return max(1.0, float(reset) - time.time()) if reset.isdecimal() else 60.0
    if reply.status == 429 or b"secondary rate limit" in reply.body.lower():
        return 2.0**attempt * 5  # GitHub's advice for the secondary limit: wait, longer each time
    return None


def _sound(reply: _Reply, told: str) -> _Reply:
    if len(reply.body) > LARGEST:
        raise GraftError(f"{told}: GitHub's answer is larger than {LARGEST >> 20} MB.")
    if reply.status in (404, 410):
        raise NotThere(f"{told}: GitHub says that this is not there.")
    if reply.status >= 300:
        raise Refused(f"{told}: GitHub refuses ({reply.status}): {_said(reply.body)}", reply.status)
    return reply


def _said(body: bytes) -> str:
    """GitHub's own message, on one line that can be shown."""
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return "it gave no reason"
    return "".join(c if c.isprintable() else " " for c in message)[:300].replace("::", ": :")


def _parsed(reply: _Reply) -> Any:
    if not reply.body:
        return None
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        raise GraftError("GitHub's answer is no JSON.") from None
