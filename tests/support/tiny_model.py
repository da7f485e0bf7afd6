"""A very small language model on disk that ends its answers, made in seconds."""

from __future__ import annotations

import functools
from pathlib import Path

from pipelines.train.scratch import bootstrap
from tests.train.support import NOWHERE, recipe, rows


@functools.cache
def tiny_model(scratch: Path) -> Path:
    """Made once in the session's folder: it knows ``What is part 3 of the river?``."""
    place = scratch / "tiny-model"
    place.mkdir()
    bootstrap(NOWHERE, {"r": rows("river")}, recipe(80_000), place, lambda line: None)
    return place
