"""The teacher over HTTP: what is asked again, what sets one row apart, what stops the run."""

from __future__ import annotations

import asyncio
import datetime
import json
import socket
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from pipelines.artifacts import canonical_json
from pipelines.backends import Answer, Sampling
from pipelines.backends.openai_api import DOUBT, FIRST_DOUBT, OpenAI
from pipelines.errors import BackendError, CallError
from tests.backends.openai_calls import SCHEMA, asked, call, one_error, teacher
from tests.support.endpoint import Body, Reply, completion, endpoint, failure

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
    for told in ("soon", "nan", "-5", "", "Fri, 99 Foo 2020", "Mon, 01 Jan 20200000000 0:0:0"):
        found, _ = asked(
            lambda body, n, told=told: (  # type: ignore[misc]
                failure(503, "Wait.", {"Retry-After": told}) if n == 0 else "Hi."
            )
        )
        assert found == [Answer("Hi.", 7, 3)]


def test_counts_that_no_store_could_hold_are_none() -> None:
    answer = {"choices": [{"message": {"content": "Hi."}, "finish_reason": "stop"}]}
    usage = {"prompt_tokens": 10**30, "completion_tokens": 2**31}
    found, _ = asked(lambda body, n: web.json_response({**answer, "usage": usage}))
    assert found == [Answer("Hi.", 0, 0)]


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
