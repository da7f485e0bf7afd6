"""What a training takes before it starts: memory by what holds it, and time by the arithmetic.

In: a model's shape, as its config.json has it, and the recipe. Out: bytes and floating-point operations.
Pure; nothing is loaded. benchmarks/README.md holds the estimates against measured runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.errors import TrainError
from pipelines.recipe import Recipe, Train

_PROCESS = 0.7e9  # bytes: Python, torch and transformers themselves
# In float32, so on a CPU: what its allocator holds of tensors that were freed, as a part of all layers'
# activations; recomputing them frees as much. benchmarks/README.md has what it was measured on.
_HELD = 0.8
_LOGITS = 4096  # positions whose logits are held at once, as in supervised.py
_SUPERVISED = 0.35  # the part of a row's tokens that an assistant says, about


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder of the Llama kind; lengths in units, ``vocabulary`` in tokens."""

    layers: int
    hidden: int
    feed_forward: int
    attention: int  # heads times their width
    keys: int  # the same of keys and values
    vocabulary: int
    tied: bool

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """The linear maps of one layer: width in, width out."""
        h, f = self.hidden, self.feed_forward
        return {
            "q_proj": (h, self.attention),
            "k_proj": (h, self.keys),
            "v_proj": (h, self.keys),
            "o_proj": (self.attention, h),
            "gate_proj": (h, f),
            "up_proj": (h, f),
            "down_proj": (f, h),
        }

    @property
    def body(self) -> int:
        """Weights of all layers."""
        return self.layers * sum(a * b for a, b in self.matrices.values())

    @property
    def parameters(self) -> int:
        """All weights, embeddings included."""
        return self.body + (1 if self.tied else 2) * self.vocabulary * self.hidden


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes at the fullest moment, by what holds them."""

    weights: float
    adapter: float
    activations: float
    logits: float
    rest: float = _PROCESS

    @property
    def total(self) -> float:
        return self.weights + self.adapter + self.activations + self.logits + self.rest


def shape_of(config: Mapping[str, Any], name: str) -> Shape:
    """The shape in a config.json; ``TrainError`` where it is of another kind."""
    try:
        heads = config["num_attention_heads"]
        width = config.get("head_dim") or config["hidden_size"] // heads
        return Shape(
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            feed_forward=config["intermediate_size"],
            attention=heads * width,
            keys=config.get("num_key_value_heads", heads) * width,
            vocabulary=config["vocab_size"],
            tied=config.get("tie_word_embeddings", False),
        )
    except (KeyError, TypeError, ZeroDivisionError) as error:
        raise TrainError(
            f"The config.json of {name} names no shape that can be reckoned with: {error} is missing."
        ) from error


def made_shape(recipe: Recipe) -> Shape:
    """The shape of a student that is made here."""
    student = recipe.student
    hidden = student.hidden
    return Shape(
        student.layers, hidden, student.feed_forward, hidden, hidden, student.vocabulary, tied=True
    )


def trained(shape: Shape, recipe: Recipe) -> int:
    """Weights that the optimizer moves: the adapter's, and embeddings where they are trained too."""
    wanted = ("gate_proj", "up_proj", "down_proj") if recipe.train.targets == "mlp" else None
    pairs = [pair for name, pair in shape.matrices.items() if wanted is None or name in wanted]
    adapter = shape.layers * recipe.train.rank * sum(a + b for a, b in pairs)
    return adapter + recipe.train.train_embeddings * shape.vocabulary * shape.hidden


def memory(shape: Shape, recipe: Recipe, bytes_a_weight: int) -> Memory:
    """Of one device, where an adapter is trained. ``bytes_a_weight``: 2 for bfloat16, 4 for float32.

    A layer keeps for its backward pass two inputs, queries, keys, values and what attention gives, and
    three widths of the MLP; with dropout the adapters' inputs besides, and beside a quantised base in
    bfloat16 peft keeps them in float32.
    """
    hardware = recipe.hardware
    weights = float(shape.parameters * bytes_a_weight)
    if hardware.quantize == "4bit":
        weights = shape.body * 0.55 + (shape.parameters - shape.body) * bytes_a_weight
    moved = trained(shape, recipe)
    tokens = hardware.micro_tokens or -(-recipe.train.tokens_per_step // hardware.processes)
    inputs = 2 * shape.hidden + shape.attention + shape.feed_forward
    kept = 4 * shape.hidden + 2 * (shape.attention + shape.keys) + 4 * shape.feed_forward
    again = inputs * bytes_a_weight if recipe.train.dropout else 0
    if hardware.quantize == "4bit" and bytes_a_weight < 4:
        again = inputs * 4
    a_layer = kept * bytes_a_weight + again
    held = _HELD * tokens * a_layer * shape.layers if bytes_a_weight == 4 else 0.0
    layers: float = shape.layers
    if hardware.gradient_checkpointing:  # the others' inputs, and one layer computed again
        redone = shape.layers / hardware.gradient_checkpointing
        layers = shape.layers - redone + 1 + redone * shape.hidden / kept
    # Weight and gradient in float32; AdamW's two moments besides.
    state = 16 if recipe.train.optimizer == "adamw" else 8
    shards = hardware.processes if hardware.parallel == "fsdp" else 1
    positions = min(_LOGITS, tokens * _SUPERVISED)
    return Memory(
        weights=weights / shards,
        adapter=moved * state / shards,
        activations=tokens * a_layer * layers,
        logits=positions * shape.vocabulary * (bytes_a_weight + 8),
        rest=_PROCESS + held,
    )


def operations(shape: Shape, tokens: float) -> float:
    """Floating-point operations to train on so many tokens: forward, and backward to the inputs.

    Two a weight and token forward, two backward, since frozen weights want no gradient of their own.
    What gradient checkpointing computes again is not counted.
    """
    head = shape.vocabulary * shape.hidden * _SUPERVISED
    return 4.0 * tokens * (shape.body + head)


def must_fit(wanted: Memory, available: float, student: str) -> None:
    """``TrainError`` with the figures, and what to turn, where a device is too small."""
    if wanted.total <= available:
        return
    parts = ", ".join(
        f"{name} {getattr(wanted, name) / 1e9:.1f}"
        for name in ("weights", "adapter", "activations", "logits")
    )
    raise TrainError(
        f"Training {student} takes about {wanted.total / 1e9:.1f} GB ({parts}) and "
        f"{available / 1e9:.1f} GB are free: lower hardware.micro_tokens, set "
        "hardware.gradient_checkpointing to 1 or hardware.quantize to 4bit, or take a smaller student."
    )


def step_tokens(train: Train, tokens: float) -> int:
    """Tokens of a step at most, where a training has so many in all."""
    if not train.steps:
        return train.tokens_per_step
    return min(train.tokens_per_step, max(train.step_least, 1, int(tokens / train.steps)))


def replayed(train: Train, new: float, corrected: float) -> float:
    """Tokens of earlier leaves that an epoch takes with ``new`` ones, of which so many ``corrected``.

    A small change at the same rate shakes what is known as a large one does; corrections have a lower one.
    """
    if not new or not train.replay:
        return 0.0
    return max(train.replay * new, train.replay_least / train.epochs * (1 - corrected / new))
