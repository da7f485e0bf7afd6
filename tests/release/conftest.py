"""Every kind of target in turn; real registries in the slow tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.release.places import ALL, PLACES, REAL, Place

KEPT = [*PLACES, *(pytest.param(kind, marks=pytest.mark.slow) for kind in REAL)]


@pytest.fixture(params=KEPT)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    with ALL[request.param](tmp_path, monkeypatch) as found:
        yield found
