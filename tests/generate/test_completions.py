"""The call store, on real SQLite files and with processes that are really killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.backends import Call
from pipelines.errors import BackendError, GraftError
from pipelines.generate.completions import Completions
from tests.generate.support import Teacher

CHILD = """
import sys
from pathlib import Path
from pipelines.generate.completions import Completions
from tests.generate.test_completions import echo, call
"""


def call(number: int) -> Call:
    return Call("task", {"number": str(number)}, (), "model", str(number))


def echo(prefix: str = "answer") -> Teacher:
    return Teacher(lambda asked: f"{prefix} {asked.variables['number']}")


def answers(path: Path, numbers: Sequence[int], teacher: Teacher) -> list[str]:
    with Completions(path, teacher) as store:
        return store.answers([call(number) for number in numbers])


def test_each_key_is_asked_once_and_answered_in_order(tmp_path: Path) -> None:
    teacher = echo()
    with Completions(tmp_path / "deep" / "calls.sqlite", teacher) as store:
        assert store.answers([call(2), call(1), call(2)]) == ["answer 2", "answer 1", "answer 2"]
        assert (store.made, store.reused) == (2, 0)
        assert store.answers([call(1), call(3)]) == ["answer 1", "answer 3"]
        assert (store.made, store.reused) == (3, 1)
        assert store.answers([]) == []
    assert len(teacher.asked) == 3


def test_more_keys_than_one_query_takes(tmp_path: Path) -> None:
    numbers = list(range(1234))
    found = answers(tmp_path / "calls.sqlite", numbers, echo())
    assert found == [f"answer {number}" for number in numbers]
    silent = Teacher()
    assert answers(tmp_path / "calls.sqlite", numbers, silent) == found
    assert silent.asked == []


def test_a_second_process_reads_the_answers_back(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    answers(path, [1, 2], echo("first"))
    code = CHILD + (
        "with Completions(Path(sys.argv[1]), echo('second')) as store:\n"
        "    print(store.answers([call(1), call(2), call(3)]), store.made, store.reused)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "['first 1', 'first 2', 'second 3'] 1 2"


def test_of_two_that_ask_at_once_the_first_answer_wins(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"

    def overtaken(asked: Call) -> str:
        with Completions(path, echo("first")) as other:
            other.answers([asked])
        return "second"

    with Completions(path, Teacher(overtaken)) as store:
        assert store.answers([call(1)]) == ["first 1"]
        assert store.answers([call(1)]) == ["first 1"]


def test_a_teacher_that_fails_leaves_no_answer_behind(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"

    def fail(asked: Call) -> str:
        raise BackendError("the teacher is gone")

    answers(path, [1], echo())
    with pytest.raises(BackendError, match="gone"):
        answers(path, [1, 2], Teacher(fail))
    assert answers(path, [1, 2], echo("again")) == ["answer 1", "again 2"]


@pytest.mark.parametrize("damage", ["all", "header", "pages"])
def test_a_damaged_store_is_set_aside_whole_and_begun_again(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "calls.sqlite"
    numbers = list(range(600))
    answers(path, numbers, echo("old"))
    data = bytearray(path.read_bytes())
    if damage == "all":
        data = bytearray(b"this is no database\n" * 500)
    elif damage == "header":
        data[:64] = b"\xff" * 64
    else:
        data[4096:] = b"\xaa" * (len(data) - 4096)
    path.write_bytes(data)
    with Completions(path, echo("new")) as store:
        assert store.answers([call(1), call(2)]) == ["new 1", "new 2"]
        assert store.set_aside is not None
        assert store.set_aside.read_bytes() == bytes(data)
    with Completions(path, echo("newer")) as store:
        assert store.answers([call(1)]) == ["new 1"]
        assert store.set_aside is None


def test_a_place_that_holds_no_store_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GraftError, match="cannot be made"):
        Completions(tmp_path / "file" / "calls.sqlite", echo())
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(GraftError, match="cannot be used"):
        Completions(tmp_path / "folder.sqlite", echo())


def test_a_killed_writer_loses_no_answer_that_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    code = CHILD + (
        "with Completions(Path(sys.argv[1]), echo()) as store:\n"
        "    for number in range(10**6):\n"
        "        store.answers([call(number)])\n"
        "        print(number, flush=True)\n"
    )
    for enough in (3, 40):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        given = [int(writer.stdout.readline()) for _ in range(enough)]
        writer.send_signal(signal.SIGKILL)
        given += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
        writer.wait()
        writer.stdout.close()
        with Completions(path, echo("lost")) as store:
            found = store.answers([call(number) for number in given])
            assert found == [f"answer {number}" for number in given]
            assert store.made == 0
            assert store.set_aside is None


def test_the_file_is_a_plain_table_that_anyone_can_read(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    answers(path, [7], echo())
    db = sqlite3.connect(path)
    assert db.execute("SELECT key, text FROM answers").fetchall() == [(call(7).key, "answer 7")]
    db.close()
