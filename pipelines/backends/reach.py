"""How a server is reached: its URL, the key, a proxy, from the recipe and the environment.

In: a recipe's ``Teacher``. Out: plain text, and one clear sentence for what cannot be. The key is never
part of a sentence: what others have said goes through ``cleaned`` first.
"""

from __future__ import annotations

import os
import re
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlsplit

from pipelines.errors import BackendError
from pipelines.recipe import Teacher
from pipelines.urls import wrong_url

OPENAI = "https://api.openai.com/v1"
LONGEST = 300  # characters of what others said


def base_url(teacher: Teacher) -> str:
    """Where the teacher is: the recipe's ``url``, else ``OPENAI_BASE_URL``, else OpenAI."""
    if teacher.url:
        return _sound(teacher.url, "The url in the recipe")
    return _sound(os.environ.get("OPENAI_BASE_URL") or OPENAI, "OPENAI_BASE_URL")


def api_key(teacher: Teacher) -> str:
    """The key in the variable that the recipe names; "" without one."""
    key = os.environ.get(teacher.key_env, "").strip() if teacher.key_env else ""
    if not all("!" <= character <= "~" for character in key):
        raise BackendError(f"{teacher.key_env} holds characters that no key has.")
    return key


def _sound(url: str, where: str) -> str:
    """A base URL without its last slash."""
    wrong = wrong_url(url)
    if wrong:
        raise BackendError(f"{where} {wrong}")
    return url.rstrip("/")


def cleaned(text: str, key: str) -> str:
    """What a server, a program or a library said, in one short line, without the key."""
    if key:
        text = re.sub(re.escape(key), "[key]", text, flags=re.IGNORECASE)
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()).rstrip(".")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def redirected_to(headers: Mapping[str, str]) -> str:
    """Where a redirect leads, its path and query left out: they may hold what was sent."""
    try:
        return urlsplit(headers.get("Location", "")).hostname or "another path"
    except ValueError:
        return "nowhere"


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for such a URL; never for this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)
