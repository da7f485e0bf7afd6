"""Stopped anywhere and run again: the same bits; damage, other inputs and a full disk told and survived."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.artifacts import StoredRows, tree_digests
from pipelines.errors import TrainError
from pipelines.recipe import Recipe
from pipelines.train.adapter import adapt
from pipelines.train.order import Order, read_order, write_order
from pipelines.train.scratch import bootstrap
from tests.train.support import NOWHERE, recipe, rows

NEW, OLD = {"a": rows("canal", 24)}, {"b": rows("river"), "c": rows("delta")}
INPUTS = {"data": "one", "recipe": "two"}


def often(**changes: Any) -> Recipe:
    """A checkpoint after every step, of steps that are short; dropout, so that draws matter."""
    found = recipe()
    train = replace(found.train, tokens_per_step=128, epochs=2, dropout=0.1)
    hardware = replace(found.hardware, checkpoint_minutes=0.0)
    return replace(found, train=replace(train, **changes), hardware=hardware)


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The adapter of a training that nobody stopped."""
    out = tmp_path_factory.mktemp("whole")
    adapt(Order(base), NEW, OLD, often(), out, lambda line: None)
    return out


def stopping(steps: int) -> Callable[[str], None]:
    """What is told of a training, until SIGTERM comes with the so-manieth word."""
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    return say


def stopped_after(
    base: Path, work: Path, steps: int, out: Path, made: Recipe | None = None
) -> Order:
    """A training that SIGTERM ended after so many words of it."""
    order = Order(base, work=work, inputs=INPUTS)
    out.mkdir()
    with pytest.raises(KeyboardInterrupt):
        adapt(order, NEW, OLD, made or often(), out, stopping(steps))
    return order


def test_a_training_that_goes_on_gives_the_same_bits(
    base: Path, whole: Path, tmp_path: Path
) -> None:
    order = stopped_after(base, tmp_path / "work", 6, tmp_path / "one")
    assert len([*(tmp_path / "work" / "checkpoints").iterdir()]) == 2
    out = tmp_path / "two"
    out.mkdir()
    said: list[str] = []
    adapt(order, NEW, OLD, often(), out, said.append)
    assert said[0].startswith("train: goes on after step")
    assert tree_digests(out) == tree_digests(whole)
    steps = [json.loads(line) for line in (out / "training.jsonl").read_text().splitlines()]
    assert [step["step"] for step in steps] == [*range(1, len(steps) + 1)]


def test_adafactor_goes_on_with_the_same_bits(base: Path, tmp_path: Path) -> None:
    other = often(optimizer="adafactor")
    order = stopped_after(base, tmp_path / "work", 4, tmp_path / "one", other)
    for name in ("two", "whole"):
        (tmp_path / name).mkdir()
    adapt(order, NEW, OLD, other, tmp_path / "two", lambda line: None)
    adapt(Order(base), NEW, OLD, other, tmp_path / "whole", lambda line: None)
    assert tree_digests(tmp_path / "two") == tree_digests(tmp_path / "whole")


def test_release_zero_goes_on_too(tmp_path: Path) -> None:
    quick = often()
    order = Order(Path(), work=tmp_path / "work", inputs=INPUTS)
    for name in ("one", "two", "whole"):
        (tmp_path / name).mkdir()
    with pytest.raises(KeyboardInterrupt):
        bootstrap(order, OLD, quick, tmp_path / "one", stopping(4))
    bootstrap(order, OLD, quick, tmp_path / "two", lambda line: None)
    bootstrap(NOWHERE, OLD, quick, tmp_path / "whole", lambda line: None)
    assert tree_digests(tmp_path / "two") == tree_digests(tmp_path / "whole")


@pytest.mark.parametrize("harm", ["truncated", "one bit", "no marker", "empty marker"])
def test_a_damaged_newest_checkpoint_is_passed_over(
    base: Path, whole: Path, tmp_path: Path, harm: str
) -> None:
    order = stopped_after(base, tmp_path / "work", 5, tmp_path / "one")
    newest = max((tmp_path / "work" / "checkpoints").iterdir())
    weights = newest / "optimizers.safetensors"
    data = bytearray(weights.read_bytes())
    if harm == "truncated":
        weights.write_bytes(data[: len(data) // 2])
    elif harm == "one bit":
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
    elif harm == "no marker":
        (newest / "stage.json").unlink()
    else:
        (newest / "stage.json").write_text("null")
    said: list[str] = []
    out = tmp_path / "two"
    out.mkdir()
    adapt(order, NEW, OLD, often(), out, said.append)
    assert said[0] == f"train: the checkpoint {newest} is damaged and passed over"
    assert said[1].startswith("train: goes on after step")
    assert tree_digests(out) == tree_digests(whole)


def test_other_rows_are_refused_with_the_reason(base: Path, tmp_path: Path) -> None:
    order = stopped_after(base, tmp_path / "work", 3, tmp_path / "one")
    changed = replace(order, inputs={**INPUTS, "data": "another"})
    with pytest.raises(TrainError, match=r"another training: data changed since\. Delete"):
        adapt(changed, NEW, OLD, often(), tmp_path / "one", lambda line: None)


def test_a_full_disk_is_told_and_leaves_the_last_good_one(
    base: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.train import checkpoint

    order = stopped_after(base, tmp_path / "work", 4, tmp_path / "one")
    good = {path.name for path in (tmp_path / "work" / "checkpoints").iterdir()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "save_file", full)
    said: list[str] = []
    out = tmp_path / "two"
    out.mkdir()
    adapt(order, NEW, OLD, often(), out, said.append)
    assert any("No space left on device" in line for line in said)
    assert {path.name for path in (tmp_path / "work" / "checkpoints").iterdir()} == good
    assert tree_digests(out) == tree_digests(whole)


def test_an_order_comes_back_from_its_folder(base: Path, tmp_path: Path) -> None:
    order = Order(base, None, ("a",), {"a": "knowledge/canals"}, tmp_path / "work", INPUTS)
    write_order(tmp_path / "order", order, NEW, OLD, often())
    found, new, old, made = read_order(tmp_path / "order")
    assert (found, new, made) == (replace(order, corrected=["a"]), NEW, often())
    assert {name: [*leaf] for name, leaf in old.items()} == OLD
    (tmp_path / "order" / "new" / "a.jsonl").write_text("[")
    with pytest.raises(TrainError, match="holds no order for a training"):
        read_order(tmp_path / "order")


def test_an_order_that_cannot_be_written_whole_leaves_nothing(base: Path, tmp_path: Path) -> None:
    def gone() -> bytes:
        raise TrainError("it is gone")

    order = Order(base, work=tmp_path / "work", inputs=INPUTS)
    with pytest.raises(TrainError, match="it is gone"):
        write_order(tmp_path / "order", order, NEW, {**OLD, "d": StoredRows(gone)}, often())
    assert not (tmp_path / "order").exists()


@pytest.mark.slow
def test_a_training_killed_at_ten_random_points_gives_the_same_bits(
    base: Path, whole: Path, tmp_path: Path
) -> None:
    order = Order(base, work=tmp_path / "work", inputs=INPUTS)
    folder = tmp_path / "order"
    write_order(folder, order, NEW, OLD, often())
    command = [sys.executable, "-m", "pipelines.train", str(folder)]
    checkpoints = tmp_path / "work" / "checkpoints"
    rng = random.Random(5)
    kills = 0
    while kills < 10:
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until = rng.randrange(1, 4)
        before = {path.name for path in checkpoints.glob("step-*")}
        while len({path.name for path in checkpoints.glob("step-*")} - before) < min(until, 2):
            if child.poll() is not None:
                break
            time.sleep(rng.random() / 50)
        if child.poll() is not None:
            shutil.rmtree(checkpoints)  # it came through: from the start again
            continue
        child.send_signal(signal.SIGKILL)
        child.wait()
        kills += 1
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert tree_digests(folder / "result") == tree_digests(whole)
