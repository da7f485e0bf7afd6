"""A very small language model on disk that ends its answers, made in seconds."""

from __future__ import annotations

from pathlib import Path

from pipelines.train.scratch import bootstrap
from tests.support.once import once
from tests.train.support import NOWHERE, recipe, rows


def tiny_model(scratch: Path) -> Path:
    """Made once for the session: it knows ``What is part 3 of the river?``."""

    def make(place: Path) -> None:
        place.mkdir()
        bootstrap(NOWHERE, {"r": rows("river")}, recipe(80_000), place, lambda line: None)

    return once(scratch, "tiny-model", make)
