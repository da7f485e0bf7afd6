"""A LoRA adapter for one change: a new one on a base, or an earlier one continued.

In: an ``Order`` and conversations by content hash, those that are new and those to replay; a recipe.
Out, in the stage directory: the adapter as peft saves it, ``training.json`` (rows, tokens, loss, rows
seen by content hash) and ``training.jsonl``, a line a step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from pipelines.artifacts import OldRows, Rows
from pipelines.errors import TrainError
from pipelines.recipe import Recipe
from pipelines.train.base import save_adapter, with_adapter
from pipelines.train.checkpoint import Progress, checkpoints_of
from pipelines.train.cost import step_tokens
from pipelines.train.data import Encoded, encode, steps
from pipelines.train.integrations import reporting
from pipelines.train.kernels import kernels
from pipelines.train.loop import (
    Course,
    Say,
    deterministic,
    tell_left_out,
    train,
    write_record,
)
from pipelines.train.optimizers import adapter_optimizer, newness
from pipelines.train.order import Order
from pipelines.train.replay import replay, shares
from pipelines.train.supervised import Supervised
from pipelines.train.world import World, world


@dataclass(frozen=True, slots=True)
class Material:
    """The rows of every epoch, the new ones first; ``fresh`` of them are new. ``corrected``: the part of
    the new tokens that corrects; ``seen``: rows of each content hash."""

    epochs: Sequence[Sequence[Encoded]]
    fresh: int
    corrected: float
    seen: dict[str, int]

    @property
    def tokens(self) -> int:
        return sum(len(row.ids) for epoch in self.epochs for row in epoch)


def adapt(
    order: Order, new: Rows, old: OldRows, recipe: Recipe, out: Path, say: Say
) -> dict[str, int]:
    """Train on the rows of ``new``, replaying ``old``; returns rows seen of each, replay included.

    Corrected rows are few, and at the full rate they would unlearn the rest of their leaf: what of it
    is unchanged stands in ``old`` under the same hash and is replayed at a share of its own, and the
    rate falls with the corrected rows' part of the tokens.
    """
    deterministic(recipe)
    with world(recipe.hardware) as here, _enough_memory():
        # In a function of its own: what DDP holds has to be gone before the processes part.
        return _adapted(order, new, old, recipe, here, out, say if here.first else _unheard)


def _adapted(
    order: Order,
    new: Rows,
    old: OldRows,
    recipe: Recipe,
    here: World,
    out: Path,
    say: Say,
) -> dict[str, int]:
    torch.manual_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(order.base)
    material = _material(tokenizer, new, old, order, recipe, say)
    model = with_adapter(order.base, order.adapter, recipe, here)
    supervised = Supervised(model, bool(recipe.hardware.gradient_checkpointing))
    wrapped = here.wrap(supervised, supervised.layers)
    moving = {name: p for name, p in model.named_parameters() if p.requires_grad}
    start = {name: p.detach().clone() for name, p in moving.items()}
    vocabulary = model.get_input_embeddings().weight.shape[0]
    optimizer = _optimizer(moving, material, recipe, vocabulary)
    with kernels(model, here.device, say):
        done = _trained(wrapped, moving, optimizer, material, order, recipe, here, say)
    with torch.no_grad():
        for name, parameter in moving.items():
            parameter.lerp_(start[name], 1 - recipe.train.interpolation)
    save_adapter(model, moving, recipe, here, out)
    if here.first:
        told = {"rows": material.fresh, "tokens": material.tokens, "loss": round(done.loss, 4)}
        write_record(out, {**told, "seen": material.seen}, done)
    return material.seen


@contextlib.contextmanager
def _enough_memory() -> Iterator[None]:
    """One sentence where memory ends, for CUDA, MPS and the CPU alike."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        told = " ".join(str(error).split())
        words = ("out of memory", "not enough memory", "can't allocate memory")
        if not isinstance(error, MemoryError) and not any(word in told.lower() for word in words):
            raise
        raise TrainError(
            f"The memory is too small for this training: {told[:120]}. Lower hardware.micro_tokens, set "
            "hardware.gradient_checkpointing to 1 or hardware.quantize to 4bit, or take a smaller student."
        ) from error


def _unheard(line: str) -> None:
    """Of several processes the first one speaks."""


def _material(
    tokenizer: PreTrainedTokenizerBase,
    new: Rows,
    old: OldRows,
    order: Order,
    recipe: Recipe,
    say: Say,
) -> Material:
    encoded = _encoded(tokenizer, new, order, recipe, say)
    tokens = {h: sum(len(row.ids) for row in found) for h, found in encoded.items()}
    seen = {content_hash: len(found) for content_hash, found in encoded.items()}
    portions = shares(old, tokens, order.corrected, recipe)
    fresh = [row for found in encoded.values() for row in found]
    epochs = [
        [*fresh, *replay(old, portions, epoch, tokenizer, recipe, seen)]
        for epoch in range(recipe.train.epochs)
    ]
    part = sum(tokens.get(h, 0) for h in order.corrected) / sum(tokens.values())
    return Material(epochs, len(fresh), part, seen)


def _encoded(
    tokenizer: PreTrainedTokenizerBase,
    new: Rows,
    order: Order,
    recipe: Recipe,
    say: Say,
) -> dict[str, list[Encoded]]:
    """The new rows that the student can hold; ``TrainError`` where there is none."""
    weights = dict.fromkeys(order.corrected, recipe.train.corrected_weight)
    longest, too_long = recipe.student.positions, recipe.train.too_long
    found = {}
    for content_hash in sorted(new):
        rows = [(row, weights.get(content_hash, 1.0)) for row in new[content_hash]]
        name = order.names.get(content_hash, content_hash[:12])
        found[content_hash] = encode(tokenizer, rows, longest, too_long, name)
    kept = sum(map(len, found.values()))
    if not kept:
        raise TrainError(
            "There is no row to train on: the changed leaves gave none, or none that fits the student's "
            f"{longest} tokens."
        )
    if too_long == "leave_out":
        tell_left_out(sum(map(len, new.values())) - kept, recipe, say)
    return found


def _optimizer(
    moving: Mapping[str, torch.nn.Parameter], material: Material, recipe: Recipe, vocabulary: int
) -> torch.optim.Optimizer:
    first, fresh = material.epochs[0], material.fresh
    factor = 1 - material.corrected * (1 - recipe.train.corrected_rate)
    new_tokens = newness(first[:fresh], first[fresh:], vocabulary)
    return adapter_optimizer(moving, recipe.train, factor, new_tokens)


def _trained(
    wrapped: torch.nn.Module,
    moving: Mapping[str, torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    material: Material,
    order: Order,
    recipe: Recipe,
    here: World,
    say: Say,
) -> Progress:
    settings, hardware = recipe.train, recipe.hardware
    course = Course(
        material.tokens, settings.schedule, settings.warmup, settings.clip, hardware.micro_tokens,
        recipe.seed,
    )  # fmt: skip
    most = step_tokens(settings, material.tokens)
    rows = (
        step
        for number, epoch in enumerate(material.epochs)
        for step in steps(epoch, most, recipe.seed + number)
    )
    checkpoints = checkpoints_of(order, recipe, say)
    with reporting(recipe, here, order.work or Path()) as log:
        return train(wrapped, moving, [optimizer], rows, course, say, here, checkpoints, log)
