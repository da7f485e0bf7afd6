"""What only a GPU can show: `make test-gpu` runs these, with the extra `cuda`, and nothing else does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from transformers.models.llama import modeling_llama
from transformers.utils.import_utils import is_liger_kernel_available

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


@pytest.mark.parametrize("kernels", [True, False], ids=["liger", "plain"])
def test_liger_changes_nothing_but_rounding_and_is_gone_afterwards(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernels: bool
) -> None:
    plain = replace(on().train, dropout=0.0)
    wanted = replace(on(device="auto"), train=plain)
    before = dict(vars(modeling_llama))
    asked: list[bool] = []

    def there() -> bool:
        asked.append(kernels and is_liger_kernel_available())
        return asked[-1]

    monkeypatch.setattr("pipelines.train.kernels.is_liger_kernel_available", there)
    found = adapted(base, tmp_path / "gpu", wanted)
    assert asked == [kernels], "pip install 'graft-taxonomy[cuda]'"
    assert dict(vars(modeling_llama)) == before
    assert found == pytest.approx(
        adapted(base, tmp_path / "cpu", replace(on(), train=plain)), abs=5e-3
    )


# The tiny base's layers are narrower than a block of bitsandbytes' fast kernels.
@pytest.mark.filterwarnings("ignore:inner dimension")
def test_a_base_of_four_bits_learns(base: Path, tmp_path: Path) -> None:
    found = adapted(base, tmp_path / "gpu", on(device="auto", dtype="bfloat16", quantize="4bit"))
    third = len(found) // 3
    assert sum(found[-third:]) < sum(found[:third])


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
