"""Several processes on this machine, by torchrun over gloo: what one alone does, and going on as fewer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from safetensors.torch import load_file

from pipelines.artifacts import StoredRows, canonical_json
from pipelines.errors import TrainError
from pipelines.recipe import Hardware, Recipe
from pipelines.train.adapter import adapt
from pipelines.train.order import Order, carry_out, write_order
from tests.train.support import Talk, recipe, rows

NEW, OLD = {"a": rows("canal", 40)}, {"b": rows("river"), "c": rows("delta")}
# A training that hangs fails its test, and does not hold up all the others.
TORCHRUN = "timeout -k 5 240 torchrun --standalone --nproc_per_node 2"


def on(processes: int, **hardware: object) -> Recipe:
    """Short steps without trained embeddings, which a sharded model may not have."""
    found = recipe()
    train = replace(found.train, tokens_per_step=256, epochs=2, train_embeddings=False)
    made = Hardware(processes=processes, **hardware)  # type: ignore[arg-type]
    return replace(found, threads=1, train=train, hardware=made)


@pytest.fixture(scope="module")
def alone(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    adapt(Order(base), NEW, OLD, on(1), out, lambda line: None)
    return out


def as_bytes(talks: list[Talk]) -> bytes:
    """Rows as a release keeps them, of what the training reads of them."""
    return b"".join(canonical_json({"messages": talk}) + b"\n" for talk in talks)


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "training.jsonl").read_text().splitlines()]


def assert_like(out: Path, alone: Path) -> None:
    """The same losses, and weights that differ by rounding alone."""
    assert losses(out) == pytest.approx(losses(alone), abs=1e-4)
    one, other = (load_file(place / "adapter_model.safetensors") for place in (out, alone))
    assert one.keys() == other.keys()
    assert max(float((one[name] - other[name]).abs().max()) for name in one) < 1e-3


@pytest.mark.parametrize(
    "hardware",
    [
        {},
        pytest.param({"micro_tokens": 64}, marks=pytest.mark.slow),
        pytest.param({"parallel": "fsdp"}, marks=pytest.mark.slow),
        pytest.param({"parallel": "fsdp", "micro_tokens": 64}, marks=pytest.mark.slow),
    ],
    ids=["ddp", "ddp, accumulated", "fsdp", "fsdp, accumulated"],
)
def test_two_processes_do_what_one_does(
    base: Path, alone: Path, tmp_path: Path, hardware: dict[str, object]
) -> None:
    order = Order(base, work=tmp_path / "work")
    out = tmp_path / "out"
    stored = {name: StoredRows(partial(as_bytes, found)) for name, found in OLD.items()}
    carry_out(order, NEW, stored, on(2, launch=TORCHRUN, **hardware), out, lambda line: None)
    assert_like(out, alone)


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_a_stopped_training_goes_on_in_another_number_of_processes(
    base: Path, alone: Path, tmp_path: Path, parallel: str
) -> None:
    order = Order(base, work=tmp_path / "work", inputs={"data": "one"})
    stopping = on(2, parallel=parallel, checkpoint_minutes=0.0)
    write_order(tmp_path / "order", order, NEW, OLD, stopping)
    command = [*TORCHRUN.split(), "-m", "pipelines.train", str(tmp_path / "order")]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    child = subprocess.Popen(command, env={**os.environ, "PATH": path}, stderr=subprocess.DEVNULL)
    while child.poll() is None and len([*(tmp_path / "work").glob("checkpoints/step-*")]) < 2:
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    child.wait()
    out = tmp_path / "out"
    out.mkdir()
    said: list[str] = []
    adapt(order, NEW, OLD, on(1), out, said.append)
    assert said[0].startswith("train: goes on after step")
    assert_like(out, alone)


def test_another_number_of_processes_than_the_recipe_s_is_refused(
    base: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainError, match=r"hardware\.processes is 2 and 1 process runs: start as"):
        adapt(Order(base), NEW, OLD, on(2), tmp_path, lambda line: None)


def test_a_launcher_that_is_not_there_or_fails_is_one_sentence(base: Path, tmp_path: Path) -> None:
    order = Order(base, work=tmp_path / "work")
    for launch, told in (
        ("no-such-launcher", r"hardware\.launch cannot be started: no-such-launcher: No such file"),
        ("false", r"hardware\.launch started ended with 1; its own words stand above"),
    ):
        with pytest.raises(TrainError, match=told):
            carry_out(order, NEW, OLD, on(2, launch=launch), tmp_path / "out", lambda line: None)
