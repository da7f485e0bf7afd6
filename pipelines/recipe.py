"""Recipe YAML → ``Recipe``: small, typed, an unknown key is an error.

In: the name of an embedded recipe (``pipelines/recipes/NAME.yaml``) or a path. Out: a frozen
``Recipe``; ``records.as_json(recipe)`` is what a run prints and records.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import yaml

from pipelines.errors import RecipeError

EMBEDDED = Path(__file__).parent / "recipes"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Teacher:
    """Who writes the data: a backend's name, the model it asks, the revision that is declared.

    The other keys say how it is reached; docs/generation.md tells each. ``timeout`` in seconds of one
    request; ``context`` in tokens, 0 where it is not known; prices per million tokens.
    """

    backend: Literal["extractive", "openai_api", "local"]
    model: str
    revision: str
    url: str = ""
    key_env: str = "OPENAI_API_KEY"
    completions: Literal["chat", "legacy"] = "chat"
    concurrency: int = 64
    timeout: float = 300.0
    retries: int = 6
    context: int = 0
    price_in: float = 0.0
    price_out: float = 0.0
    command: str = ""

    @property
    def name(self) -> str:
        """Who a row is said to come from."""
        return "extractive" if self.backend == "extractive" else self.model

    @property
    def stamp(self) -> str:
        """The revision as calls are keyed by it: the other endpoint renders prompts otherwise."""
        return self.revision if self.completions == "chat" else f"{self.revision} legacy"

    @property
    def essence(self) -> Teacher:
        """Only what rows depend on: another address, pace or price gives the same data."""
        return Teacher(
            self.backend,
            self.model,
            self.revision,
            completions=self.completions,
            context=self.context,
        )


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
class Flows:
    """The flows that each kind of leaf goes through: names, or paths of YAML files."""

    knowledge: tuple[str, ...] = ("knowledge", "seeds")
    grounded_skill: tuple[str, ...] = ("grounded",)
    freeform_skill: tuple[str, ...] = ("seeds",)


@dataclass(frozen=True, slots=True)
class Generate:
    """How much data a leaf gives: questions a fact and shown seed, other wordings a seed, words a chunk,
    and exam questions a chunk that the teacher writes apart from training rows.

    ``scaled`` is how many answers InstructLab's flows draw where they say ``n: scaled``.
    """

    wordings: int
    rephrasings: int
    chunk_words: int
    exam_questions: int
    flows: Flows = field(default_factory=Flows)
    scaled: int = 30


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
class External:
    """Conversations from outside: JSONL with ``messages``, of a file or of a data set on the Hub.

    Either ``path``, or ``hub`` with ``file`` and the 40 digits of ``revision``. ``rows`` is how many
    are drawn at most, ``phase`` where they are trained.
    """

    phase: Literal["knowledge", "skills"]
    rows: int
    path: str | None = None
    hub: str | None = None
    file: str | None = None
    revision: str | None = None

    @property
    def name(self) -> str:
        """What the composition calls it."""
        return self.path or f"{self.hub}@{(self.revision or '')[:12]}/{self.file}"


@dataclass(frozen=True, slots=True)
class Mix:
    """What is trained together, in LAB's two phases; shares count rows, per new row of the phase.

    ``per_leaf``: rows of one leaf at most. ``replay``: rows of earlier leaves. ``knowledge``: rows of
    the knowledge phase that come again among the skills. ``distractors``: foreign chunks beside the
    right one, in the part ``raft`` of the knowledge rows (Zhang et al., 2403.10131).
    """

    per_leaf: int
    replay: float
    knowledge: float
    raft: float = 0.0
    distractors: int = 0
    external: tuple[External, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """What one run may spend on asking: calls, tokens in and out together, hours. None: no limit."""

    calls: int | None = None
    tokens: int | None = None
    hours: float | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """How releases stand on each other. ``edits``: what follows where a corrected answer is not gone, a
    ``rebuild`` from weights that never saw it, or its ``report`` alone. ``rebase``: how old a chain may
    become before all current rows are learnt anew from the bare base."""

    edits: Literal["rebuild", "report"] = "rebuild"
    rebase: Literal["never", "weekly", "monthly"] = "never"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe, resolved. The sections that may be left out are None then."""

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
    judge: Teacher | None = None
    mix: Mix | None = None
    budget: Budget | None = None
    lineage: Lineage = field(default_factory=Lineage)

    @property
    def essence(self) -> Recipe:
        """The recipe without how teacher and judge are reached, what may be spent and what follows upon
        a run: runs are told apart by this."""
        judge = self.judge and self.judge.essence
        return dataclasses.replace(
            self, teacher=self.teacher.essence, judge=judge, budget=None, lineage=Lineage()
        )


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
    recipe = _build(Recipe, data, str(path), "")
    for section, asked in (("teacher", recipe.teacher), ("judge", recipe.judge)):
        wrong = _wrong_teacher(asked) if asked else ""
        if wrong:
            raise RecipeError(f"{path}: {section}.{wrong}")
    for number, entry in enumerate(recipe.mix.external if recipe.mix else ()):
        wrong = _wrong_source(entry)
        if wrong:
            raise RecipeError(f"{path}: mix.external[{number}]: {wrong}")
    return recipe


def _wrong_teacher(asked: Teacher) -> str:
    """What is wrong with how a teacher is reached; "" for nothing. Repeats nothing that may be a secret."""
    if asked.key_env and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", asked.key_env):
        return "key_env must be the name of an environment variable, in capitals, never the key itself."
    if asked.concurrency < 1 or asked.timeout <= 0:
        return "concurrency must be at least 1, and timeout more than 0 seconds."
    wrong = wrong_url(asked.url) if asked.url else ""
    return f"url {wrong}" if wrong else ""


def wrong_url(url: str) -> str:
    """What is wrong with a server's URL, said without it, as it may hold a secret; "" for nothing."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        return "must begin with http:// or https:// and a host."
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return (
            "may hold neither user, password, query nor fragment, since it is recorded: put the key "
            "into an environment variable, and name that as key_env."
        )
    return ""


def _wrong_source(entry: External) -> str:
    """What is wrong with where an external entry's rows come from; "" for nothing."""
    if (entry.path is None) == (entry.hub is None):
        return "name either path, or hub with file and revision."
    if entry.hub is None:
        return "file and revision belong to hub." if entry.file or entry.revision else ""
    if entry.file is None:
        return "name the file of the data set, JSONL with messages."
    if not re.fullmatch(r"[0-9a-f]{40}", entry.revision or ""):
        return "revision must be the 40 digits of a commit; a branch or tag can move."
    return ""


def _build(cls: type[T], data: Any, path: str, at: str) -> T:
    """``data`` as the dataclass ``cls``: every key known, those without a default there, types right."""
    if not isinstance(data, dict):
        raise RecipeError(f"{path}: {at or 'the recipe'} must be a mapping of keys to values.")
    hints = typing.get_type_hints(cls)
    unknown = sorted(str(key) for key in data.keys() - hints.keys())
    missing = sorted(_needed(cls) - data.keys())
    if unknown:
        raise RecipeError(
            f"{path}: unknown key {at}{unknown[0]}; known here: {', '.join(sorted(hints))}."
        )
    if missing:
        raise RecipeError(f"{path}: the key {at}{missing[0]} is missing.")
    values = {
        key: _value(hint, data[key], path, f"{at}{key}")
        for key, hint in hints.items()
        if key in data
    }
    return cls(**values)


def _needed(cls: Any) -> set[str]:
    """The keys without a default."""
    none = dataclasses.MISSING
    fields = dataclasses.fields(cls)
    return {f.name for f in fields if f.default is none and f.default_factory is none}


def _value(hint: Any, value: Any, path: str, at: str) -> Any:
    if isinstance(hint, types.UnionType):  # X | None: a section that may be left out
        (hint,) = [part for part in typing.get_args(hint) if part is not types.NoneType]
        if value is None:
            return None
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise RecipeError(f"{path}: {at} must be a list.")
        inner = typing.get_args(hint)[0]
        return tuple(_value(inner, v, path, f"{at}[{n}]") for n, v in enumerate(value))
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
