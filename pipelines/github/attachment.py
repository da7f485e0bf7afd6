"""A document that a form links to → its bytes, from the hosts where GitHub keeps attachments alone.

In: an address that a stranger wrote. Out: a name and at most ``MOST_MEGABYTES``. Every host is resolved
once, must have public addresses, and is connected to at that very address; each redirect is looked at in
the same way. No token is sent along: what is attached to a public issue can be had without one.
"""

from __future__ import annotations

import http.client
import posixpath
import re
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

from pipelines.documents.address import PORTS, Address, resolve
from pipelines.errors import DocumentError, GraftError
from pipelines.policy import DocumentPolicy

MOST_MEGABYTES = 5
SECONDS = 60.0
REDIRECTS = 3
# Host → how a path begins that a document may have there. GitHub sends the first of them to the others.
HOSTS: dict[str, str] = {
    "github.com": r"/user-attachments/(?:files|assets)/|/[\w.-]+/[\w.-]+/files/\d+/",
    "objects.githubusercontent.com": r"/",
    "release-assets.githubusercontent.com": r"/",
    "github-production-repository-file-5c1aeb.s3.amazonaws.com": r"/",
    "github-production-user-asset-6210df.s3.amazonaws.com": r"/",
    "raw.githubusercontent.com": r"/[\w.-]+/[\w.-]+/",
    "gist.githubusercontent.com": r"/[\w.-]+/",
}
_ALONE = re.compile(r"!?\[[^\]\n]*\]\((?P<link>[^)\s]+)\)|<?(?P<bare>https?://[^\s<>)]+)>?")


@dataclass(frozen=True, slots=True)
class Attached:
    """A file's name as its address gives it, not to be used as a path, and what is in it."""

    name: str
    data: bytes


def link_of(text: str) -> str:
    """The address in a text that is one link and nothing else; "" where it is a document's own text."""
    found = _ALONE.fullmatch(text.strip())
    return (found["link"] or found["bare"]) if found else ""


def fetch(address: str, policy: DocumentPolicy) -> Attached:
    """The document; ``GraftError`` says why it cannot be had."""
    end = time.monotonic() + SECONDS
    name = posixpath.basename(unquote(urlsplit(address).path)) or "document"
    for _ in range(REDIRECTS + 1):
        found, address = _once(address, policy, end)
        if found is not None:
            return Attached(name, found)
    raise GraftError("The attachment's address leads from one to another; attach the file itself.")


def _once(address: str, policy: DocumentPolicy, end: float) -> tuple[bytes | None, str]:
    """The bytes at an address, or the address that it leads to."""
    at = _allowed(address, policy)
    try:
        ips = resolve(at, policy)
    except DocumentError as error:
        raise GraftError(f"The attachment cannot be had: {error}") from None
    if not ips:
        raise GraftError(f"The attachment's host {at.host} has no address here.")
    parts = urlsplit(address)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _Pinned(at, ips[0])
    try:
        connection.request("GET", path, headers={"User-Agent": "graft", "Accept": "*/*"})
        answer = connection.getresponse()
        if answer.status in (301, 302, 303, 307, 308):
            return None, urljoin(address, answer.headers.get("Location", ""))
        if answer.status != 200:
            raise GraftError(
                f"{at.host} answers {answer.status} for the attachment; attach it to the issue again."
            )
        return _read(answer, end), address
    except (OSError, http.client.HTTPException):
        raise GraftError(f"The attachment cannot be had from {at.host}; try again later.") from None
    finally:
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to one IP address, whatever the name says by now; TLS is held to the name."""

    def __init__(self, at: Address, ip: str) -> None:
        super().__init__(at.host, at.port, timeout=20.0)
        self._at, self._ip = at, ip

    def connect(self) -> None:
        self.sock = socket.create_connection((self._ip, self._at.port), self.timeout)
        if self._at.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._at.host)


def _allowed(address: str, policy: DocumentPolicy) -> Address:
    """The address taken apart; ``GraftError`` where it is on none of ``HOSTS``."""
    if re.search(r"[^\x21-\x7e]|[\\\"<>]", address) or len(address) > 2000:
        raise GraftError("The attachment's address holds a character that no address has.")
    try:
        parts = urlsplit(address)
        host, given = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise GraftError("The attachment's address cannot be understood.") from None
    port = given or PORTS.get(parts.scheme, 0)
    named = {name.lower() for name in policy.allow_hosts} & {host, f"{host}:{port}"}
    known = HOSTS.get(host)
    if parts.username is not None or parts.password is not None:
        raise GraftError("The attachment's address holds a login; take it out.")
    if not named and (parts.scheme != "https" or port != 443 or known is None):
        raise GraftError(
            f"Documents are not taken from {host[:60] or 'there'}: drag the file into the form, or paste "
            "its text."
        )
    if known is not None and not re.match(known, parts.path):
        raise GraftError(f"{address[:100]} is no attached file; drag the file into the form.")
    return Address(f"{parts.scheme}://{host}", parts.scheme, host, port)


def _read(answer: http.client.HTTPResponse, end: float) -> bytes:
    most = MOST_MEGABYTES << 20
    data = bytearray()
    while part := answer.read1(1 << 16):
        data += part
        if len(data) > most:
            raise GraftError(
                f"The attachment is larger than {MOST_MEGABYTES} MB; take a part of it."
            )
        if time.monotonic() > end:
            raise GraftError(
                f"The attachment did not come within {SECONDS:.0f} s; try again later."
            )
    return bytes(data)
