"""Too little memory, and figures that others show: in processes of their own, with nothing pretended."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import TrainError
from pipelines.recipe import Recipe
from pipelines.train.adapter import adapt
from pipelines.train.order import Order, write_order
from tests.support import forks
from tests.train.support import recipe, rows, talk

NEW, OLD = {"a": rows("canal", 24)}, {"b": rows("river")}


def on(**hardware: object) -> Recipe:
    found = recipe()
    return replace(found, hardware=replace(found.hardware, **hardware))  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform != "linux", reason="the address space is limited as Linux does it")
def test_memory_that_ends_is_one_sentence_with_what_to_turn(base: Path, tmp_path: Path) -> None:
    wide = replace(on(), train=replace(recipe().train, tokens_per_step=10**6, rank=64))
    long = "It is river " * 6
    many = {"a": [talk(f"What is {n}? {long}", f"{long} {n}") for n in range(8000)]}
    write_order(tmp_path / "order", Order(base), many, OLD, wide)
    words = ["tests.train.cramped", str(tmp_path / "order")]
    done = forks.run(words, tmp_path, dict(os.environ))
    assert done.stdout.startswith("The memory is too small for this training: "), done.stderr
    assert "Lower hardware.micro_tokens, set hardware.gradient_checkpointing to 1" in done.stdout


def test_tensorboard_has_every_step(base: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    work, out = tmp_path / "work", tmp_path / "out"
    out.mkdir()
    adapt(Order(base, work=work), NEW, OLD, on(report_to=("tensorboard",)), out, lambda line: None)
    (events,) = {path.parent for path in work.rglob("events.out.tfevents.*")}
    found = EventAccumulator(str(events)).Reload()
    steps = (out / "training.jsonl").read_text().splitlines()
    assert [event.step for event in found.Scalars("train/loss")] == [*range(1, len(steps) + 1)]
    assert {"train/loss", "train/grad_norm", "train/rate"} <= set(found.Tags()["scalars"])


def test_an_integration_that_is_not_there_is_one_sentence(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"hardware\.report_to: notebook-of-mine is not supported"):
        adapt(
            Order(base), NEW, OLD, on(report_to=("notebook-of-mine",)), tmp_path, lambda line: None
        )
