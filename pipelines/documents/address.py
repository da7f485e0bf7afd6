"""Where a document repository is: the `repo` of a leaf → an ``Address`` that policy allows.

In: what a contributor wrote, hence hostile. Out: an ``Address``, and for the network the IP addresses
that its host has now. A host is resolved once and Git is pinned to the answer, so that a name cannot
change its mind between the check and the fetch. Where a proxy does the connecting it also does the
resolving, and is trusted with that.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from pipelines.errors import DocumentError
from pipelines.policy import DocumentPolicy

PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
_SCP = re.compile(
    r"(?:(?P<user>[\w.][\w.-]*)@)?(?P<host>[\w.-]+|\[[0-9a-fA-F:.]+\]):(?!//|:)(?P<path>.+)"
)
_HOST = re.compile(r"(?!-)[a-z0-9_.-]{1,253}(?<!-)|[0-9a-f:.]+")
_UNSEEMLY = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029]")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NEVER = tuple(ipaddress.IPv6Network(net) for net in ("64:ff9b:1::/48", "fec0::/10", "::/96"))

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Address:
    """A repository's address in one spelling; ``url`` holds no secret and may be shown."""

    url: str
    scheme: str
    host: str
    port: int


def parse_address(repo: str, policy: DocumentPolicy) -> Address:
    """The address that ``repo`` spells; ``DocumentError`` where policy does not allow it."""
    if _UNSEEMLY.search(repo) or len(repo) > 2000:
        raise DocumentError("The repository's address holds a space or another odd character.")
    if "://" not in repo:
        return _scp(repo, policy)
    try:
        parts = urlsplit(repo)
        port = parts.port
    except ValueError:
        raise DocumentError("The repository's address cannot be understood.") from None
    scheme = parts.scheme.lower()
    _allowed_scheme(scheme, policy)
    if parts.query or parts.fragment:
        raise DocumentError("The repository's address must end before `?` and `#`.")
    _no_secret(parts, scheme)
    host = _host(parts.hostname or "", policy)
    if not parts.path.strip("/"):
        raise DocumentError("The repository's address names a host and no repository on it.")
    number = PORTS[scheme] if port is None else port
    place = f"[{host}]" if ":" in host else host
    shown = place if number == PORTS[scheme] else f"{place}:{number}"
    user = f"{parts.username}@" if parts.username else ""
    url = f"{scheme}://{user}{shown}{parts.path.rstrip('/')}"
    return Address(url, scheme, host, number)


def resolve(address: Address, policy: DocumentPolicy) -> tuple[str, ...]:
    """The IP addresses of the host, each one permitted; none where only a proxy or ssh knows it.

    ``DocumentError`` where the host has no address, or one inside somebody's own network.
    """
    named = bool({address.host, f"{address.host}:{address.port}"} & _named(policy))
    try:
        answers = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        # An operator's own name for a host may stand in ~/.ssh/config, or be known to a proxy only.
        elsewhere = address.scheme == "ssh" or _proxied(address)
        if elsewhere and (named or _listed(address.host, policy.hosts)):
            return ()
        message = f"The host {address.host} cannot be found."
        hint = "Look for a slip in its name, and whether this machine has a network."
        raise DocumentError(message, hint=hint) from None
    found = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
    for ip in found:
        if not named and not is_public(ipaddress.ip_address(ip)):
            message = f"The host {address.host} has the address {ip}, which is not a public one."
            hint = "Operators can permit it with `allow_hosts` under `documents` in graft.yaml."
            raise DocumentError(message, hint=hint)
    return found


def is_public(ip: IPAddress) -> bool:
    """Whether an address is on the Internet at large, also where one is wrapped in another."""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if ip.scope_id is not None or any(ip in network for network in _NEVER):
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _scp(repo: str, policy: DocumentPolicy) -> Address:
    """git@host:path, which is ssh."""
    found = _SCP.fullmatch(repo)
    if found is None:
        message = f"`{repo[:60]}` is no address of a Git repository."
        raise DocumentError(message, hint='Write https://…, or "." for a document beside the leaf.')
    _allowed_scheme("ssh", policy)
    host = _host(found["host"].strip("[]").lower(), policy)
    return Address(repo, "ssh", host, PORTS["ssh"])


def _allowed_scheme(scheme: str, policy: DocumentPolicy) -> None:
    if scheme not in policy.schemes or scheme not in PORTS:
        allowed = " or ".join(f"{name}://" for name in policy.schemes)
        message = f"A repository's address may not begin with {scheme[:20]}:// here."
        raise DocumentError(message, hint=f"This taxonomy allows {allowed}.")


def _no_secret(parts: SplitResult, scheme: str) -> None:
    """Refuse a login in an address; ssh may name a user, whose key is kept elsewhere."""
    if parts.password is not None or (parts.username is not None and scheme != "ssh"):
        message = "The repository's address holds a user name or a password."
        hint = "Take it out, change the password, and use one of Git's credential helpers."
        raise DocumentError(message, hint=hint)
    if parts.username is not None and not re.fullmatch(r"[\w.][\w.-]*", parts.username):
        raise DocumentError("The user in the repository's address is none that ssh can have.")


def _host(host: str, policy: DocumentPolicy) -> str:
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise DocumentError("The repository's address names no host that can be.")
    named = any(name == host or name.startswith(f"{host}:") for name in _named(policy))
    if policy.hosts and not named and not _listed(host, policy.hosts):
        message = f"This taxonomy takes no documents from {host}."
        raise DocumentError(message, hint=f"It takes them from {', '.join(policy.hosts)}.")
    return host


def _named(policy: DocumentPolicy) -> set[str]:
    """``allow_hosts`` in the spelling of ``Address.host``, which knows no brackets."""
    return {re.sub(r"[\[\]]", "", name).lower() for name in policy.allow_hosts}


def _listed(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether ``hosts`` name it, or `*.example.org` a host above it."""
    return any(
        host == name.lower() or (name.startswith("*.") and host.endswith(name[1:].lower()))
        for name in hosts
    )


def _proxied(address: Address) -> bool:
    from urllib.request import getproxies, proxy_bypass  # heavy, and seldom asked

    proxies = getproxies()
    asked = proxies.get(address.scheme) or proxies.get("all")
    return bool(asked) and not proxy_bypass(address.host)
