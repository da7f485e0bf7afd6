"""The teacher over HTTP: what is sent, what is read, and what servers are not agreed on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from aiohttp import web

from pipelines.backends import Answer, Sampling
from pipelines.backends.openai_api import OpenAI
from pipelines.errors import BackendError, CallError
from tests.backends.openai_calls import KEY, SCHEMA, asked, call, teacher
from tests.support.endpoint import Body, Reply, endpoint, failure

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
