"""Graft's training of an adapter on the common rows; see ``common``.

``adapt`` itself runs, as ``graft train`` calls it. Only where it would report to a logger the steps are
timed. Variants: ``plain``, and ``checkpointing`` with every layer computed again.
"""

from __future__ import annotations

import common  # first: it finds the settings

# isort: split
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipelines.recipe import Recipe, load_recipe  # noqa: E402
from pipelines.records import Message  # noqa: E402
from pipelines.train import adapter  # noqa: E402
from pipelines.train.data import encode  # noqa: E402
from pipelines.train.order import Order  # noqa: E402


def recipe_for(settings: Mapping[str, Any], variant: str = "plain") -> Recipe:
    """An embedded recipe with the benchmark's LoRA and sizes, on rows that are all new."""
    made = load_recipe(settings["recipe"])
    train = replace(
        made.train, rank=common.RANK, alpha=common.ALPHA, targets="all", epochs=1, rate=common.RATE,
        dropout=0.0, tokens_per_step=settings["tokens_per_step"], replay=0.0, interpolation=1.0,
        steps=0, train_embeddings=False,
    )  # fmt: skip
    cuda = settings["device"] == "cuda"
    hardware = replace(
        made.hardware,
        device="auto" if cuda else "cpu",
        dtype="bfloat16" if cuda else "float32",
        gradient_checkpointing=int(variant == "checkpointing"),
    )
    return replace(made, train=train, hardware=hardware, threads=settings["threads"])


def run(
    folder: Path, settings: dict[str, Any], variant: str, watch: common.Watch
) -> dict[str, Any]:
    recipe = recipe_for(settings, variant)
    talks = [
        (Message("user", row["question"]), Message("assistant", row["answer"]))
        for row in common.rows(folder)
    ]
    seen = 0

    def log(step: int, figures: Mapping[str, float]) -> None:
        nonlocal seen
        watch.step()
        watch.batch(int(figures["tokens"]) - seen, 0, 0)
        seen = int(figures["tokens"])

    @contextlib.contextmanager
    def timed(*_: object) -> Iterator[Any]:
        watch.begin()
        yield log

    adapter.reporting = timed  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as out:
        order = Order(base=folder / "base")
        adapter.adapt(order, {"bench": talks}, {}, recipe, Path(out), lambda line: None)
    _count(folder, talks, recipe, watch)
    import torch

    device = torch.cuda.max_memory_allocated() / 1e6 if watch.device == "cuda" else 0.0
    return {"version": "this commit", "device_memory": device}


def _count(folder: Path, talks: Any, recipe: Recipe, watch: common.Watch) -> None:
    """Supervised tokens and padding, counted after the time is taken."""
    from transformers import AutoTokenizer

    from pipelines.train.data import batch, micro_batches, steps

    tokenizer = AutoTokenizer.from_pretrained(folder / "base")
    found = encode(tokenizer, [(talk, 1.0) for talk in talks], recipe.student.positions)
    watch.supervised = len(batch(found).targets)
    for step in steps(found, recipe.train.tokens_per_step, recipe.seed):
        parts = micro_batches(step, recipe.hardware.micro_tokens)
        watch.padded += sum(part.ids.numel() for part in parts)


if __name__ == "__main__":
    common.main(run)
