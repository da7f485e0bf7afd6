"""The call store under two processes, on a full disk, and damaged while it is in use."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipelines.errors import GraftError
from pipelines.generate.completions import Completions
from tests.generate.support import Teacher
from tests.generate.test_completions import answers, call, echo

ROOT = Path(__file__).parents[2]
CHILD = """
import asyncio, sys
from pathlib import Path
from pipelines.errors import GraftError
from pipelines.generate.completions import Completions
from tests.generate.test_completions import call, echo
path, name = Path(sys.argv[1]), sys.argv[2]
sys.stdin.readline()  # all begin at once
"""


def start(code: str, path: Path, name: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD + textwrap.dedent(code), str(path), name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return process


def together(code: str, path: Path, names: Sequence[str]) -> list[str]:
    """What each of these processes printed, let go at the same moment."""
    processes = [start(code, path, name) for name in names]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate() for process in processes]
    assert [errors for _, errors in told] == [""] * len(told)
    return [out for out, _ in told]


def test_two_processes_write_the_same_and_other_keys_at_once(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    code = """
        with Completions(path) as store:
            own = range(1000, 1200) if name == "a" else range(2000, 2200)
            for number in (*range(300), *own):
                print(store.answers([call(number)], echo(name))[0])
    """
    one, two = (told.splitlines() for told in together(code, path, "ab"))
    assert one[:300] == two[:300]
    assert {line.split()[0] for line in one[300:]} == {"a"}
    assert {line.split()[0] for line in two[300:]} == {"b"}
    with Completions(path) as store:
        again = store.answers([call(number) for number in range(300)], Teacher())
        assert again == one[:300]
        assert store.made == 0
    db = sqlite3.connect(path)
    assert db.execute("SELECT COUNT(*) FROM answers").fetchone() == (700,)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


@pytest.mark.parametrize("before", ["nothing", "an old store", "a damaged store"])
def test_several_processes_open_at_once(tmp_path: Path, before: str) -> None:
    """A new store is made, an old one widened, a damaged one set aside, by one of them alone."""
    path = tmp_path / "calls.sqlite"
    if before == "an old store":
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE answers (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID")
        db.execute("INSERT INTO answers VALUES (?, 'old')", (call(0).key,))
        db.commit()
        db.close()
    elif before == "a damaged store":
        path.write_bytes(b"this is no database\n" * 500)
    code = """
        with Completions(path) as store:
            print(store.answers([call(0), call(ord(name))], echo(name)), store.set_aside is None)
    """
    told = together(code, path, "abcd")
    first = {line.split(",")[0] for line in told}
    assert len(first) == 1
    assert ("old" in first.pop()) == (before == "an old store")
    assert sum("False" in line for line in told) == (before == "a damaged store")
    with Completions(path) as store:
        found = store.answers([call(ord(name)) for name in "abcd"], Teacher())
        assert [text.split()[0] for text in found] == list("abcd")


def test_damage_that_shows_in_the_middle_of_a_run_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    numbers = list(range(400))
    answers(path, numbers, echo("old"))
    with Completions(path) as store, Completions(path) as other:
        data = path.read_bytes()
        with path.open("r+b") as file:  # the header stays: only pages deeper in are lost
            file.seek(4096)
            file.write(b"\xaa" * (len(data) - 4096))
        found = store.answers([call(number) for number in numbers], echo("new"))
        assert found[-1] == "new 399"
        assert store.set_aside is not None
        assert store.set_aside.stat().st_size == len(data)
        # Who held the damaged file too goes over to the fresh one, and sets nothing aside again.
        assert other.answers([call(number) for number in numbers], echo("newer")) == found
        assert other.set_aside is None
    assert answers(path, numbers, Teacher()) == found


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a file system; the test with RLIMIT_FSIZE runs anyway")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_sentence_and_the_store_goes_on_when_there_is_space(
    small_disk: Path,
) -> None:
    path = small_disk / "calls.sqlite"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 500_000)
    long = Teacher(lambda asked: asked.variables["number"] * 2000)
    given: list[str] = []

    def fill() -> None:
        for number in range(100, 1000):
            given.append(store.answers([call(number)], long)[0])

    with Completions(path) as store:
        with pytest.raises(GraftError, match="full") as caught:
            fill()
        assert "Free the disk" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert store.set_aside is None
        numbers = [call(100 + at) for at in range(len(given))]
        assert store.answers(numbers, Teacher()) == given
        ballast.unlink()
        more = len(given) + 100
        assert store.answers([call(more)], long) == [str(more) * 2000]
    assert given
    with Completions(path) as store:
        assert store.answers(numbers, Teacher()) == given
        assert store.set_aside is None


def test_a_limit_on_the_size_of_files_is_one_sentence_too(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    code = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        with Completions(path) as store:
            async def at_once():
                teacher = echo("x" * 2000)
                asked = (store.answer(call(number), teacher) for number in range(400))
                return await asyncio.gather(*asked, return_exceptions=True)
            for found in asyncio.run(at_once()):
                print(found.text if not isinstance(found, Exception) else f"{type(found).__name__}: {found}")
            assert store.set_aside is None
    """
    (told,) = together(code, path, "a")
    lines = told.splitlines()
    given = [line for line in lines if line.startswith("xxx")]
    failed = {line for line in lines if not line.startswith("xxx")}
    assert len(lines) == 400
    assert given
    assert len(failed) == 1
    assert "cannot be used" in failed.pop()
    kept = answers(path, range(len(given)), Teacher())
    assert kept == given


def test_a_store_that_is_no_store_of_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE VIEW answers AS SELECT 1 AS one")
    db.commit()
    db.close()
    data = path.read_bytes()
    with pytest.raises(GraftError, match="Move it away"):
        Completions(path)
    assert path.stat().st_size >= len(data)
    assert not path.with_suffix(".damaged").exists()
