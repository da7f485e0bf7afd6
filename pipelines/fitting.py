"""Whether a training fits this machine, and how long it takes: said before anything starts.

In: a recipe, tokens. Out: a ``Fit``; ``TrainError`` with the figures where memory is too small. Of a
model on the Hub only config.json is fetched.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import dataclass

from pipelines.backends.hub import fetch_config
from pipelines.machine import free_memory
from pipelines.recipe import Recipe
from pipelines.records import Json
from pipelines.train.cost import Memory, Shape, made_shape, memory, must_fit, operations, shape_of

# The students of the embedded recipes, so that a plan for them asks nobody.
_KNOWN = {
    "Qwen/Qwen2.5-0.5B-Instruct": Shape(24, 896, 4864, 896, 128, 151_936, tied=True),
    "Qwen/Qwen2.5-7B-Instruct": Shape(28, 3584, 18_944, 3584, 512, 152_064, tied=False),
}
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
    if student.id in _KNOWN:
        return _KNOWN[student.id]
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


def memory_taken(recipe: Recipe) -> Json:
    """The device that a training ran on, and the most bytes that one process held there."""
    unit = 1 if sys.platform == "darwin" else 1024
    who = resource.RUSAGE_CHILDREN if recipe.hardware.launch else resource.RUSAGE_SELF
    taken = resource.getrusage(who).ru_maxrss * unit
    if recipe.hardware.device == "auto":
        from pipelines.backends.local import peak

        device, most = peak(recipe.hardware)
        return {"device": device, "peak_memory": taken if most is None else most}
    return {"device": "cpu", "peak_memory": taken}


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
