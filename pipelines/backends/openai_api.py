"""A teacher or judge behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, or a paid service.

In: calls, as many at once as there are. Out: answers, asked for in the recipe's concurrency at most,
over one pool of connections that are kept alive. What may pass is asked again with jitter; what
concerns one call alone is a ``CallError``, what concerns them all a ``BackendError``: docs/generation.md
lists which is which. The key is sent to the server and goes nowhere else.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

import aiohttp

from pipelines.backends import Answer, Call, check_window, whole
from pipelines.backends.openai_wire import (
    PATHS,
    Given,
    Unsound,
    quirk,
    read_answer,
    refusal,
    request_body,
)
from pipelines.backends.pace import Pace, backoff, retry_after
from pipelines.backends.reach import api_key, base_url, cleaned, proxy_of, redirected_to
from pipelines.errors import BackendError, CallError
from pipelines.recipe import Teacher
from pipelines.records import Message

CONNECT = 20.0  # seconds until a connection stands
LONGEST_WAIT = 600.0  # seconds that a server may ask to wait; beyond them the run stops, resumable
PATIENCE = 10  # times its retries that a call may be turned away while others are answered
LARGEST = 32 << 20  # bytes of a response
FIRST_DOUBT, DOUBT = 3, 20  # failed calls in a row, before and after the first answer
SECRET = 20  # characters from which on a key is one: local servers take any word
_ONE_PROMPT = ("moderation", "flagged", "content_policy", "content policy", "safety system")
_PROBE = (Message("user", "Say yes."),)


class Again(Exception):
    """A request that failed, and may not fail again.

    ``kind``: *unreachable* where nobody listens, *busy* where the server says so, else *broken*.
    """

    def __init__(self, kind: str, message: str, *, slow: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.kind, self.slow, self.wait = kind, slow, wait


class Refused(Exception):
    """A request that the server understands and will not answer; ``body`` is what it said, unabridged."""

    def __init__(self, message: str, body: str) -> None:
        super().__init__(message)
        self.body = body


@dataclass(slots=True)
class _Tries:
    """What was tried for one call. ``seen`` is how many calls had been answered when it was last sent;
    ``stuck`` counts how often in a row a busy server had answered none since.
    """

    seen: int
    failed: int = 0
    stuck: int = 0
    turned_away: int = 0


class OpenAI:
    """Answers calls over HTTP. ``first_wait`` is the bound of the first wait before a retry, in seconds."""

    def __init__(self, teacher: Teacher, first_wait: float = 1.0) -> None:
        self._teacher = teacher
        self._first_wait = first_wait
        self._key = api_key(teacher)
        self.url = base_url(teacher)
        self._pace = Pace(teacher.concurrency)
        self._session: aiohttp.ClientSession | None = None
        self._quirks: frozenset[str] = frozenset()
        self._answered = 0
        self._proved = False
        self._failed_in_a_row = 0
        self._probing = asyncio.Lock()

    async def answer(self, call: Call) -> Answer:
        """The answer, after as many retries as the recipe allows."""
        check_window(call, self._teacher.context)
        try:
            given = await self._tried(call)
        except CallError as error:
            await self._doubt(call, error)
            raise
        self._answered += 1
        self._proved = True
        self._failed_in_a_row = 0
        if len(self._key) >= SECRET and self._key in given.answer.text:
            raise BackendError(
                f"An answer of {self.url} holds the key of {self._teacher.key_env}; nothing of it is "
                "kept. Do not use this server."
            )
        if given.refused:
            raise CallError(f"the model will not answer: {self._clean(given.refused)}")
        return whole(given.answer, given.cut, call)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _tried(self, call: Call) -> Given:
        tries = _Tries(self._answered)
        while True:
            try:
                return await self._once(call)
            except Again as failure:
                wait = self._next_wait(tries, failure)
            await asyncio.sleep(wait)

    def _next_wait(self, tries: _Tries, failure: Again) -> float:
        """Seconds to wait before asking again. Raises where that is no use.

        A server that is busy with others' calls does not use up the retries of this one, or not for ever.
        """
        retries = self._teacher.retries
        if failure.kind == "busy":
            tries.turned_away += 1
            tries.stuck = 0 if self._answered > tries.seen else tries.stuck + 1
        else:
            tries.failed += 1
        tries.seen = self._answered
        if failure.wait > LONGEST_WAIT:
            raise BackendError(
                f"{self.url} asks to come back in {failure.wait:.0f} s ({failure}). Run again then: "
                "what was answered is kept."
            )
        if tries.stuck > retries:
            raise BackendError(
                f"{self.url} takes no calls ({failure}; {_times(tries.stuck)}). Run again later, or "
                "lower concurrency in the recipe; what was answered is kept."
            )
        if tries.turned_away > PATIENCE * (retries + 1):
            raise CallError(f"no answer ({failure}; {_times(tries.turned_away)})")
        if tries.failed <= retries:
            before = tries.failed + tries.stuck + min(tries.turned_away, 3)
            return failure.wait + backoff(before, self._first_wait)
        if failure.kind == "unreachable":
            raise BackendError(
                f"Nobody answers at {self.url} ({failure}; {_times(tries.failed)}). Start the server, "
                "or set url in the recipe; what was answered is kept."
            )
        raise CallError(f"no answer ({failure}; {_times(tries.failed)})")

    async def _doubt(self, call: Call, error: CallError) -> None:
        """Stop where not this call but the server seems at fault: too many failed, a tiny one as well."""
        self._failed_in_a_row += 1
        if self._failed_in_a_row < (DOUBT if self._proved else FIRST_DOUBT):
            return
        async with self._probing:
            failed = self._failed_in_a_row
            if not failed:  # another call has asked meanwhile
                return
            cause = await self._ill(call)
            if cause:
                raise BackendError(
                    f"{self.url} has failed {failed} calls in a row, and a tiny one as well: {cause}. "
                    "What was answered is kept; run again when the server is well."
                ) from error
            self._proved = True
            self._failed_in_a_row = 0

    async def _ill(self, call: Call) -> str:
        """Why a request like this one, but as small as can be, is not answered; "" where it is."""
        tiny = replace(call, messages=_PROBE, sampling=replace(call.sampling, most_tokens=16))
        cause = ""
        for failures in range(1, 4):
            try:
                await self._once(tiny)
                return ""
            except CallError as error:
                return str(error)
            except Again as failure:
                cause = str(failure)
                await asyncio.sleep(failure.wait + backoff(failures, self._first_wait))
        return cause

    async def _once(self, call: Call) -> Given:
        """One request, repeated only without what the server refuses to be told."""
        quirks = self._quirks
        while True:
            body = request_body(call, self._teacher.completions, quirks)
            try:
                given = await self._sent(body)
            except Refused as refused:
                found = quirk(refused.body, body)
                if found is None:
                    raise CallError(str(refused)) from None
                quirks |= {found}
            else:
                self._quirks |= quirks  # remembered once an answer has proved it
                return given

    async def _sent(self, body: Mapping[str, object]) -> Given:
        url = self.url + PATHS[self._teacher.completions]
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        session = self._opened()
        began = await self._pace.enter()
        try:
            async with session.post(url, data=data, allow_redirects=False) as response:
                found = await _whole(response)
            if response.status == HTTPStatus.OK:
                given = read_answer(found, self._teacher.completions)
                self._pace.answered()
                return given
            raise self._failure(response.status, response.headers, found)
        except Again as failure:
            self._slow_down(failure, began)
            raise
        except Unsound as error:
            raise Again("broken", str(error)) from None
        except (aiohttp.ClientError, OSError) as error:
            lost = self._lost(error)
            self._slow_down(lost, began)
            raise lost from None
        finally:
            self._pace.leave()

    def _slow_down(self, failure: Again, began: float) -> None:
        if failure.slow:
            self._pace.late(began)
        if failure.kind == "busy":
            self._pace.crowded(began)
        if failure.kind == "busy" and 0 < failure.wait <= LONGEST_WAIT:
            self._pace.hold(failure.wait)

    def _lost(self, error: Exception) -> Again:
        """A connection that could not be made or did not last. Raises where it never will."""
        if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
            cause = getattr(error, "certificate_error", error)
            raise BackendError(
                f"{self.url} cannot be trusted: {self._clean(str(cause))}. Use a certificate that this "
                "machine knows; SSL_CERT_FILE names further ones."
            ) from None
        if isinstance(error, aiohttp.InvalidURL):
            raise BackendError(f"The URL {self.url} cannot be asked.") from None
        if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
            cause = getattr(error, "os_error", None) or "no connection in time"
            return Again("unreachable", self._clean(str(cause)))
        if isinstance(error, TimeoutError):
            return Again("broken", f"no answer in {self._teacher.timeout:g} s", slow=True)
        return Again("broken", f"the connection broke: {self._clean(str(error))}")

    def _failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Exception:
        """What to raise for a response that is not 200."""
        text = body.decode("utf-8", "replace")
        said = self._clean(refusal(body)) or "without a word"
        told = f"{status} {_phrase(status)}: {said}"
        low = text.lower()
        if status in (401, 403):
            if status == 403 and any(word in low for word in _ONE_PROMPT):
                return CallError(told)
            name = self._teacher.key_env
            held = f"does not accept the key in {name}" if self._key else f"wants a key, in {name}"
            return BackendError(f"{self.url} {held} ({told}).")
        if status == 402 or "insufficient_quota" in low:
            return BackendError(f"{self.url} wants to be paid ({told}). Pay, and run again.")
        if status in (404, 405):
            return BackendError(
                f"{self.url} has no model {self._teacher.model}, or nothing at "
                f"{PATHS[self._teacher.completions]} ({told}). Set model or url in the recipe."
            )
        if 300 <= status < 400:
            return BackendError(
                f"{self.url} sends on to {redirected_to(headers)}, and the key would go along. Set url "
                "in the recipe to where the server really is."
            )
        if status in (429, 503, 529):
            return Again("busy", told, wait=retry_after(headers) or 0.0)
        if status in (408, 409, 425) or status >= 500:
            return Again("broken", told, slow=status in (408, 504))
        return Refused(told, text)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json", "User-Agent": "graft"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            timeout = self._teacher.timeout
            trusted = ssl.create_default_context() if self.url.startswith("https:") else True
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, ssl=trusted),
                timeout=aiohttp.ClientTimeout(timeout, sock_connect=min(timeout, CONNECT)),
                headers=headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                proxy=proxy_of(self.url),
            )
        return self._session

    def _clean(self, text: str) -> str:
        return cleaned(text, self._key)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    found = await response.content.readany()
    while not response.content.at_eof():
        found += await response.content.readany()
        if len(found) > LARGEST:
            raise Unsound("the response is too long")
    return found


def _times(count: int) -> str:
    return "asked once" if count == 1 else f"asked {count} times"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "error"
