"""GitHub's API for the jobs of a test's ``place``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.actions import Forge
from tests.support.github import Hub, at_github


@pytest.fixture
def hub(place: Forge) -> Iterator[Hub]:
    with at_github(place) as found:
        yield found
