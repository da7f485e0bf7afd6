"""Every kind of target, ready to be used by a test: one line a kind.

In: an empty folder and pytest's monkeypatch. Out: a ``Place`` whose target holds nothing yet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.release.targets import Target, open_target
from tests.support.debian_registry import debian_registry
from tests.support.hub import hub, used
from tests.support.registry import registry


@dataclass(frozen=True)
class Place:
    """Where a target lies. Each ``open`` is what another process would open."""

    spec: str
    cache: Path

    def open(self, cache: str = "cache") -> Target:
        return open_target(self.spec, self.cache / "caches" / cache)


@contextlib.contextmanager
def _folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    yield Place(f"folder:{folder / 'target'}", folder)


@contextlib.contextmanager
def _hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with hub(folder / "hub") as stand_in:
        used(stand_in, monkeypatch, folder / "home")
        yield Place("hub:me/model", folder)


@contextlib.contextmanager
def _oci(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with registry(folder / "registry") as stand_in:
        yield Place(f"oci:{stand_in.host}/me/model", folder)


@contextlib.contextmanager
def _debian(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with debian_registry(folder / "registry") as host:
        yield Place(f"oci:{host}/me/model", folder)


PLACES: Mapping[str, Callable[[Path, pytest.MonkeyPatch], AbstractContextManager[Place]]] = {
    "folder": _folder,
    "hub": _hub,
    "oci": _oci,
}
# The real things that a stand-in stands for, where they can be had: among the slow tests.
REAL: Mapping[str, Callable[[Path, pytest.MonkeyPatch], AbstractContextManager[Place]]] = {
    "oci on Debian's registry": _debian,
}
ALL = {**PLACES, **REAL}
