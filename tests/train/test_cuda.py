"""What only a GPU can show: `make test-gpu` runs these, and nothing else does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.backends.local import Student
from pipelines.recipe import Recipe
from pipelines.train.adapter import adapt
from pipelines.train.order import Order, write_order
from tests.train.support import recipe, rows

pytestmark = pytest.mark.cuda
NEW, OLD = {"a": rows("canal", 60)}, {"b": rows("river"), "c": rows("delta")}


def on(**hardware: object) -> Recipe:
    """Some twenty short steps, with dropout, so that draws matter."""
    found = recipe()
    train = replace(found.train, tokens_per_step=128, dropout=0.1, train_embeddings=False)
    made = replace(found.hardware, checkpoint_minutes=0.0, **hardware)  # type: ignore[arg-type]
    return replace(found, train=train, hardware=made)


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "training.jsonl").read_text().splitlines()]


def adapted(base: Path, out: Path, wanted: Recipe) -> list[float]:
    out.mkdir()
    adapt(Order(base), NEW, OLD, wanted, out, lambda line: None)
    return losses(out)


@pytest.mark.parametrize(
    ("hardware", "far"),
    [({}, 5e-3), ({"dtype": "bfloat16"}, 0.1)],
    ids=["float32", "bfloat16"],
)
def test_the_losses_are_those_of_a_cpu(
    base: Path, tmp_path: Path, hardware: dict[str, object], far: float
) -> None:
    plain = replace(on().train, dropout=0.0)  # devices draw differently
    cpu = adapted(base, tmp_path / "cpu", replace(on(), train=plain))
    gpu = adapted(base, tmp_path / "gpu", replace(on(device="auto", **hardware), train=plain))
    assert len(gpu) > 15
    assert gpu == pytest.approx(cpu, abs=far)


def test_a_training_that_is_killed_goes_on_with_the_same_losses(base: Path, tmp_path: Path) -> None:
    wanted = on(device="auto", dtype="bfloat16")
    whole = adapted(base, tmp_path / "whole", wanted)
    order = Order(base, work=tmp_path / "work", inputs={"data": "one"})
    write_order(tmp_path / "order", order, NEW, OLD, wanted)
    command = [sys.executable, "-m", "pipelines.train", str(tmp_path / "order")]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while len(list((tmp_path / "work" / "checkpoints").glob("step-*"))) < 2:
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    told = subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True).stderr
    assert losses(tmp_path / "order" / "result") == pytest.approx(whole, abs=1e-4), told


def test_a_student_answers_as_on_a_cpu(base: Path) -> None:
    prompts = [talk[0].content for talk in rows("river")]
    cpu = Student(base, None, 16, 2)
    gpu = Student(base, None, 16, 2, replace(recipe().hardware, device="auto"))
    assert gpu.model.device.type == "cuda"
    assert gpu.answers(prompts) == cpu.answers(prompts)
