"""A repository of two leaves as the current folder, and ``graft diff`` typed in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.diff.support import Graft, diffing, fork, two_leaves
from tests.support.repositories import Repo


@pytest.fixture
def graft(capsys: pytest.CaptureFixture[str]) -> Graft:
    return diffing(capsys)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    return two_leaves(tmp_path / "repo", monkeypatch)


@pytest.fixture
def forked(repo: Repo) -> Repo:
    return fork(repo)
