"""Whether a training fits this machine, and how long it takes: said before anything starts.

In: a recipe, tokens. Out: a ``Fit``; ``TrainError`` with the figures where memory is too small. Of a
model on the Hub only config.json is fetched.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from pipelines.backends.hub import fetch_config
from pipelines.machine import free_memory
from pipelines.recipe import Recipe
from pipelines.train.cost import Memory, Shape, made_shape, memory, must_fit, operations, shape_of

_REACHED = 0.5  # of the speed of large products, in training on a CPU


@dataclass(frozen=True, slots=True)
class Fit:
    """``memory`` that the training of an adapter takes on ``device``, and what is ``available``; bytes."""

    device: str
    memory: Memory
    available: float

    def check(self, student: str) -> None:
        """``TrainError`` where it does not fit."""
        must_fit(self.memory, self.available, student)


def shape(recipe: Recipe) -> Shape:
    """The student's shape: the recipe's own, or what config.json says on the Hub."""
    student = recipe.student
    if student.made_here:
        return made_shape(recipe)
    config = json.loads(fetch_config(student.id, student.revision).read_bytes())
    return shape_of(config, student.id)


def fit(recipe: Recipe) -> Fit:
    """What training an adapter takes here."""
    device, available, size = "cpu", free_memory(), 2 if recipe.hardware.dtype == "bfloat16" else 4
    if recipe.hardware.device == "auto":
        from pipelines.backends.local import room

        device, free, size = room(recipe.hardware)
        available = available if free is None else free
    return Fit(device, memory(shape(recipe), recipe, size), available)


def guess(recipe: Recipe, tokens: float) -> float:
    """Seconds that training on so many tokens takes on this CPU, by how fast it multiplies."""
    return operations(shape(recipe), tokens) / (_REACHED * _speed(recipe.threads))


def _speed(threads: int) -> float:
    """Floating-point operations a second of large float32 products; takes half a second."""
    from pipelines.backends.local import product

    product(threads)
    done, started = 0.0, time.perf_counter()
    while time.perf_counter() - started < 0.4:
        done += product(threads)
    return done / (time.perf_counter() - started)
