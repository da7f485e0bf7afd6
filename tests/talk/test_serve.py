"""``graft serve`` and OpenAI's own client: answers, streams, who is turned away, who hangs up."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import openai
import pytest
import uvicorn
from transformers.cli.serving.utils import DirectStreamer

from pipelines.backends.local import Student
from pipelines.cli import main
from pipelines.cli.serve import TOKEN
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE
from pipelines.release.targets import open_target
from pipelines.talk.server import application
from pipelines.talk.subject import of_release
from tests.author.support import environment
from tests.support.tiny_release import TAG, tiny_release

KEY = "a-token"
RIVER = "What is part 3 of the river?"
ENDLESS = "of of of of of of of"  # nothing that it learnt to answer, and so to end


@dataclass(slots=True)
class Served:
    url: str
    student: Student
    clients: list[openai.OpenAI] = field(default_factory=list)

    def client(self, key: str = KEY) -> openai.OpenAI:
        made = openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)
        self.clients.append(made)
        return made

    def answer(self, question: str = RIVER, **more: object) -> str:
        done = self.client().chat.completions.create(
            model=TAG,
            messages=[{"role": "user", "content": question}],
            **more,  # type: ignore[call-overload]
        )
        text: str = done.choices[0].message.content
        return text


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    releases = tiny_release(tmp_path_factory.getbasetemp())
    student = of_release(open_target(f"folder:{releases}"), TAG, None).student()
    app = application(student, TAG, 64, KEY, ["127.0.0.1"])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    bound = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    found = Served(f"http://127.0.0.1:{bound.getsockname()[1]}", student)
    yield found
    for client in found.clients:
        client.close()
    server.should_exit = True
    thread.join()
    bound.close()


def status(url: str, authorization: str) -> int:
    try:
        with urlopen(Request(url, headers={"Authorization": authorization})) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def test_an_answer_is_what_the_exam_hears(served: Served) -> None:
    done = served.client().chat.completions.create(
        model=TAG, messages=[{"role": "user", "content": [{"type": "text", "text": RIVER}]}]
    )
    assert done.choices[0].message.content == served.student.answers([RIVER])[0]
    assert (done.model, done.choices[0].finish_reason) == (TAG, "stop")
    assert done.usage is not None
    assert done.usage.prompt_tokens + done.usage.completion_tokens == done.usage.total_tokens > 0


def test_a_stream_brings_the_same_in_pieces(served: Served) -> None:
    stream = served.client().chat.completions.create(
        model=TAG, messages=[{"role": "user", "content": RIVER}], stream=True, temperature=0
    )
    chunks = list(stream)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert len([piece for piece in pieces if piece]) > 1
    assert "".join(pieces) == served.student.answers([RIVER])[0]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


def test_limits_draws_and_earlier_turns_are_heeded(served: Served) -> None:
    client = served.client()
    cut = client.chat.completions.create(
        model=TAG, messages=[{"role": "user", "content": ENDLESS}], max_completion_tokens=5
    )
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 5
    drawn = [served.answer(ENDLESS, temperature=2, seed=seed, max_tokens=20) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    longer = client.chat.completions.create(
        model=TAG,
        messages=[
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": RIVER},
            {"role": "assistant", "content": "It is river 3"},
            {"role": "user", "content": RIVER},
        ],
    )
    assert longer.usage is not None
    assert longer.usage.prompt_tokens > cut.usage.prompt_tokens


def test_the_models_and_the_health(served: Served) -> None:
    assert [model.id for model in served.client().models.list()] == [TAG]
    with urlopen(f"{served.url}/health") as told:
        assert json.load(told) == {"status": "ok"}


@pytest.mark.parametrize("name", ["someone/tiny-chat", "/etc", f"{TAG}@main", f"{TAG}:x.gguf", ""])
def test_another_model_is_not_to_be_had(served: Served, name: str) -> None:
    with pytest.raises(openai.NotFoundError, match="There is no model"):
        served.client().chat.completions.create(
            model=name, messages=[{"role": "user", "content": RIVER}]
        )


@pytest.mark.parametrize("key", ["another", KEY.upper(), f"{KEY}x"])
def test_a_wrong_token_opens_nothing(served: Served, key: str) -> None:
    client = served.client("no")
    client = client.with_options(default_headers={"Authorization": f"Bearer {key}".encode()})  # type: ignore[dict-item]
    with pytest.raises(openai.AuthenticationError, match="asks for its token"):
        client.models.list()
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model=TAG, messages=[{"role": "user", "content": RIVER}])
    for header in ("", "Bearer", f"Basic {KEY}", "Bearer clé"):
        assert status(f"{served.url}/v1/models", header) == 401


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"messages": []}, "messages: List should have at least 1 item"),
        ({"tools": [{}]}, "tools: this server does not know it"),
        ({"n": 2}, "n: "),
        ({"temperature": 9}, "temperature: "),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: "),
        ({"chat_template_kwargs": {"chat_template": "{{ 1 }}"}}, "chat_template_kwargs: "),
        ({"generation_config": "{}"}, "generation_config: "),
        ({"messages": [{"role": "user", "content": "river " * 300}]}, "longer than the 128 tokens"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    served: Served, more: dict[str, object], message: str
) -> None:
    body = {"model": TAG, "messages": [{"role": "user", "content": "x"}], **more}
    with pytest.raises(openai.BadRequestError) as caught:
        served.client().post("/chat/completions", body=body, cast_to=object)
    assert message in str(caught.value)


def test_other_routes_of_transformers_serve_are_not_there(served: Served) -> None:
    for path in ("/load_model", "/reset", "/v1/responses", "/docs", "/openapi.json"):
        with pytest.raises(openai.NotFoundError):
            served.client().post(f"{served.url}{path}", body={"model": "x/y"}, cast_to=object)


def test_a_web_page_under_another_name_and_a_large_request_are_turned_away(served: Served) -> None:
    client = served.client().with_options(default_headers={"Host": "evil.example"})
    with pytest.raises(openai.BadRequestError):
        client.models.list()
    with pytest.raises(openai.APIStatusError, match="at most") as caught:
        served.answer("x" * 5_000_000)
    assert caught.value.status_code == 413


def test_two_at_once_get_each_their_own(served: Served) -> None:
    questions = [f"What is part {number} of the river?" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(served.answer, questions))
    assert found == served.student.answers(questions)
    assert len(set(found)) > 1


def test_who_hangs_up_stops_the_model(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model answers one after the other: the next answer ends when the one left alone has."""
    steps, noticed = 0, threading.Event()
    cancel = DirectStreamer.cancel

    def notice(streamer: DirectStreamer) -> None:
        cancel(streamer)
        noticed.set()

    monkeypatch.setattr(DirectStreamer, "cancel", notice)

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    gate = threading.Event()

    def slow(*_: object) -> None:
        if steps > 2:
            gate.wait(90)

    hooks = [served.student.model.register_forward_hook(hook) for hook in (count, slow)]
    try:
        stream = served.client().chat.completions.create(
            model=TAG, messages=[{"role": "user", "content": ENDLESS}], stream=True, max_tokens=60
        )
        next(iter(stream))
        stream.close()
        assert noticed.wait(60)
        gate.set()
        served.answer(max_tokens=1)
    finally:
        for hook in hooks:
            hook.remove()
    assert steps < 10


# --- the command -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_serves_and_ends_in_order(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    releases = tiny_release(tmp_path_factory.getbasetemp())
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines", "serve", "--port", "0"],
        cwd=releases.parent,
        env={**environment(), TOKEN: KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url, _, model = process.stdout.readline().split()
    assert model == TAG
    client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)
    done = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": RIVER}]
    )
    assert "river" in (done.choices[0].message.content or "")
    assert status(f"{url}/models", "Bearer wrong") == 401
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (EXIT_OK, ""), err
    assert "stopped" in err
    assert KEY not in err


def test_beyond_this_machine_a_token_is_needed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    for host in ("0.0.0.0", "::", "example.org"):
        assert main(["serve", "--host", host]) == EXIT_USAGE
        told = capsys.readouterr().err
        assert f"--host {host} can be reached from other machines: give a token in {TOKEN}" in told
        assert told.count("\n") == 1


def test_a_port_in_use_is_told_before_a_model_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    releases = tiny_release(tmp_path_factory.getbasetemp())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = ["serve", "--target", f"folder:{releases}", "--port", port]
        assert main(words) == EXIT_FINDINGS
    assert f"127.0.0.1:{port} cannot be listened on" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach the Hub; the loopback is not it."""
    assert os.environ.get("HF_ENDPOINT") is None
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
