"""The index on disk: damaged, old, another's, broken off, shared, or not to be written at all."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.near import index_path
from pipelines.near.entries import Entry, LeafEntries
from pipelines.near.index import Index
from pipelines.near.store import Unusable, is_damage, open_index, set_aside

LEAF = LeafEntries("a", "1", (Entry("question", 1, 1, "When was the tower lit?", "1759"),))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = tmp_path / "taxonomy"
    found.mkdir()
    return found


@pytest.fixture
def path(tmp_path: Path, root: Path) -> Path:
    return index_path(tmp_path / ".graft", root)


def opened(path: Path, root: Path, *, create: bool = True) -> tuple[Index | None, list[str]]:
    said: list[str] = []
    return open_index(path, root, create=create, say=said.append), said


def filled(path: Path, root: Path) -> None:
    """An index with one leaf in it, and nobody who has it open."""
    index, said = opened(path, root)
    assert index is not None
    index.put([LEAF])
    index.compare()
    index.close()
    assert said == []


def test_what_was_put_is_there_when_opened_again(path: Path, root: Path) -> None:
    filled(path, root)
    index, said = opened(path, root, create=False)
    assert index is not None
    assert index.digests() == {"a": "1"}
    assert not index.complete()
    index.completed()
    assert index.complete()
    assert said == []
    index.close()


def test_it_is_begun_only_where_asked_and_git_does_not_see_it(path: Path, root: Path) -> None:
    assert opened(path, root, create=False) == (None, [])
    assert not path.parent.exists()
    filled(path, root)
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert not [name for name in os.listdir(path.parent) if name.startswith(f".{path.name}")]


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 4096 + 100])


def _old(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()


def _of_another(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = CAST('/elsewhere' AS BLOB)")
    connection.close()


def _without_tables(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE meta")
    connection.close()


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (_garbage, "damaged"),
        (_emptied, "another version"),
        (_cut, "damaged"),
        (_old, "another version"),
        (_of_another, "another taxonomy"),
        (_without_tables, "damaged"),
    ],
)
def test_one_that_is_no_good_is_set_aside_and_said(
    path: Path, root: Path, harm: Callable[[Path], None], word: str, create: bool
) -> None:
    filled(path, root)
    harm(path)
    bad = path.read_bytes()
    index, said = opened(path, root, create=create)
    assert len(said) == 1
    assert word in said[0]
    assert "set aside" in said[0]
    assert Path(f"{path}.aside").read_bytes() == bad
    if not create:
        assert index is None
        assert not path.exists()
        return
    assert index is not None
    assert index.digests() == {}
    index.close()


def test_two_taxonomies_have_two_indexes(tmp_path: Path, path: Path, root: Path) -> None:
    filled(path, root)
    other = tmp_path / "other"
    other.mkdir()
    elsewhere = index_path(tmp_path / ".graft", other)
    assert elsewhere != path
    os.makedirs(elsewhere.parent, exist_ok=True)
    elsewhere.write_bytes(path.read_bytes())
    index, said = opened(elsewhere, other)
    assert index is not None
    assert index.digests() == {}
    assert "another taxonomy" in said[0]
    index.close()


def test_one_in_use_is_not_set_aside(path: Path, root: Path) -> None:
    index, _ = opened(path, root)
    assert index is not None
    with pytest.raises(Unusable, match="another process"):
        set_aside(path)
    index.close()
    set_aside(path)
    assert not path.exists()


@pytest.mark.parametrize("at_cache", [True, False])
def test_a_place_that_cannot_hold_it(path: Path, root: Path, at_cache: bool) -> None:
    blocked = path.parent.parent if at_cache else path
    blocked.parent.mkdir(parents=True, exist_ok=True)
    if at_cache:
        blocked.write_text("a file where the folder belongs")
    else:
        blocked.mkdir()
    with pytest.raises(Unusable, match=r"cannot be used"):
        opened(path, root)


def test_which_errors_mean_damage() -> None:
    assert is_damage(sqlite3.DatabaseError("database disk image is malformed"))
    assert is_damage(sqlite3.OperationalError("no such table: leaf"))
    assert not is_damage(sqlite3.OperationalError("database is locked"))
    assert not is_damage(sqlite3.OperationalError("database or disk is full"))


# A child that dies at once, with no clean-up, when its n-th event of one kind comes.
DYING = """
import os, sys
from pathlib import Path
from pipelines.near.entries import Entry, LeafEntries
from pipelines.near.store import open_index

path, root, event, deadly = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
seen = 0

def die(name, arguments):
    global seen
    if name == event:
        seen += 1
        if seen == deadly:
            os._exit(9)

def leaves():
    for number in range(60):
        if event == "leaf" and number == deadly:
            os._exit(9)
        asked = tuple(Entry("question", 1, 1, f"Who was keeper {number} of {n}?", "Ada") for n in "abcde")
        yield LeafEntries(f"new{number:03}", str(number), asked)

sys.addaudithook(die)
index = open_index(path, root, create=True, say=print)
index.put(leaves())
index.compare()
index.close()
"""


def dying(path: Path, root: Path, event: str, deadly: int) -> int:
    words = [sys.executable, "-c", DYING, str(path), str(root), event, str(deadly)]
    return subprocess.run(words, cwd=Path(__file__).parents[2], check=False).returncode


@pytest.mark.parametrize(
    ("event", "deadly"), [("os.link", 1), ("sqlite3.connect", 1), ("sqlite3.connect", 2)]
)
def test_a_kill_while_it_is_begun_leaves_none_or_an_empty_one(
    path: Path, root: Path, event: str, deadly: int
) -> None:
    assert dying(path, root, event, deadly) == 9
    index, said = opened(path, root)
    assert index is not None
    assert said == []
    assert index.digests() == {}
    index.put([LEAF])
    index.close()


@pytest.mark.parametrize("deadly", [1, 45])
def test_a_kill_while_leaves_are_put_leaves_what_was_there(
    path: Path, root: Path, deadly: int
) -> None:
    filled(path, root)
    assert dying(path, root, "leaf", deadly) == 9
    index, said = opened(path, root)
    assert index is not None
    assert said == []
    assert index.digests() == {"a": "1"}
    index.close()
    assert dying(path, root, "nothing", 0) == 0
    index, _ = opened(path, root)
    assert index is not None
    assert len(index.digests()) == 61
    index.close()


def test_several_processes_at_once_lose_nothing(path: Path, root: Path) -> None:
    words = [sys.executable, "-c", DYING, str(path), str(root), "nothing", "0"]
    home = Path(__file__).parents[2]
    running = [subprocess.Popen(words, cwd=home, stdout=subprocess.PIPE) for _ in range(4)]
    ends = [(process.communicate()[0], process.returncode) for process in running]
    assert ends == [(b"", 0)] * 4
    index, said = opened(path, root)
    assert index is not None
    assert said == []
    assert len(index.digests()) == 60
    count = index._db.execute("SELECT count(*), min(state) FROM text").fetchone()
    assert count == (300, 1)
    index.close()
