"""The stand-in OpenAI-compatible server does what others rely on: real HTTP to a real process."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipelines.generate.flow import FLOWS, load_flow
from pipelines.generate.steps import Ask, Origin, Row, Setting
from tests.support.openai_profiles import FAULTS, Profile, fate
from tests.support.openai_server import ALWAYS_GARBAGE, REFUSED, ROOT, Server, start

SEA = (
    "The moon pulls the sea twice a day. Bays differ by 3 hours from the open coast. "
    "Crews wait for slack water before they cast."
)
VALUES = {
    "title": "Tides", "heading": "Rise", "chunk": SEA, "context": SEA, "phrasings": "3",
    "question": "When do crews cast?", "answer": "At slack water.",
}  # fmt: skip


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    with start() as server:
        yield server


def post(server: Server, body: Any, path: str = "/chat/completions", **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def chat(text: str, **other: Any) -> dict[str, Any]:
    return {"model": "stand-in", "messages": [{"role": "user", "content": text}], **other}


def said(found: Any) -> list[str]:
    return [choice["message"]["content"] for choice in found["choices"]]


def refused(server: Server, body: Any, **headers: str) -> tuple[int, Any, Any]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server, body, **headers)
    with caught.value as error:
        return error.code, json.load(error)["error"], error.headers


def status(server: Server, text: str) -> int:
    try:
        post(server, chat(text))
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    return 200


@pytest.mark.parametrize("name", sorted({name for names in FLOWS.values() for name in names}))
def test_answers_go_through_the_flows(plain: Server, name: str) -> None:
    flow = load_flow(name)
    ask = next(step for step in flow.steps if isinstance(step, Ask))
    prompt = ask.render({name: VALUES[name] for name in ask.variables})[0].content
    good, bad = ask.parse(said(post(plain, chat(prompt)))[0])
    assert len(good) == 3
    assert not bad
    assert len({block["question"] for block in good}) == 3
    rows = [Row({**VALUES, **block}, Origin(source=SEA)) for block in good]
    tests = [step.test for step in flow.steps if hasattr(step, "test")]
    assert [test(row, Setting(("When do they sail?",))) for row in rows for test in tests] == [
        ""
    ] * (len(rows) * len(tests))


def test_the_answer_follows_from_the_messages(plain: Server) -> None:
    first, again, other = (said(post(plain, chat(text))) for text in (SEA, SEA, SEA + " Mills."))
    assert first == again
    assert first != other
    with start("tail", latency=0.001) as server:
        assert said(post(server, chat(SEA))) == first


def test_several_choices_differ_where_the_temperature_is_not_0(plain: Server) -> None:
    assert len(set(said(post(plain, chat(SEA, n=3, temperature=0.7))))) == 3
    assert len(set(said(post(plain, chat(SEA, n=3, temperature=0))))) == 1
    one, two = (said(post(plain, chat(SEA, seed=seed, temperature=1))) for seed in (1, 2))
    assert one != two


def test_most_tokens_and_stop_words_end_an_answer(plain: Server) -> None:
    whole = said(post(plain, chat(SEA)))[0]
    short = post(plain, chat(SEA, max_tokens=5))
    assert said(short) == [whole[:20]]
    assert short["choices"][0]["finish_reason"] == "length"
    assert short["usage"]["completion_tokens"] <= 6
    stopped = post(plain, chat(SEA, stop=["[ANSWER]"]))
    assert said(stopped) == [whole.partition("[ANSWER]")[0]]
    assert stopped["choices"][0]["finish_reason"] == "stop"


def test_a_schema_is_followed_refused_or_ignored(plain: Server) -> None:
    item = {
        "type": "object",
        "properties": {"question": {"type": "string"}, "verdict": {"enum": ["NO", "YES"]}},
    }
    schema = {
        "type": "object",
        "properties": {
            "pairs": {"type": "array", "items": {"$ref": "#/$defs/pair"}, "maxItems": 2},
            "score": {"type": "integer", "maximum": 5},
        },
        "$defs": {"pair": item},
    }
    body = chat(SEA, response_format={"type": "json_schema", "json_schema": {"schema": schema}})
    found = json.loads(said(post(plain, body))[0])
    assert found["score"] == 5
    assert [pair["verdict"] for pair in found["pairs"]] == ["YES", "YES"]
    assert all(pair["question"].endswith("?") for pair in found["pairs"])
    with start(json_schema="ignored", answer="fixed") as server:
        assert said(post(server, body)) == ["This answer is always the same."]
    with start(json_schema="refused") as server:
        code, error, _ = refused(server, body)
        assert (code, error["param"]) == (400, "response_format")


def test_legacy_completions_take_several_prompts(plain: Server) -> None:
    plain.reset()
    body = {"model": "stand-in", "prompt": [SEA, "Other words."], "n": 2}
    found = post(plain, body, "/completions")
    assert [choice["index"] for choice in found["choices"]] == [0, 1, 2, 3]
    assert found["choices"][0]["text"] == said(post(plain, chat(SEA)))[0]
    counts = plain.counts()
    assert (counts.calls, counts.prompts) == (2, 3)


def test_models_and_health(plain: Server) -> None:
    with urllib.request.urlopen(plain.url + "/models") as response:
        assert [model["id"] for model in json.load(response)["data"]] == ["stand-in"]
    with urllib.request.urlopen(plain.root + "/health") as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        (b"{no", 400, "JSON"),
        (b"\xff", 400, "JSON"),
        ({"model": "stand-in"}, 400, "messages"),
        ({"model": "stand-in", "messages": ["hello"]}, 400, "messages"),
        (chat("a", stream=True), 400, "Streaming"),
        (chat("a", n=0), 400, "n must be"),
        ({**chat("a"), "model": "other"}, 404, "`other` does not exist"),
        (chat(f"Say {REFUSED}"), 400, "refused"),
    ],
)
def test_errors_have_openais_shape(plain: Server, body: Any, code: int, word: str) -> None:
    found, error, _ = refused(plain, body)
    assert found == code
    assert word in error["message"]
    assert set(error) == {"message", "type", "param", "code"}


def test_a_token_is_asked_for() -> None:
    with start(token="secret") as server:
        assert refused(server, chat("a"))[:1] == (401,)
        assert refused(server, chat("a"), Authorization="Bearer wrong")[1]["code"] == (
            "invalid_api_key"
        )
        assert post(server, chat("a"), Authorization="Bearer secret")["choices"]
        assert server.counts().by_status == {"401": 2, "200": 1}


def test_what_does_not_fit_the_window_is_refused() -> None:
    with start(context=60) as server:
        code, error, _ = refused(server, chat(SEA, max_tokens=40))
        assert (code, error["code"]) == (400, "context_length_exceeded")
        assert post(server, chat(SEA, max_tokens=10))["choices"]


def test_poison_fails_however_often_it_is_asked(plain: Server) -> None:
    assert [status(plain, f"{SEA} {REFUSED}") for _ in range(3)] == [400] * 3
    for _ in range(2):
        text = said(post(plain, chat(f"{SEA} {ALWAYS_GARBAGE}")))[0]
        assert "[END]" not in text


def test_above_the_limit_the_next_one_has_to_wait() -> None:
    with start("fixed", limit=2, retry_after=7) as server, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: status(server, f"Text {number}."), range(8)))
        counts = server.counts()
        assert found.count(429) == counts.by_status["429"] > 0
        assert found.count(200) == counts.by_status["200"] >= 2
        assert counts.most_in_flight > 2
    with start("429:1", retry_after=7) as server:
        assert refused(server, chat("a"))[2]["Retry-After"] == "7"


def test_each_fault_strikes_as_often_as_said_and_not_on_every_attempt() -> None:
    profile = Profile(faults=FAULTS)
    drawn = [[fate(profile, 0, f"{n}", attempt)[1] for attempt in range(8)] for n in range(5000)]
    for fault in FAULTS:
        assert 60 < sum(row[0] == fault for row in drawn) < 140
    assert not any(all(row) for row in drawn)


def test_the_heavy_tail_is_capped_and_always_the_same() -> None:
    profile = Profile(latency=0.1, tail=1.0, longest=3.0)
    delays = sorted(fate(profile, 0, f"{n}", 0)[0] for n in range(2000))
    assert 0.09 < delays[1000] < 0.11
    assert delays[-1] == 3.0
    assert delays == sorted(fate(profile, 0, f"{n}", 0)[0] for n in range(2000))


@pytest.mark.parametrize("fault", ["truncated", "page"])
def test_a_body_that_is_no_json(fault: str) -> None:
    with start(f"{fault}:1") as server, pytest.raises(json.JSONDecodeError):
        post(server, chat(SEA))


def test_a_connection_that_breaks_off() -> None:
    with start("cut:1") as server, pytest.raises((http.client.IncompleteRead, ConnectionError)):
        post(server, chat(SEA))


def test_a_wrong_number_of_choices() -> None:
    with start("choices:1") as server:
        assert [len(said(post(server, chat(SEA)))) for _ in range(2)] == [2, 0]


def test_a_client_that_goes_away_is_in_flight_no_more() -> None:
    with start("hang:1") as server:
        request = urllib.request.Request(
            server.url + "/chat/completions", json.dumps(chat(SEA)).encode()
        )
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(request, timeout=0.3)
        gone = threading.Event()
        for _ in range(200):
            counts = server.counts()
            if not counts.in_flight:
                break
            gone.wait(0.05)
        assert (counts.calls, counts.in_flight, counts.abandoned) == (1, 0, 1)
        assert counts.faults == {"hang": 1}


def test_the_counter_tells_prompts_apart() -> None:
    with start(answer="tests.backends.test_stand_in:shout") as server:
        for text in ("a", "b", "a"):
            assert said(post(server, chat(text))) == [text.upper() + "0"]
        assert sorted(server.prompts().values()) == [1, 2]
        assert (server.counts().calls, server.counts().distinct) == (3, 2)
        assert len(server.delays()) == 3
        server.reset()
        assert (server.counts().calls, server.prompts()) == (0, {})


def shout(messages: Any, variation: int) -> str:
    return messages[-1]["content"].upper() + str(variation)


def test_no_server_is_left_when_its_parent_is_killed() -> None:
    code = (
        "from tests.support.openai_server import start\n"
        "with start() as server:\n"
        "    print(server.process.pid, flush=True)\n"
        "    server.process.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout as stream:
        child = int(stream.readline())
        assert os.kill(child, 0) is None
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        pause = threading.Event()
        for _ in range(400):
            try:
                os.kill(child, 0)
            except ProcessLookupError:
                return
            pause.wait(0.05)
    pytest.fail(f"the server {child} outlived its parent")
