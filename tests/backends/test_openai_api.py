"""The teacher over HTTP: what is asked again, what sets one row apart, what stops the run."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import logging
import socket
import ssl
from collections.abc import Callable
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipelines.artifacts import canonical_json
from pipelines.backends import Answer, Call, Sampling
from pipelines.backends.openai_api import DOUBT, FIRST_DOUBT, OpenAI
from pipelines.errors import BackendError, CallError, GraftError
from pipelines.recipe import Teacher
from pipelines.records import Message
from tests.support.endpoint import Body, Endpoint, Reply, completion, endpoint, failure

KEY = "sk-test-4f9b2c7d1e8a6053-not-for-others"
SCHEMA = {"type": "object", "properties": {"question": {"type": "string"}}}


def call(text: str = "Hello.", **more: Any) -> Call:
    return Call("ask", {}, (Message("user", text),), "stand-in", "1", **more)


def teacher(url: str, **more: Any) -> Teacher:
    return Teacher("openai_api", "stand-in", "1", url=url, **more)


def asked(
    reply: Callable[[Body, int], Reply], *calls: Call, **more: Any
) -> tuple[list[Answer | GraftError], Endpoint]:
    """What becomes of each call, one after the other, and what the server was asked."""

    async def ask() -> tuple[list[Answer | GraftError], Endpoint]:
        found: list[Answer | GraftError] = []
        async with endpoint(reply) as server:
            backend = OpenAI(teacher(server.url, **{"timeout": 20.0, **more}), first_wait=0.001)
            try:
                for one in calls or (call(),):
                    try:
                        found.append(await backend.answer(one))
                    except GraftError as error:
                        found.append(error)
            finally:
                await backend.close()
        return found, server

    return asyncio.run(ask())


def one_error(reply: Callable[[Body, int], Reply], *calls: Call, **more: Any) -> GraftError:
    found, _ = asked(reply, *calls, **more)
    assert isinstance(found[-1], GraftError), found
    assert "\n" not in str(found[-1])
    return found[-1]


# --- what is sent, and what is read ------------------------------------------------------------


def test_a_call_is_one_request_with_its_sampling_and_its_tokens_are_read() -> None:
    sampling = Sampling(0.7, 99, ("[END]",), {"top_p": 0.9})
    (answer,), server = asked(lambda body, n: "Hi.", call(sampling=sampling, sample=4))
    assert answer == Answer("Hi.", 7, 3)
    assert server.paths == ["/v1/chat/completions"]
    assert server.asked == [
        {
            "model": "stand-in",
            "messages": [{"role": "user", "content": "Hello."}],
            "max_tokens": 99,
            "temperature": 0.7,
            "stop": ["[END]"],
            "seed": 4,
            "top_p": 0.9,
        }
    ]
    assert "Authorization" not in server.headers[0]


def test_legacy_completions_are_asked_where_the_recipe_says_so() -> None:
    def reply(body: Body, number: int) -> Reply:
        return web.json_response({"choices": [{"text": "Hi.", "finish_reason": "stop"}]})

    (answer,), server = asked(reply, completions="legacy")
    assert answer == Answer("Hi.")
    assert server.paths == ["/v1/completions"]
    assert server.asked[0]["prompt"] == "Hello."


def test_url_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> list[dict[str, str]]:
        async with endpoint(lambda body, n: "Hi.") as server:
            monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/")
            monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
            monkeypatch.setenv("OTHER_KEY", "other")
            for more in ({}, {"key_env": "OTHER_KEY"}, {"key_env": ""}):
                backend = OpenAI(teacher("", **more))
                await backend.answer(call())
                await backend.close()
            return server.headers

    sent = [headers.get("Authorization") for headers in asyncio.run(ask())]
    assert sent == [f"Bearer {KEY}", "Bearer other", None]


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://a/v1", "http://", "http://[::1", "http://a:99999/v1",
     f"http://me:{KEY}@a/v1", f"http://a/v1?key={KEY}", f"http://a/v1#{KEY}"],
)  # fmt: skip
def test_a_url_is_one_and_holds_no_secret(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    for given in (url, ""):
        with pytest.raises(BackendError) as caught:
            OpenAI(teacher(given))
        assert KEY not in str(caught.value)


# --- structured output, and other things that servers are not agreed on ------------------------


def refuses(*fields: str) -> Callable[[Body, int], Reply]:
    def reply(body: Body, number: int) -> Reply:
        for name in fields:
            if name in body:
                other = " Use 'max_completion_tokens'." if name == "max_tokens" else ""
                return failure(400, f"Unsupported parameter: '{name}'.{other}")
        return "Hi."

    return reply


def test_structured_output_is_asked_for_where_there_is_a_schema() -> None:
    _, server = asked(lambda body, n: "{}", call(schema=SCHEMA), call())
    wanted = server.asked[0]["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["schema"] == SCHEMA
    assert "response_format" not in server.asked[1]


def test_what_a_server_refuses_to_be_told_is_found_out_once() -> None:
    warm = Sampling(temperature=0.5)
    calls = [call(f"{n}", schema=SCHEMA, sampling=warm) for n in range(3)]
    found, server = asked(refuses("response_format", "seed", "max_tokens"), *calls)
    assert found == [Answer("Hi.", 7, 3)] * 3
    assert len(server.asked) == 4 + 1 + 1
    for body in server.asked[-2:]:
        assert body["max_completion_tokens"] == 2048
        assert not {"response_format", "seed", "max_tokens"} & body.keys()


def test_what_a_flow_adds_is_left_out_as_well_and_never_asks_for_several_answers() -> None:
    """A flow's own parameters go to the server, but for those that make one call another thing."""
    more = {"seed": 7, "max_tokens": 5, "n": 3, "stream": True, "min_p": 0.1}
    calls = [call(f"{n}", sampling=Sampling(0.5, 99, (), more)) for n in range(2)]
    found, server = asked(refuses("seed", "max_tokens"), *calls)
    assert found == [Answer("Hi.", 7, 3)] * 2
    assert server.asked[0]["seed"] == 7
    last = {"model", "messages", "temperature", "max_completion_tokens", "min_p"}
    assert server.asked[-1].keys() == last
    assert server.asked[-1]["max_completion_tokens"] == 5
    assert len(server.asked) == 3 + 1


def test_a_refusal_that_only_quotes_the_request_is_not_remembered() -> None:
    """The prompt of the first call is refused, with all of the request in the message."""

    def reply(body: Body, number: int) -> Reply:
        bad = "bad" in body["messages"][0]["content"]
        return failure(400, f"refused: {json.dumps(body)} response_format") if bad else "{}"

    calls = [call("bad", schema=SCHEMA), call("good", schema=SCHEMA)]
    found, server = asked(reply, *calls)
    assert isinstance(found[0], CallError)
    assert found[1] == Answer("{}", 7, 3)
    assert "response_format" in server.asked[-1]


# --- asked again -------------------------------------------------------------------------------


def broken(kind: str) -> Reply:
    bodies = {
        "cut": b'{"choices": [{"message": {"content": "Hi',
        "empty": b"",
        "page": b"<html>Sign in</html>",
        "none": b'{"choices": []}',
        "two": json.dumps({"choices": [{"message": {"content": "a"}}] * 2}).encode(),
        "null": b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}',
        "shape": b'{"choices": [[1]]}',
        "list": b"[1, 2]",
        "nested": b"[" * 100_000,
        "error in 200": b'{"error": {"message": "upstream"}}',
    }
    return web.Response(body=bodies[kind])


@pytest.mark.parametrize(
    "kind",
    ["cut", "empty", "page", "none", "two", "null", "shape", "list", "nested", "error in 200"],
)
def test_a_response_without_one_whole_answer_is_asked_for_again_and_then_set_apart(
    kind: str,
) -> None:
    found, server = asked(lambda body, n: broken(kind) if n < 2 else "Hi.")
    assert found == [Answer("Hi.", 7, 3)]
    assert len(server.asked) == 3
    found, server = asked(
        lambda body, n: broken(kind) if "bad" in body["messages"][0]["content"] else "Hi.",
        call("good"), call("bad"), retries=2,
    )  # fmt: skip
    assert isinstance(found[1], CallError)
    assert "asked 3 times" in str(found[1])
    assert len(server.asked) == 1 + 3


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529, 599])
def test_a_status_that_may_pass_is_asked_again(status: int) -> None:
    found, server = asked(lambda body, n: failure(status, "Later.") if n < 3 else "Hi.")
    assert found == [Answer("Hi.", 7, 3)]
    assert len(server.asked) == 4


def test_a_request_that_hangs_is_asked_again() -> None:
    class Hanging(web.Response):
        async def prepare(self, request: Any) -> Any:
            await asyncio.sleep(60)

    found, server = asked(lambda body, n: Hanging() if n < 1 else "Hi.", timeout=0.3)
    assert found == [Answer("Hi.", 7, 3)]
    assert len(server.asked) == 2
    error = one_error(
        lambda body, n: Hanging() if "bad" in body["messages"][0]["content"] else "Hi.",
        call("good"), call("bad"), timeout=0.3, retries=1,
    )  # fmt: skip
    assert isinstance(error, CallError)
    assert "no answer in 0.3 s" in str(error)


@pytest.mark.parametrize("form", ["0.4", "date"])
def test_retry_after_is_honoured_in_seconds_and_as_a_date(form: str) -> None:
    """What is seen is when the next request comes, never how long the test takes."""
    times: list[float] = []

    def reply(body: Body, number: int) -> Reply:
        times.append(asyncio.get_running_loop().time())
        then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)
        told = format_datetime(then, usegmt=True) if form == "date" else form
        return failure(429, "Wait.", {"Retry-After": told}) if number == 0 else "Hi."

    found, _ = asked(reply)
    assert found == [Answer("Hi.", 7, 3)]
    assert times[1] - times[0] >= (0.4 if form == "0.4" else 0.9)  # dates are whole seconds


def test_a_server_that_asks_for_an_hour_stops_the_run() -> None:
    error = one_error(lambda body, n: failure(429, "Quota.", {"Retry-After": "3600"}))
    assert not isinstance(error, CallError)
    assert "come back in 3600 s" in str(error)


def test_a_nonsense_retry_after_is_no_reason_to_fail() -> None:
    for told in ("soon", "nan", "-5", "", "Fri, 99 Foo 2020"):
        found, _ = asked(
            lambda body, n, told=told: (  # type: ignore[misc]
                failure(503, "Wait.", {"Retry-After": told}) if n == 0 else "Hi."
            )
        )
        assert found == [Answer("Hi.", 7, 3)]


def test_being_turned_away_while_others_are_answered_uses_up_no_retry() -> None:
    """One call is turned away more often than it may fail, and others are answered all the while."""
    turned_away = 0

    def reply(body: Body, number: int) -> Reply:
        nonlocal turned_away
        if body["messages"][0]["content"] != "patient" or turned_away == 12:
            return "Hi."
        turned_away += 1
        return failure(429, "Busy.")

    async def ask() -> Answer:
        async with endpoint(reply) as server:
            backend = OpenAI(teacher(server.url, retries=5), first_wait=0.02)
            patient = asyncio.ensure_future(backend.answer(call("patient")))
            while not patient.done():
                await backend.answer(call("other"))
            await backend.close()
            return await patient

    assert asyncio.run(ask()) == Answer("Hi.", 7, 3)
    assert turned_away == 12


# --- one row is set apart ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 413, 422, 418])
def test_a_request_that_is_refused_sets_its_row_apart_at_once(status: int) -> None:
    error = one_error(
        lambda body, n: failure(status, "Maximum context length is 4096 tokens.") if n else "Hi.",
        call("good"), call("bad"),
    )  # fmt: skip
    assert isinstance(error, CallError)
    assert "Maximum context length is 4096 tokens" in str(error)


def test_a_model_that_will_not_answer_sets_its_row_apart() -> None:
    def refusing(body: Body, number: int) -> Reply:
        said = {"role": "assistant", "content": None, "refusal": "I cannot help."}
        return (
            completion(None, message=said)
            if number == 0
            else completion(None, finish_reason="content_filter")
        )

    found, server = asked(refusing, call("a"), call("b"))
    assert [type(error) for error in found] == [CallError, CallError]
    assert "I cannot help" in str(found[0])
    assert len(server.asked) == 2
    flagged = one_error(lambda body, n: failure(403, "Your input was flagged by moderation."))
    assert isinstance(flagged, CallError)


def test_a_cut_answer_is_kept_where_its_closed_blocks_can_be_read() -> None:
    tagged = "[QUESTION]\nWhy?\n[ANSWER]\nSo.\n[END]\n[QUESTION]\nWhat if"
    found, server = asked(
        lambda body, n: completion([tagged, "A sentence that", '{"a": "[END]'][n],
                                   finish_reason="length"),
        call("a"), call("b"), call("c", schema=SCHEMA),
    )  # fmt: skip
    assert found[0] == Answer(tagged, 7, 3)
    for error in found[1:]:
        assert isinstance(error, CallError)
        assert "cut off at 2048 tokens" in str(error)
    assert len(server.asked) == 3
    spent = one_error(lambda body, n: completion(None, finish_reason="length"))
    assert "cut off" in str(spent)


def test_a_call_that_cannot_fit_is_never_sent() -> None:
    small = Sampling(most_tokens=10)
    found, server = asked(
        lambda body, n: "Hi.", call("word " * 60, sampling=small), call(sampling=small), context=64
    )
    assert isinstance(found[0], CallError)
    assert "78 tokens (68 for the prompt, 10 for the answer)" in str(found[0])
    assert "holds 64" in str(found[0])
    assert found[1] == Answer("Hi.", 7, 3)
    assert len(server.asked) == 1


def test_half_a_character_in_an_answer_can_be_stored() -> None:
    whole = web.Response(body=b'{"choices": [{"message": {"content": "a \\ud83d b"}}]}')
    (answer,), _ = asked(lambda body, n: whole)
    assert isinstance(answer, Answer)
    assert answer.text == "a \ufffd b"
    assert canonical_json(answer.text)


# --- the run stops -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message", "told"),
    [
        (401, "Incorrect API key.", "wants a key, in OPENAI_API_KEY"),
        (403, "Forbidden.", "wants a key"),
        (404, "The model does not exist.", "has no model stand-in"),
        (405, "No.", "/chat/completions"),
        (402, "Insufficient balance.", "wants to be paid"),
        (429, "You exceeded your current quota: insufficient_quota.", "wants to be paid"),
    ],
)
def test_what_concerns_all_calls_stops_at_once(status: int, message: str, told: str) -> None:
    found, server = asked(lambda body, n: failure(status, message))
    (error,) = found
    assert isinstance(error, BackendError)
    assert not isinstance(error, CallError)
    assert told in str(error)
    assert server.url in str(error)
    assert len(server.asked) == 1


def test_nobody_listening_stops_the_run_after_the_retries() -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"

        async def ask() -> None:
            backend = OpenAI(teacher(url, retries=2), first_wait=0.001)
            try:
                await backend.answer(call())
            finally:
                await backend.close()

        with pytest.raises(BackendError, match=r"Nobody answers at .*asked 3 times") as caught:
            asyncio.run(ask())
        assert not isinstance(caught.value, CallError)


def test_a_server_that_takes_no_call_at_all_stops_the_run() -> None:
    error = one_error(lambda body, n: failure(503, "Loading."), retries=2)
    assert not isinstance(error, CallError)
    assert "takes no calls (503 Service Unavailable: Loading; asked 3 times)" in str(error)


@pytest.mark.parametrize(("good", "limit"), [(0, FIRST_DOUBT), (1, DOUBT)])
def test_many_failures_in_a_row_stop_the_run_where_a_tiny_call_fails_too(
    good: int, limit: int
) -> None:
    found, server = asked(
        lambda body, n: "Hi." if n < good else failure(400, "Unknown field top_x."),
        *(call(f"{n}") for n in range(good + limit)),
    )
    *set_apart, last = found[good:]
    assert len(set_apart) == limit - 1
    assert all(isinstance(error, CallError) for error in set_apart)
    assert isinstance(last, BackendError)
    assert not isinstance(last, CallError)
    assert f"failed {limit} calls in a row" in str(last)
    assert "Unknown field top_x" in str(last)
    assert server.asked[-1]["messages"] == [{"role": "user", "content": "Say yes."}]


def test_many_rows_that_are_refused_are_all_set_apart_where_the_server_is_well() -> None:
    calls = [call(f"bad {n}") for n in range(2 * DOUBT + FIRST_DOUBT)]
    found, server = asked(
        lambda body, n: (
            failure(400, "Too long.") if "bad" in body["messages"][0]["content"] else "Yes."
        ),
        *calls,
    )
    assert all(isinstance(error, CallError) for error in found)
    assert len(server.asked) == len(calls) + 3  # one tiny call for the first 3, then for each 20


def test_a_cancelled_call_gives_its_slot_back() -> None:
    async def ask() -> Answer:
        async with endpoint(lambda body, n: "Hi.") as server:
            backend = OpenAI(teacher(server.url, concurrency=1))
            tasks = [asyncio.ensure_future(backend.answer(call(f"{n}"))) for n in range(20)]
            await asyncio.sleep(0)
            for task in tasks[:15]:
                task.cancel()
            await asyncio.gather(*tasks[:15], return_exceptions=True)
            assert await asyncio.gather(*tasks[15:]) == [Answer("Hi.", 7, 3)] * 5
            found = await backend.answer(call())
            await backend.close()
            return found

    assert asyncio.run(ask()) == Answer("Hi.", 7, 3)


def test_one_connection_serves_calls_that_follow_each_other() -> None:
    peers = set()

    async def ask() -> None:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            await request.read()
            assert request.transport is not None
            peers.add(request.transport.get_extra_info("peername"))
            return completion("Hi.")

        runner = web.ServerRunner(web.Server(handle))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        backend = OpenAI(teacher(f"http://127.0.0.1:{runner.addresses[0][1]}/v1"))
        for number in range(5):
            await backend.answer(call(f"{number}"))
        await backend.close()
        await runner.cleanup()

    asyncio.run(ask())
    assert len(peers) == 1


# --- the key -----------------------------------------------------------------------------------


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> str:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 422, 429, 500, 503])
def test_the_key_is_in_no_error_whatever_the_server_echoes(
    status: int, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    def echo(body: Body, number: int) -> Reply:
        headers = {"Location": f"http://elsewhere.example/{key}?key={key}", "X-Key": key}
        return failure(status, f"Got 'Bearer {key}' {key.upper()} " + "x" * 280 + key, headers)

    found, server = asked(echo, retries=1)
    assert server.headers[0]["Authorization"] == f"Bearer {key}"
    (error,) = found
    assert isinstance(error, GraftError)
    told: BaseException | None = error
    while told is not None:  # the causes too, which a traceback would show
        assert key[:12].lower() not in f"{told!s} {told!r}".lower()
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)
    assert key not in caplog.text


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(key: str) -> None:
    async def ask() -> tuple[Endpoint, BackendError]:
        async with (
            endpoint(lambda body, n: "stolen") as other,
            endpoint(
                lambda body, n: failure(307, "", {"Location": f"{other.url}/chat/completions"})
            ) as server,
        ):
            backend = OpenAI(teacher(server.url))
            with pytest.raises(BackendError, match=r"sends on to 127\.0\.0\.1") as caught:
                await backend.answer(call())
            await backend.close()
            return other, caught.value

    other, _ = asyncio.run(ask())
    assert other.asked == []


def test_an_answer_that_holds_the_key_is_not_kept(key: str) -> None:
    error = one_error(lambda body, n: f"You sent Bearer {key}.")
    assert not isinstance(error, CallError)
    assert "holds the key of OPENAI_API_KEY" in str(error)
    assert key not in str(error)


def test_a_key_that_is_none_is_told_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "se cret\x00".replace("\x00", "\x7f"))
    with pytest.raises(BackendError, match="OPENAI_API_KEY holds characters") as caught:
        OpenAI(teacher("http://127.0.0.1:9/v1"))
    assert "cret" not in str(caught.value)


# --- TLS ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that its own key has signed, with the key, as PEM."""
    own = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(host, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(own, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = own.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize("known", [False, True])
def test_tls_is_verified(
    known: bool, certificate: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)

    async def ask() -> tuple[Answer | BackendError, Endpoint]:
        async with endpoint(lambda body, n: "Hi.", tls) as server:
            backend = OpenAI(teacher(server.url))
            try:
                return await backend.answer(call()), server
            except BackendError as error:
                return error, server
            finally:
                await backend.close()

    found, server = asyncio.run(ask())
    if known:
        assert found == Answer("Hi.", 7, 3)
        return
    assert isinstance(found, BackendError)
    assert not isinstance(found, CallError)
    assert "cannot be trusted" in str(found)
    assert server.asked == []
