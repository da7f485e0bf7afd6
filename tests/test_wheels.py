"""Which wheels a bundle carries, and what is said where pip cannot bring them; the wheels are made up."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import wheels
from pipelines.artifacts import file_digest
from pipelines.errors import GraftError, UsageError
from pipelines.wheels import collect, packages, pinned, requirements, try_out
from tests.support.made_wheels import NEEDS, small_environment, wheel

PINS = {
    "tiny-answers": "tiny-answers==2.0",
    "tiny-base": "tiny-base==1.5",
    "tiny-fast": "tiny-fast==3.0",
}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_environment(tmp_path, monkeypatch)


@pytest.mark.usefixtures("index")
def test_what_runs_here_is_pinned_with_all_that_it_needs() -> None:
    assert pinned(NEEDS, ()) == {"tiny-base": "tiny-base==1.5"}
    assert pinned(NEEDS, ["serve"]) == {"tiny-base": "tiny-base==1.5"}
    assert pinned(NEEDS, ["model"]) == PINS
    never = 'tiny-gone; sys_platform == "plan9"'
    own = [*NEEDS, f'{wheels.NAME}[model]; extra == "all"', never]
    assert pinned(own, ["all"]) == PINS


def test_where_it_was_installed_from_counts(index: Path) -> None:
    info = index.parent / "site" / "tiny_base-1.5.dist-info"
    version_control = {"vcs": "git", "commit_id": "c" * 40}
    told = {"url": "https://example.org/base", "vcs_info": version_control}
    (info / "direct_url.json").write_text(json.dumps(told))
    found = pinned(NEEDS, ())["tiny-base"]
    assert found == f"tiny-base @ git+https://example.org/base@{'c' * 40}"
    (info / "direct_url.json").write_text(json.dumps({"url": "file:///b.whl", "archive_info": {}}))
    assert pinned(NEEDS, ())["tiny-base"] == "tiny-base @ file:///b.whl"


def test_the_wheels_are_those_of_the_installed_versions(index: Path, tmp_path: Path) -> None:
    said: list[str] = []
    folder = tmp_path / "out" / "wheels"
    collect(["model"], folder, "", said.append)
    assert said == ["building the wheel of Graft", "collecting 3 wheels"]
    assert [path.name for path in folder.parent.iterdir()] == ["wheels"]
    files = {path: file_digest(path).sha256 for path in folder.iterdir()}
    assert packages(files) == {
        wheels.NAME: "9.9", "tiny-answers": "2.0", "tiny-base": "1.5", "tiny-fast": "3.0"
    }  # fmt: skip
    text = requirements(files)
    assert text.count(" --hash=sha256:") == len(files)
    try_out(text, folder, said.append)
    (folder / "tiny_fast-3.0-py3-none-any.whl").unlink()
    with pytest.raises(GraftError, match=r"pip cannot collect the wheels: No matching .*tiny-fast"):
        try_out(text, folder, said.append)
    wheel(folder, "tiny-fast", "3.0", main="print('another')")
    with pytest.raises(GraftError, match=r"pip cannot collect the wheels: "):
        try_out(text, folder, said.append)


def test_an_extra_that_graft_lacks_or_that_is_not_installed(index: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no extra 'modle'; it has gone, model, serve"):
        collect(["modle"], tmp_path / "wheels", "", lambda line: None)
    with pytest.raises(GraftError, match=r"tiny-nowhere is not installed here.*install the same"):
        pinned(['tiny-nowhere; extra == "gone"'], ["gone"])


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_an_index_that_cannot_be_reached_or_lacks_a_wheel(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    (index / "tiny_base-1.5-py3-none-any.whl").unlink()
    missing = r"No matching distribution found for tiny-base==1\.5; name the index .* --index URL"
    with pytest.raises(GraftError, match=missing):
        collect(["serve"], tmp_path / "wheels", "", lambda line: None)
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed_port}/simple")
    with pytest.raises(GraftError, match=r"it reaches no package index .*PIP_FIND_LINKS"):
        collect(["serve"], tmp_path / "wheels", "", lambda line: None)


def test_a_python_without_pip(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bare"
    bare.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    bare.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(bare))
    with pytest.raises(GraftError, match=r"has none; .* -m ensurepip"):
        collect(["serve"], tmp_path / "wheels", "", lambda line: None)


def test_the_checkout_that_runs_is_what_is_built() -> None:
    assert wheels._own(wheels.ROOT) == f"{wheels.NAME} @ {wheels.ROOT.as_uri()}"
