"""Recipe YAML → ``Recipe``: small, typed, an unknown key is an error.

In: the name of an embedded recipe (``pipelines/recipes/NAME.yaml``) or a path. Out: a frozen
``Recipe``; ``records.as_json(recipe)`` is what a run prints and records.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from pipelines.errors import RecipeError

EMBEDDED = Path(__file__).parent / "recipes"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Teacher:
    """Who writes the data: a backend's name, the model it asks, the revision that is declared."""

    backend: Literal["extractive"]
    model: str
    revision: str


@dataclass(frozen=True, slots=True)
class Student:
    """The shape of the model that learns; widths and lengths in units and tokens."""

    id: str
    revision: str
    vocabulary: int
    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Training of release zero from scratch; ``tokens`` counts real tokens, padding apart."""

    tokens: int
    tokens_per_step: int
    matrix_rate: float
    rate: float


@dataclass(frozen=True, slots=True)
class Generate:
    """How much data a leaf gives: questions a fact and shown seed, other wordings a seed, words a chunk,
    and exam questions a chunk that the teacher writes apart from training rows."""

    wordings: int
    rephrasings: int
    chunk_words: int
    exam_questions: int


@dataclass(frozen=True, slots=True)
class Train:
    """LoRA (Hu et al., 2106.09685) for one change.

    ``interpolation`` is the part of the way from the old weights to the trained ones that is gone
    (WiSE-FT, Wortsman et al., 2109.01903): a little less than all forgets less.
    """

    rank: int
    alpha: int
    targets: Literal["all", "mlp"]
    epochs: int
    rate: float
    embedding_rate: float
    dropout: float
    tokens_per_step: int
    replay: float
    interpolation: float
    corrected_weight: float
    corrected_rate: float
    familiar: float
    train_embeddings: bool


@dataclass(frozen=True, slots=True)
class Evaluate:
    """The exam's limits; ``margin`` in token F1."""

    margin: float
    panel: int
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Release:
    """What a release needs: ``pass``, or ``not_worse`` (an inconclusive verdict whose panel held)."""

    accept: Literal["pass", "not_worse"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe, resolved."""

    name: str
    seed: int
    threads: int
    teacher: Teacher
    student: Student
    bootstrap: Bootstrap
    generate: Generate
    train: Train
    evaluate: Evaluate
    release: Release


def load_recipe(name: str) -> Recipe:
    """The embedded recipe ``name``, or the file at that path. ``RecipeError`` says what to mend."""
    embedded = EMBEDDED / f"{name}.yaml"
    path = embedded if embedded.is_file() else Path(name)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(found.stem for found in EMBEDDED.glob("*.yaml")))
        raise RecipeError(f"No recipe {name}: give a file, or one of {known}.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise RecipeError(f"The recipe {path} cannot be read: {reason}.") from error
    return _build(Recipe, data, str(path), "")


def _build(cls: type[T], data: Any, path: str, at: str) -> T:
    """``data`` as the dataclass ``cls``; every key known, every key there, every type right."""
    if not isinstance(data, dict):
        raise RecipeError(f"{path}: {at or 'the recipe'} must be a mapping of keys to values.")
    hints = typing.get_type_hints(cls)
    unknown = sorted(str(key) for key in data.keys() - hints.keys())
    missing = sorted(hints.keys() - data.keys())
    if unknown:
        raise RecipeError(
            f"{path}: unknown key {at}{unknown[0]}; known here: {', '.join(sorted(hints))}."
        )
    if missing:
        raise RecipeError(f"{path}: the key {at}{missing[0]} is missing.")
    values = {key: _value(hint, data[key], path, f"{at}{key}") for key, hint in hints.items()}
    return cls(**values)


def _value(hint: Any, value: Any, path: str, at: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, path, f"{at}.")
    if typing.get_origin(hint) is Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            raise RecipeError(f"{path}: {at} is {value!r}; it may be {', '.join(allowed)}.")
        return value
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise RecipeError(f"{path}: {at} is {value!r}; it must be of type {hint.__name__}.")
    if hint in (int, float) and not 0 <= value < math.inf:
        raise RecipeError(f"{path}: {at} is {value}; it must be finite and not negative.")
    return value
