"""What is wrong with a server's URL, said without it, as it may hold a secret."""

from __future__ import annotations

from urllib.parse import urlsplit


def wrong_url(url: str) -> str:
    """What is wrong with a server's URL, said without it, as it may hold a secret; "" for nothing."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        return "must begin with http:// or https:// and a host."
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return (
            "may hold neither user, password, query nor fragment, since it is recorded: put the key "
            "into an environment variable, and name that as key_env."
        )
    return ""
