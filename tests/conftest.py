"""What holds for every test: no deadline, idle threads that leave the cores to others, a loopback, and
signals as a terminal's processes begin with them.

A busy machine must fail no property test, and OpenMP threads that spin while they wait make a
training test take a hundred times as long beside another process (the Makefile says the same).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.support.flow import Site

settings.register_profile("graft", deadline=None, database=None, derandomize=True)
settings.load_profile("graft")


if sys.platform == "linux":
    from tests.support.sealed import loopback_up

    with contextlib.suppress(OSError):  # the tests themselves may run with the network cut off
        loopback_up()

# Behind a shell's & it is ignored, and by all that a test starts; Python's own handler is not inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _signals_are_given_back() -> Iterator[None]:
    """A command that runs in this process would else leave its handlers to the next test."""
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in heard.items():
        signal.signal(number, handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, files of few tests come first: they train, and one that comes last is waited for."""
    if hasattr(config, "workerinput"):
        tests = Counter(item.path for item in items)
        items.sort(key=lambda item: tests[item.path])  # stable: a file's tests keep their order


@pytest.fixture(scope="session")
def made_zero(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Five leaves and release zero; only copied from."""
    from tests.support.flow import zero_site

    return zero_site(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def made_grown(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The same, and the branch ``tower`` with one leaf more, released; only copied from."""
    from tests.support.flow import grown_site

    return grown_site(tmp_path_factory.getbasetemp())


@pytest.fixture
def zero(made_zero: Site, tmp_path: Path) -> Site:
    return made_zero.copy(tmp_path / "site")


@pytest.fixture
def grown(made_grown: Site, tmp_path: Path) -> Site:
    return made_grown.copy(tmp_path / "site")
