"""The call store, on real SQLite files and with processes that are really killed."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.backends import Answer, Call
from pipelines.errors import BackendError, CallError, GraftError
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
    with Completions(path) as store:
        return store.answers([call(number) for number in numbers], teacher)


def test_each_key_is_asked_once_and_answered_in_order(tmp_path: Path) -> None:
    teacher = echo()
    with Completions(tmp_path / "deep" / "calls.sqlite") as store:
        numbers = [call(2), call(1), call(2)]
        assert store.answers(numbers, teacher) == ["answer 2", "answer 1", "answer 2"]
        assert (store.made, store.reused) == (2, 1)
        assert store.answers([call(1), call(3)], teacher) == ["answer 1", "answer 3"]
        assert (store.made, store.reused) == (3, 2)
        assert store.answers([], teacher) == []
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
        "with Completions(Path(sys.argv[1])) as store:\n"
        "    found = store.answers([call(1), call(2), call(3)], echo('second'))\n"
        "    print(found, store.made, store.reused)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "['first 1', 'first 2', 'second 3'] 1 2"


def test_of_two_that_ask_at_once_the_first_answer_wins(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"

    def overtaken(asked: Call) -> str:
        other = threading.Thread(target=answers, args=(path, [1], echo("first")))
        other.start()
        other.join()
        return "second"

    teacher = Teacher(overtaken)
    with Completions(path) as store:
        assert store.answers([call(1)], teacher) == ["first 1"]
        assert store.answers([call(1)], teacher) == ["first 1"]
    assert len(teacher.asked) == 1


def test_who_asks_for_what_is_under_way_shares_its_answer_or_its_error(tmp_path: Path) -> None:
    def never(asked: Call) -> str:
        raise CallError("no")

    class Slow(Teacher):
        async def answer(self, call: Call) -> Answer:
            await asyncio.sleep(0.01)
            return await super().answer(call)

    async def both(teacher: Teacher) -> list[object]:
        asked = (store.answer(call(1), teacher) for _ in range(3))
        return list(await asyncio.gather(*asked, return_exceptions=True))

    with Completions(tmp_path / "calls.sqlite") as store:
        failing = Slow(never)
        assert [str(found) for found in asyncio.run(both(failing))] == ["no"] * 3
        assert len(failing.asked) == 1
        teacher = Slow(lambda asked: "yes")
        assert asyncio.run(both(teacher)) == [Answer("yes")] * 3
        assert (len(teacher.asked), store.made, store.reused) == (1, 1, 4)


def test_a_store_of_the_first_version_is_read_and_widened(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE answers (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID")
    db.execute("INSERT INTO answers VALUES (?, 'old')", (call(1).key,))
    db.commit()
    db.close()
    assert answers(path, [1, 2], echo()) == ["old", "answer 2"]


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
    with Completions(path) as store:
        assert store.answers([call(1), call(2)], echo("new")) == ["new 1", "new 2"]
        assert store.set_aside is not None
        assert store.set_aside.read_bytes() == bytes(data)
    with Completions(path) as store:
        assert store.answers([call(1)], echo("newer")) == ["new 1"]
        assert store.set_aside is None


def test_a_place_that_holds_no_store_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GraftError, match="cannot be made"):
        Completions(tmp_path / "file" / "calls.sqlite")
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(GraftError, match="cannot be used"):
        Completions(tmp_path / "folder.sqlite")


def test_a_killed_writer_loses_no_answer_that_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    code = CHILD + (
        "with Completions(Path(sys.argv[1])) as store:\n"
        "    for number in range(10**6):\n"
        "        store.answers([call(number)], echo())\n"
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
        with Completions(path) as store:
            found = store.answers([call(number) for number in given], echo("lost"))
            assert found == [f"answer {number}" for number in given]
            assert store.made == 0
            assert store.set_aside is None


def test_the_file_is_a_plain_table_that_anyone_can_read(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    answers(path, [7], echo())
    db = sqlite3.connect(path)
    assert db.execute("SELECT key, text FROM answers").fetchall() == [(call(7).key, "answer 7")]
    db.close()
