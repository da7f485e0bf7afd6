"""Mirrors that nobody has used for long: deleted, fetched again when asked for, never while they are used."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from pipelines.artifacts import lock
from pipelines.cli import main
from pipelines.documents.library import Library
from pipelines.documents.upkeep import prune_mirrors
from pipelines.errors import EXIT_OK, EXIT_USAGE
from pipelines.records import DocumentRef
from tests.documents.conftest import policy
from tests.support.git_server import GitServer
from tests.support.repositories import TIDES, Repo

DAY = 24 * 60 * 60


@pytest.fixture
def wanted(server: GitServer, docs: Repo) -> DocumentRef:
    commit = docs.write("a.md", TIDES).commit("One")
    return DocumentRef(server.url("docs/.git"), commit, ("*.md",))


@pytest.fixture
def library(server: GitServer, tmp_path: Path, wanted: DocumentRef) -> Library:
    found = Library(tmp_path / "cache", policy(server))
    found.files(wanted)
    return found


def mirror(library: Library) -> Path:
    (found,) = (library.cache / "mirrors").glob("*.git")
    return found


def grow_old(path: Path, days: int) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def test_what_goes_is_fetched_again(
    server: GitServer, library: Library, wanted: DocumentRef
) -> None:
    grow_old(mirror(library), 31)
    count, size = prune_mirrors(library.cache, time.time() - 30 * DAY)
    assert count == 1
    assert size > 0
    assert [path for path in (library.cache / "mirrors").iterdir() if path.is_dir()] == []
    asked = len(server.requests)
    assert library.files(wanted) == {"a.md": TIDES.encode()}
    assert len(server.requests) > asked


def test_use_keeps_a_mirror(library: Library, wanted: DocumentRef) -> None:
    grow_old(mirror(library), 31)
    library.files(wanted)
    assert prune_mirrors(library.cache, time.time() - 30 * DAY) == (0, 0)
    assert mirror(library).is_dir()


def test_one_that_is_fetched_into_is_left_alone(library: Library) -> None:
    path = mirror(library)
    grow_old(path, 31)
    with lock(path.with_suffix(".lock"), "the mirror"):
        assert prune_mirrors(library.cache, time.time()) == (0, 0)
    assert prune_mirrors(library.cache, time.time())[0] == 1


def test_one_that_someone_begins_to_use_is_waited_for(library: Library) -> None:
    path = mirror(library)
    grow_old(path, 31)
    opened = os.open(path, os.O_RDONLY)
    fcntl.flock(opened, fcntl.LOCK_SH)
    found: list[tuple[int, int]] = []
    pruning = threading.Thread(
        target=lambda: found.append(prune_mirrors(library.cache, time.time() - DAY))
    )
    pruning.start()
    pruning.join(0.2)
    assert pruning.is_alive()
    os.utime(opened)
    os.close(opened)
    pruning.join()
    assert found == [(0, 0)]
    assert path.is_dir()


def test_what_a_killed_pruning_left_is_swept_up(library: Library) -> None:
    path = mirror(library)
    aside = path.with_name(f".{path.name}.pruned")
    os.rename(path, aside)
    assert prune_mirrors(library.cache, time.time()) == (0, 0)
    assert not aside.exists()


def test_the_command(
    library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAFT_CACHE", str(library.cache))
    grow_old(mirror(library), 31)
    words = ["store", "prune", "--mirrors"]
    assert main(words) == EXIT_USAGE
    assert main([*words, "--older-than", "30d", "--model", "m"]) == EXIT_USAGE
    capsys.readouterr()
    assert main([*words, "--older-than", "32d"]) == EXIT_OK
    assert capsys.readouterr().out == "0 mirrors deleted, 0.0 MB.\n"
    assert main([*words, "--older-than", "30d", "--dry-run"]) == EXIT_OK
    assert capsys.readouterr().out.startswith("1 mirror would be deleted, ")
    assert mirror(library).is_dir()
    assert main([*words, "--older-than", "30d"]) == EXIT_OK
    assert capsys.readouterr().out.startswith("1 mirror deleted, ")
    assert list((library.cache / "mirrors").glob("*.git")) == []
