"""Checkpoints of a training: trained weights, optimizers' state, how far it is. No pickle.

In: parameters by name, optimizers, a ``Progress``. Out: directories ``step-00000120`` as every stage has
them, whole or absent, with the digests of their files; the newest sound one is taken up again. Random
draws follow from seed and step, so that no generator's state has to be kept.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pipelines.artifacts import MARKER, pretty_json, stage, tree_digests
from pipelines.errors import GraftError, TrainError
from pipelines.recipe import Recipe
from pipelines.train.order import Order
from pipelines.train.world import World, like, whole

VERSION = 1
KEPT = 2
_WEIGHTS, _OPTIMIZERS, _PROGRESS = "weights.safetensors", "optimizers.safetensors", "progress.json"

Parameters = Mapping[str, torch.nn.Parameter]


@dataclass
class Progress:
    """How far a training is: whole steps, tokens, and of each step [tokens, loss, gradient norm, rate]."""

    step: int = 0
    tokens: int = 0
    history: list[list[float]] = field(default_factory=list)

    @property
    def loss(self) -> float:
        """The mean of the last tenth of the steps."""
        tail = self.history[-max(1, len(self.history) // 10) :]
        return sum(row[1] for row in tail) / len(tail) if tail else float("nan")


class Checkpoints:
    """Those of one training in ``directory``, for as long as it follows from the same ``inputs``.

    ``seconds`` lie between two of them. A disk that is full is said and leaves the earlier ones.
    """

    def __init__(
        self,
        directory: Path,
        inputs: Mapping[str, str],
        seconds: float,
        say: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._inputs = dict(inputs)
        self._seconds = seconds
        self._say = say
        self._last = time.monotonic()
        self.begun = False  # whether there is one already: the training is long

    def due(self) -> bool:
        """Whether the last one is long ago."""
        return time.monotonic() - self._last >= self._seconds

    def save(
        self,
        parameters: Parameters,
        optimizers: Sequence[torch.optim.Optimizer],
        progress: Progress,
        world: World,
    ) -> None:
        """Write one; every process has to call, the first one writes."""
        weights = {name: whole(p.detach()).cpu().contiguous() for name, p in parameters.items()}
        tensors, rest = _flat(parameters, optimizers)
        self._last, self.begun = time.monotonic(), True
        if world.first:
            try:
                with stage(self._place(progress.step), inputs=self._inputs, version=VERSION) as out:
                    save_file(weights, out / _WEIGHTS)
                    save_file(tensors, out / _OPTIMIZERS)
                    found: dict[str, object] = {"step": progress.step, "tokens": progress.tokens}
                    found |= {"history": progress.history, "optimizers": rest}
                    (out / _PROGRESS).write_bytes(pretty_json(found))
                for old in self._found()[KEPT:]:
                    shutil.rmtree(old)
            except (GraftError, SafetensorError, OSError) as error:
                self._say(f"train: no checkpoint at step {progress.step}: {error}")
        world.wait()

    def restore(
        self,
        parameters: Parameters,
        optimizers: Sequence[torch.optim.Optimizer],
    ) -> Progress:
        """The newest sound checkpoint, put into weights and optimizers; none: a ``Progress`` at nothing.

        ``TrainError`` where it was made from other inputs, naming them.
        """
        for place in self._found():
            try:
                marker = json.loads((place / MARKER).read_bytes())
                same = _sound(place, marker)
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                same = False
            if not same:
                self._say(f"train: the checkpoint {place} is damaged and passed over")
                continue
            self._compare(place, marker["inputs"])
            found = json.loads((place / _PROGRESS).read_bytes())
            _load(place, parameters, optimizers, found["optimizers"])
            self.begun = True
            self._say(f"train: goes on after step {found['step']}, from {place}")
            return Progress(found["step"], found["tokens"], found["history"])
        return Progress()

    def _compare(self, place: Path, before: Mapping[str, str]) -> None:
        names = sorted({*before, *self._inputs})
        other = [name for name in names if before.get(name) != self._inputs.get(name)]
        if other:
            raise TrainError(
                f"The checkpoint {place} comes from another training: {', '.join(other)} changed since. "
                f"Delete {place.parent} to train anew, or bring back what was changed."
            )

    def _place(self, step: int) -> Path:
        return self._directory / f"step-{step:08}"

    def _found(self) -> list[Path]:
        """All of them, the newest first."""
        return sorted(self._directory.glob("step-*"), reverse=True)


def checkpoints_of(order: Order, recipe: Recipe, say: Callable[[str], None]) -> Checkpoints | None:
    """Where an order's checkpoints lie; None where it has no folder to work in."""
    if order.work is None:
        return None
    seconds = recipe.hardware.checkpoint_minutes * 60
    return Checkpoints(order.work / "checkpoints", order.inputs, seconds, say)


def _sound(place: Path, marker: Mapping[str, Any]) -> bool:
    found = {path: entry.sha256 for path, entry in tree_digests(place).items()}
    written = {path: entry["sha256"] for path, entry in marker["outputs"].items()}
    return marker["version"] == VERSION and found == written


def _flat(
    parameters: Parameters, optimizers: Sequence[torch.optim.Optimizer]
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Every optimizer's state by parameter: tensors, and what is none."""
    tensors: dict[str, torch.Tensor] = {}
    rest: dict[str, Any] = {}
    for number, optimizer in enumerate(optimizers):
        for name, parameter in parameters.items():
            for key, value in optimizer.state.get(parameter, {}).items():
                label = f"{number}/{name}/{key}"
                if isinstance(value, torch.Tensor):
                    tensors[label] = whole(value).detach().cpu().contiguous()
                else:
                    rest[label] = value
    return tensors, rest


def _load(
    place: Path,
    parameters: Parameters,
    optimizers: Sequence[torch.optim.Optimizer],
    rest: Mapping[str, Any],
) -> None:
    with safe_open(place / _WEIGHTS, "pt") as weights, torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(like(weights.get_tensor(name), parameter))
    with safe_open(place / _OPTIMIZERS, "pt") as state:
        values = {label: state.get_tensor(label) for label in state.keys()}  # noqa: SIM118
    for label, value in {**values, **rest}.items():
        number, name, key = label.split("/")
        parameter = parameters[name]
        if isinstance(value, torch.Tensor):
            value = like(value, parameter)
        optimizers[int(number)].state[parameter][key] = value
