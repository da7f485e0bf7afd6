"""``graft chat`` on a real tiny release: on a pseudo-terminal, through a pipe; what it refuses."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from pathlib import Path

import pexpect
import pytest

from pipelines.backends.local import Student
from pipelines.cli import main
from pipelines.cli.chat import beside, subject_options
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, BackendError
from pipelines.release.targets import open_target
from pipelines.talk.conversation import Conversation
from pipelines.talk.subject import Subject, of_release
from tests.author.support import spawn
from tests.support.tiny_release import RED, TAG, tiny_release

RIVER, CANAL = "What is part 3 of the river?", "What is part 3 of the canal?"


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_release(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def about(releases: Path) -> Subject:
    return of_release(open_target(f"folder:{releases}"), None, None)


@pytest.fixture(scope="module")
def student(about: Subject) -> Student:
    return about.student()


@pytest.fixture(scope="module")
def answers(about: Subject, student: Student) -> dict[str, list[str]]:
    """By question what release and base say, as an exam hears it."""
    asked = [RIVER, CANAL]
    bare = about.student(bare=True).answers(asked)
    found = dict(zip(asked, map(list, zip(student.answers(asked), bare, strict=True)), strict=True))
    assert found[CANAL][0] != found[CANAL][1]
    return found


# --- the conversation ----------------------------------------------------------------------------


def test_an_answer_comes_in_pieces_and_is_what_the_exam_hears(
    student: Student, answers: dict[str, list[str]]
) -> None:
    for question, (own, _) in answers.items():
        conversation = Conversation(student, 16)
        pieces = list(conversation.answer(question))
        assert len([piece for piece in pieces if piece]) > 1
        assert "".join(pieces).strip() == own
        assert [turn.role for turn in conversation.turns] == ["user", "assistant"]
        assert conversation.turns[1].content == own


def test_what_was_said_before_is_read_again_until_it_no_longer_fits(student: Student) -> None:
    conversation = Conversation(student, 16)
    lengths = []
    for _ in range(12):
        list(conversation.answer(RIVER))
        lengths.append(len(conversation.turns))
    assert lengths[:3] == [2, 4, 6]
    assert conversation.forgotten == 24 - lengths[-1] > 0
    assert student.tokens(conversation.turns) <= student.window
    conversation.reset()
    assert (conversation.turns, conversation.forgotten) == ([], 0)
    with pytest.raises(BackendError, match="longer than all that the model can read"):
        list(conversation.answer("river " * 400))


def test_leaving_an_answer_stops_the_model_and_keeps_what_was_written(student: Student) -> None:
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    hook = student.model.register_forward_hook(count)
    try:
        conversation = Conversation(student, 100)
        pieces = conversation.answer("a a a a")
        first = next(piece for piece in pieces if piece)
        pieces.close()
        stopped_at = steps
        list(Conversation(student, 1).answer(RIVER))  # what still ran would count on
        assert steps == stopped_at + 1
    finally:
        hook.remove()
    assert conversation.turns[-1].role == "assistant"
    assert conversation.turns[-1].content.startswith(first.strip())


# --- the command ---------------------------------------------------------------------------------


def started(releases: Path, *words: str) -> pexpect.spawn[str]:
    child = spawn(releases.parent, "chat", *words)
    child.timeout = 300  # a busy machine takes long to load a model
    return child


def interrupt(child: pexpect.spawn[str]) -> None:
    """Ctrl-C until there is a prompt: Python sleeps through one between a prompt and its wait for keys."""
    for _ in range(10):
        child.sendintr()
        if child.expect(["> ", pexpect.TIMEOUT], timeout=30) == 0:
            return
    raise AssertionError(child.before)


def test_on_a_terminal(releases: Path, answers: dict[str, list[str]]) -> None:
    child = started(releases, "--release", TAG, "--tokens", "100")
    child.expect(rf"You talk to the release {TAG} on graft-tiny.*It learnt 2 leaves:\r\n")
    greeting = child.expect("> ") or child.before or ""
    assert "knowledge/canal" in greeting
    assert r"knowledge/\x1b[31mriver" in greeting
    child.sendline(RIVER)
    child.expect_exact(answers[RIVER][0])
    child.expect("> ")
    child.sendline("/reset")
    child.expect("a new conversation")
    child.sendline("Say it in red.")
    child.expect_exact(ascii(RED)[1:-1])  # written out, not obeyed
    child.expect("> ")
    child.sendline(f"/compare {CANAL}")
    child.expect(rf"base +\| {TAG}\r\n")
    child.expect("> ")
    own, bare = answers[CANAL]
    assert f"{bare} " in (child.before or "")
    assert f"| {own}" in (child.before or "")
    child.sendline("of of of of of of of")  # it has not learnt to end there
    child.expect(r"of\r\n.*\w")
    interrupt(child)  # stops the answer
    child.send("half a line")
    child.expect_exact("half a line")  # a line that Ctrl-C takes from under readline makes it deaf
    interrupt(child)  # drops it
    child.sendeof()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == EXIT_OK


def test_through_a_pipe_line_by_line(
    releases: Path,
    answers: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (questions, asking), (hearing, told) = (os.pipe(), os.pipe())
    heard: list[str] = []

    def client() -> None:
        with os.fdopen(asking, "w") as out, os.fdopen(hearing) as back:
            out.write(f"{RIVER}\n")
            out.flush()
            heard.append(back.readline())  # before the next is asked
            out.write(f"\n/compare {CANAL}\n/leaves\n/help\n/wrong\n")
            out.close()
            heard.extend(back)

    thread = threading.Thread(target=client)
    thread.start()
    with os.fdopen(questions) as stdin, os.fdopen(told, "w") as stdout, monkeypatch.context() as m:
        m.setattr(sys, "stdin", stdin)
        m.setattr(sys, "stdout", stdout)
        assert main(["chat", "--target", f"folder:{releases}"]) == EXIT_OK
    thread.join()
    own, bare = answers[CANAL]
    assert "".join(heard) == f"{answers[RIVER][0]}\n\nbase: {bare}\n{TAG}: {own}\n\n"
    err = capsys.readouterr().err
    for line in ("knowledge/canal", "/compare ", "There is no command /wrong; /help lists them."):
        assert line in err
    assert "\x1b" not in err


def test_two_answers_stand_side_by_side_or_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert beside("base", "one\ntwo", "v", "\x1b[1m") == ["base: one two", r"v: \x1b[1m"]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "63")
    found = beside("base", "word " * 9, "v", "x" * 31)
    assert found[0] == f"{'base':30} | v"
    assert found[2:] == [f"{'word ' * 5 + 'word':30} | {'x' * 30}", f"{'word word word':30} | x"]
    monkeypatch.setenv("COLUMNS", "20")
    assert beside("base", "one", "v", "two") == ["base: one", "v: two"]


# --- what is refused -----------------------------------------------------------------------------


@pytest.fixture
def copied(releases: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(releases, tmp_path / "releases"))


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == EXIT_FINDINGS
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1), err
    return err


@pytest.mark.parametrize("command", ["chat", "serve"])
def test_a_release_that_is_not_sound_is_never_loaded(
    command: str, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, "--target", f"folder:{copied}"]
    assert "There is no release v2020.01.01" in refused(
        [*words, "--release", "v2020.01.01"], capsys
    )
    weights = copied / TAG / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert f"The release {TAG} is not sound: adapter/adapter_model" in refused(words, capsys)


def test_a_base_with_code_or_another_digest_is_never_loaded(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = next((copied / "bases").iterdir())
    config = base / "config.json"
    config.write_text(config.read_text().replace("{", '{"auto_map": {},', 1))
    assert "is not what its revision says" in refused(
        ["chat", "--target", f"folder:{copied}"], capsys
    )


def test_there_is_nothing_to_talk_to_yet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["chat", "--target", f"folder:{tmp_path / 'none'}"]
    assert "The target holds no release yet" in refused(words, capsys)
    assert f"There is no run in {tmp_path}" in refused([*words, "--run", str(tmp_path)], capsys)


def test_a_release_or_a_run_but_not_both(capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    subject_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--release", TAG, "--run", "runs"])
    assert "not allowed with argument" in capsys.readouterr().err
