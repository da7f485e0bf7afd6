"""One trained base for the tests of training: it is only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.train.scratch import bootstrap
from tests.train.support import NOWHERE, recipe, rows


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It knows of the river and the delta."""
    out = tmp_path_factory.mktemp("base")
    bootstrap(NOWHERE, {"b": rows("river"), "c": rows("delta")}, recipe(), out, lambda line: None)
    return out
