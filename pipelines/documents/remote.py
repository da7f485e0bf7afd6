"""A repository over the network: Git is run against it, pinned to the addresses that were checked.

In: an ``Address`` and an empty bare repository to fetch into. Out: what Git prints; redirects are followed
here, one by one, each to an address that is checked like the first. ``sentence`` says in plain words why
Git failed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urljoin

from pipelines.documents.address import Address, parse_address, resolve
from pipelines.documents.command import (
    GitFailed,
    Limits,
    TooLarge,
    TooSlow,
    run_git,
)
from pipelines.errors import DocumentError
from pipelines.policy import DocumentPolicy

_HOPS = 3
_REDIRECTED = re.compile(r"returned error: 30[12378]\b")
_LOCATION = re.compile(r"<= Recv header: location: *(\S+)", re.IGNORECASE)
_ENDING = re.compile(r"/info/refs(\?.*)?$")


_SINGLE = re.compile(r"unadvertised object|not our ref|not support shallow")
LARGER = "Name fewer files in `patterns`, or have max_megabytes raised in graft.yaml."


class Refused(Exception):
    """The server gives no single objects by their id; ``unknown``: it does not have this one."""

    def __init__(self, *, unknown: bool) -> None:
        super().__init__(unknown)
        self.unknown = unknown


class Remote:
    """A repository to fetch from into the bare repository ``folder``, until the time is up."""

    def __init__(
        self, address: Address, policy: DocumentPolicy, folder: Path, until: float
    ) -> None:
        self._address = address
        self._policy = policy
        self._folder = folder
        self._until = until

    def git(self, arguments: Sequence[str], given: str = "") -> bytes:
        """Run Git against the remote ``origin``; ``Refused``, or ``DocumentError`` with the cause."""
        try:
            return self._followed(arguments, given)
        except TooSlow:
            message = f"{self._address.url} did not answer within {self._policy.seconds} seconds."
            raise DocumentError(message, hint="Try again later.") from None
        except TooLarge:
            megabytes = self._policy.max_megabytes
            message = f"{self._address.url} sent more than {megabytes} MB for these documents."
            raise DocumentError(message, about="patterns", hint=LARGER) from None
        except GitFailed as error:
            if _SINGLE.search(error.said):
                raise Refused(unknown="not our ref" in error.said) from None
            raise sentence(self._address, error.said) from None

    def _followed(self, arguments: Sequence[str], given: str) -> bytes:
        for _ in range(_HOPS):
            pins = resolve(self._address, self._policy)
            try:
                return self._run(arguments, pins, given)
            except GitFailed as error:
                if not _REDIRECTED.search(error.said):
                    raise
            self._address = self._next(pins)
        raise DocumentError("The repository's address is redirected again and again.")

    def _run(
        self, arguments: Sequence[str], pins: Sequence[str], given: str = "", trace: str = ""
    ) -> bytes:
        address = self._address
        settings = [
            f"remote.origin.url={address.url}",
            "http.lowSpeedLimit=1",
            f"http.lowSpeedTime={self._policy.seconds}",
        ]
        if pins and address.scheme in ("http", "https"):
            ips = ",".join(f"[{ip}]" if ":" in ip else ip for ip in pins)
            settings.append(f"http.curloptResolve={address.host}:{address.port}:{ips}")
        # An operator's url.….insteadOf may lead from https to ssh or back; nothing else is reached.
        environment = {"GIT_ALLOW_PROTOCOL": ":".join(sorted({address.scheme, "https", "ssh"}))}
        if trace:
            environment |= {
                "GIT_TRACE_CURL": trace,
                "GIT_TRACE_CURL_NO_DATA": "1",
                "GIT_TRACE_REDACT": "1",
            }
        written = self._policy.max_megabytes * 1_000_000
        limits = Limits(self._until, folder=self._folder, written=written)
        words = [f"--git-dir={self._folder}", *arguments]
        return run_git(
            words, limits, settings=settings, environment=environment, given=given.encode()
        )

    def _next(self, pins: Sequence[str]) -> Address:
        """Where the server sends us. Git itself is asked: it has the login, proxy and certificates."""
        trace = self._folder / "graft-trace"
        with contextlib.suppress(GitFailed):
            self._run(["ls-remote", "--quiet", "origin", "HEAD"], pins, trace=str(trace))
        with contextlib.suppress(OSError):
            places = _LOCATION.findall(trace.read_text(errors="replace"))
            trace.unlink()
            if places:
                place = _ENDING.sub("", urljoin(f"{self._address.url}/info/refs", places[-1]))
                return self._redirected(place)
        raise DocumentError("The repository's address is redirected to nowhere.")

    def _redirected(self, place: str) -> Address:
        try:
            return parse_address(place, self._policy)
        except DocumentError as error:
            message = f"The repository's address is redirected. {error.message}"
            raise DocumentError(message, hint=error.hint) from None


_CAUSES = (
    (
        r"No space left on device|Disk quota exceeded",
        "The disk is full, so that {url} cannot be fetched.",
        "Free some of it, or name another folder in GRAFT_CACHE.",
    ),
    (
        r"could not read (Username|Password)|terminal prompts disabled|Authentication failed"
        r"|returned error: 40[13]|no credential|invalid credentials",
        "The repository {url} asks for a login that this machine does not have, or is not there.",
        "Look at it with `git ls-remote`; a login is kept by one of Git's credential helpers.",
    ),
    (
        r"returned error: 404|repository .* not found|does not (exist|appear to be a git repository)",
        "There is no repository {url}, or this machine may not see it.",
        "Look for a slip in its address; it may have moved, or been made private.",
    ),
    (
        r"certificate|SSL_ERROR|CAfile",
        "The server of {url} has a certificate that this machine does not trust.",
        "Name the authority's file in GIT_SSL_CAINFO, or in Git's setting http.sslCAInfo.",
    ),
    (
        r"Permission denied \(|Host key verification failed|publickey",
        "The server of {url} does not let this machine in by ssh.",
        "Try `ssh` to that host by hand: it must know your key, and you its own.",
    ),
    (
        r"Could(n't| not) (resolve|connect)|Failed to connect|Connection (refused|timed out|reset)"
        r"|No route to host|Operation too slow|Network is unreachable|Could not resolve proxy",
        "The server of {url} cannot be reached.",
        "Try again later; behind a proxy, set https_proxy.",
    ),
)


def sentence(address: Address, said: str) -> DocumentError:
    """What Git said, as the cause for which a document cannot be had."""
    for pattern, message, hint in _CAUSES:
        if re.search(pattern, said, re.IGNORECASE):
            return DocumentError(message.format(url=address.url), hint=hint)
    line = next((line for line in said.splitlines() if line.startswith("fatal:")), said[-200:])
    line = line.removeprefix("fatal:").strip().rstrip(".") or "no reason"
    return DocumentError(f"Git cannot fetch from {address.url}: {line}.")
