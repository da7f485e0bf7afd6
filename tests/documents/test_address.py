"""Which addresses a repository may have: spellings, schemes, hosts, and every way home."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from pipelines.documents.address import Address, is_public, parse_address, resolve
from pipelines.errors import DocumentError
from pipelines.policy import DocumentPolicy

ANY = DocumentPolicy(schemes=("https", "http", "ssh", "git"))


@pytest.mark.parametrize(
    ("repo", "expected"),
    [
        ("https://Example.org/a/b.git/", Address("https://example.org/a/b.git", "https", "example.org", 443)),
        ("HTTPS://example.org:443/a", Address("https://example.org/a", "https", "example.org", 443)),
        ("https://example.org:8443/a", Address("https://example.org:8443/a", "https", "example.org", 8443)),
        ("ssh://git@example.org/a", Address("ssh://git@example.org/a", "ssh", "example.org", 22)),
        ("git@example.org:a/b.git", Address("git@example.org:a/b.git", "ssh", "example.org", 22)),
        ("https://[2001:4860::1]/a", Address("https://[2001:4860::1]/a", "https", "2001:4860::1", 443)),
        ("https://kö.example/a", Address("https://xn--k-1ga.example/a", "https", "xn--k-1ga.example", 443)),
    ],
)  # fmt: skip
def test_one_spelling(repo: str, expected: Address) -> None:
    assert parse_address(repo, ANY) == expected


@pytest.mark.parametrize(
    ("repo", "word"),
    [
        ("ext::sh -c id", "odd character"),
        ("ext::id", "no address"),
        ("file:///etc", "may not begin with file"),
        ("ftp://example.org/a", "may not begin with ftp"),
        ("/etc", "no address"),
        ("../docs", "no address"),
        ("--upload-pack=id", "no address"),
        ("https://example.org", "no repository"),
        ("https:///a", "names no host"),
        ("https://-oProxyCommand=id/a", "names no host"),
        ("ssh://-oProxyCommand=id/a", "names no host"),
        ("-oProxyCommand=id:a", "no address"),
        ("-l@example.org:a", "no address"),
        ("ssh://-l@example.org/a", "none that ssh can have"),
        ("https://example.org/a?b", "before `\\?`"),
        ("https://example.org/a#b", "before `\\?`"),
        ("https://example.org:99999/a", "cannot be understood"),
        ("https://[::1/a", "cannot be understood"),
        ("https://example.org/a\nb", "odd character"),
        ("https://example.org\\@other/a", "odd character"),
        ("https://example.org/" + "a" * 2000, "odd character"),
    ],
)
def test_no_address(repo: str, word: str) -> None:
    with pytest.raises(DocumentError, match=word) as caught:
        parse_address(repo, ANY)
    assert caught.value.about == "repo"


@pytest.mark.parametrize(
    "repo",
    [
        "https://ada:hunter2@example.org/a",
        "https://hunter2@example.org/a",
        "ssh://git:hunter2@example.org/a",
        "https://:hunter2@example.org/a",
    ],
)
def test_a_login_in_an_address_is_refused_and_not_repeated(repo: str) -> None:
    with pytest.raises(DocumentError, match="user name or a password") as caught:
        parse_address(repo, ANY)
    assert "hunter2" not in str(caught.value)


def test_only_https_unless_the_policy_says_so() -> None:
    for repo in ("http://example.org/a", "git@example.org:a", "git://example.org/a"):
        with pytest.raises(DocumentError, match="may not begin") as caught:
            parse_address(repo, DocumentPolicy())
        assert "https://" in caught.value.hint


def test_hosts_of_the_policy() -> None:
    policy = DocumentPolicy(
        hosts=("example.org", "*.wiki.org"), allow_hosts=("10.0.0.1:8080", "home")
    )
    for host in ("example.org", "en.wiki.org", "10.0.0.1:8080", "home"):
        assert parse_address(f"https://{host}/a", policy)
    for host in ("www.example.org", "wiki.org", "evilwiki.org", "example.org.evil.net"):
        with pytest.raises(DocumentError, match="takes no documents from"):
            parse_address(f"https://{host}/a", policy)


@pytest.mark.parametrize(
    "ip",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "fec0::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2002:a00:1::"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001:db8::1"),
    ],
)  # fmt: skip
def test_not_public(ip: str) -> None:
    assert not is_public(ipaddress.ip_address(ip))


@pytest.mark.parametrize(
    "ip", ["8.8.8.8", "140.82.121.3", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public(ip: str) -> None:
    assert is_public(ipaddress.ip_address(ip))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::1]"])
def test_ways_to_this_machine_are_refused(host: str) -> None:
    address = parse_address(f"https://{host}/a", ANY)
    with pytest.raises(DocumentError, match="not a public one") as caught:
        resolve(address, ANY)
    assert caught.value.hint


def test_a_host_that_the_operator_allows_may_be_private() -> None:
    policy = DocumentPolicy(allow_hosts=("127.0.0.1:8443",))
    assert resolve(parse_address("https://127.0.0.1:8443/a", policy), policy) == ("127.0.0.1",)
    with pytest.raises(DocumentError, match="not a public one"):
        resolve(parse_address("https://127.0.0.1/a", policy), policy)


def test_an_allowed_address_of_version_6() -> None:
    policy = DocumentPolicy(hosts=("example.org",), allow_hosts=("[::1]:8443",))
    assert resolve(parse_address("https://[::1]:8443/a", policy), policy) == ("::1",)
    with pytest.raises(DocumentError, match="not a public one"):
        resolve(parse_address("https://[::1]/a", policy), policy)


def answers(monkeypatch: pytest.MonkeyPatch, *ips: str) -> None:
    """A resolver that gives these answers: a name server of our own would need root."""

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        if not ips:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ips]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_one_private_answer_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(DocumentError, match=r"10\.0\.0\.1"):
        resolve(Address("https://example.org/a", "https", "example.org", 443), DocumentPolicy())


def test_a_host_that_only_a_proxy_knows_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch)
    address = Address("https://inside.example/a", "https", "inside.example", 443)
    named = DocumentPolicy(hosts=("inside.example",))
    with pytest.raises(DocumentError, match="cannot be found"):
        resolve(address, named)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert resolve(address, named) == ()
    with pytest.raises(DocumentError, match="cannot be found"):
        resolve(address, DocumentPolicy())
