"""Recipe YAML → ``Recipe``: small, typed, an unknown key is an error.

In: the name of an embedded recipe (``pipelines/recipes/NAME.yaml``) or a path. Out: a frozen
``Recipe``; ``records.as_json(recipe)`` is what a run prints and records.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from pipelines.errors import RecipeError
from pipelines.typed import build
from pipelines.urls import wrong_url
from pipelines.yaml_source import as_error, read_yaml

EMBEDDED = Path(__file__).parent / "recipes"
COMMIT = re.compile(r"[0-9a-f]{40}")  # of a repository on the Hub
SHAPE = ("vocabulary", "hidden", "layers", "heads", "feed_forward")  # of a student made here
POSITIVE = (
    "threads", "student.positions", "generate.chunk_words", "train.rank", "train.alpha",
    "train.tokens_per_step", "evaluate.new_tokens", "hardware.processes",
)  # fmt: skip


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
            self.backend, self.model, self.revision, completions=self.completions,
            context=self.context,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Student:
    """The model that learns: ``positions`` tokens are the longest row that it is given.

    With a ``revision``, 40 digits, it is the model ``id`` of the Hub at that commit. With none it is made
    here from nothing, in the shape of the other keys, in units and tokens.
    """

    id: str
    revision: str
    positions: int
    vocabulary: int = 0
    hidden: int = 0
    layers: int = 0
    heads: int = 0
    feed_forward: int = 0

    @property
    def made_here(self) -> bool:
        """Whether release zero is trained from nothing, and not a base that others made."""
        return not self.revision


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
    (WiSE-FT, Wortsman et al., 2109.01903): a little less than all forgets less. ``replay``: tokens of
    earlier leaves for a new one; ``replay_least`` of them in all, however small the change. ``steps``
    are wanted of a change too small for as many of ``tokens_per_step``: its steps are smaller then, of
    ``step_least`` tokens at least. 0: every step is as large as it may be.
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
    optimizer: Literal["adamw", "adafactor"] = "adamw"
    schedule: Literal["linear", "cosine"] = "linear"
    replay_least: int = 0
    steps: int = 0
    step_least: int = 0
    warmup: float = 0.02
    clip: float = 1.0
    too_long: Literal["leave_out", "split", "refuse"] = "leave_out"


@dataclass(frozen=True, slots=True)
class Hardware:
    """On what, and how, a student is trained and asked; the same recipe for a laptop and many machines.

    ``device``: auto takes CUDA, else Apple's MPS, else the CPU. ``dtype``: of the frozen base; the adapter
    is float32; auto is bfloat16 on CUDA. ``quantize``: 4bit is QLoRA's NF4 (Dettmers et al., 2305.14314),
    by bitsandbytes. ``micro_tokens``: tokens that one forward pass on one device holds, padding included,
    0 for all of a step. ``gradient_checkpointing``: every n-th layer forgets its activations and computes
    them again, which takes time for memory; 0 for none. ``processes``, started by the command ``launch``,
    share each step. ``parallel``: each holds the whole model (ddp), or a part (fsdp).
    ``checkpoint_minutes`` lie between checkpoints. ``report_to``: transformers' integrations, such as
    tensorboard, mlflow and wandb.
    """

    device: Literal["cpu", "auto"] = "cpu"
    dtype: Literal["float32", "bfloat16", "auto"] = "float32"
    quantize: Literal["none", "4bit"] = "none"
    micro_tokens: int = 0
    gradient_checkpointing: int = 0
    processes: int = 1
    parallel: Literal["ddp", "fsdp"] = "ddp"
    launch: str = ""
    checkpoint_minutes: float = 5.0
    report_to: tuple[str, ...] = ()

    @property
    def essence(self) -> Hardware:
        """Only what is more than rounding."""
        return Hardware(dtype=self.dtype, quantize=self.quantize)


@dataclass(frozen=True, slots=True)
class Evaluate:
    """The exam's limits; ``margin`` in token F1, ``values_margin`` in the mean score of value probes.
    ``suites``: lm-eval's, with what may be lost of each."""

    margin: float
    panel: int
    new_tokens: int
    values_margin: float = 0.1
    suites: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release:
    """What a release needs: ``pass``, or ``not_worse`` (an inconclusive verdict whose panel held).

    ``deploy`` names what will serve it; some of them refuse adapters with embeddings of their own.
    ``failures``: the part of a step's rows that may be lost to answers missing or unreadable.
    """

    accept: Literal["pass", "not_worse"]
    deploy: tuple[Literal["transformers", "vllm", "gguf_lora"], ...] = ()
    failures: float = 0.3


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
    """What one run may spend on new leaves. None: no limit.

    ``calls`` and ``tokens``, in and out together, are of asking; ``hours`` of asking and training.
    """

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
    generate: Generate
    train: Train
    evaluate: Evaluate
    release: Release
    bootstrap: Bootstrap | None = None
    hardware: Hardware = field(default_factory=Hardware)
    judge: Teacher | None = None
    mix: Mix | None = None
    budget: Budget | None = None
    lineage: Lineage = field(default_factory=Lineage)

    @property
    def essence(self) -> Recipe:
        """The recipe without how teacher and judge are reached, what may be spent and what follows upon
        a run: runs are told apart by this."""
        return dataclasses.replace(
            self, teacher=self.teacher.essence, judge=self.judge and self.judge.essence,
            hardware=self.hardware.essence, budget=None, lineage=Lineage(),
        )  # fmt: skip


def load_recipe(name: str) -> Recipe:
    """The embedded recipe ``name``, or the file at that path. ``RecipeError`` says what to mend."""
    embedded = EMBEDDED / f"{name}.yaml"
    path = embedded if embedded.is_file() else Path(name)
    try:
        reading = read_yaml(path.read_bytes(), str(path))
    except FileNotFoundError:
        known = ", ".join(sorted(found.stem for found in EMBEDDED.glob("*.yaml")))
        raise RecipeError(f"No recipe {name}: give a file, or one of {known}.") from None
    except OSError as error:
        raise RecipeError(f"The recipe {path} cannot be read: {error.strerror}.") from error
    if reading.source is None or reading.findings:
        raise RecipeError(f"The recipe cannot be read: {as_error(reading.findings[0])}")
    return read_recipe(reading.source.data, str(path))


def read_recipe(data: Any, path: str) -> Recipe:
    """The recipe in a YAML file's or a manifest's ``data``; ``path`` names it in errors."""
    recipe = build(Recipe, data, path, "")
    for section, asked in (("teacher", recipe.teacher), ("judge", recipe.judge)):
        wrong = _wrong_teacher(asked) if asked else ""
        if wrong:
            raise RecipeError(f"{path}: {section}.{wrong}")
    wrong = _wrong_student(recipe)
    if wrong:
        raise RecipeError(f"{path}: {wrong}")
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


def _wrong_student(recipe: Recipe) -> str:
    """What is wrong with the student, or with how it is trained and served; "" for nothing."""
    student, train = recipe.student, recipe.train
    shape = [getattr(student, key) for key in SHAPE]
    if student.made_here and (not all(shape) or recipe.bootstrap is None):
        return (
            "student.revision is empty, so the student is made here: give its vocabulary, hidden, "
            "layers, heads and feed_forward, and a section bootstrap; or pin a model of the Hub by the "
            "40 digits of its revision."
        )
    if student.revision and not COMMIT.fullmatch(student.revision):
        return "student.revision must be the 40 digits of a commit; a branch or tag can move."
    if student.revision and any(shape):
        return "student has a revision, whose config.json says its shape: leave vocabulary and the like out."
    refusing = [name for name in recipe.release.deploy if name in ("vllm", "gguf_lora")]
    if refusing and train.train_embeddings:
        return (
            f"train.train_embeddings cannot be true: {refusing[0]} under release.deploy refuses adapters "
            "with embeddings of their own (modules_to_save)."
        )
    if recipe.hardware.parallel == "fsdp" and train.train_embeddings:
        return "train.train_embeddings cannot be true where hardware.parallel is fsdp."
    if student.made_here and student.hidden % (2 * student.heads):
        return "student.hidden must be a multiple of twice student.heads."
    for key in POSITIVE:
        if attrgetter(key)(recipe) <= 0:
            return f"{key} must be more than 0."
    if recipe.hardware.quantize == "4bit" and student.made_here:
        return "hardware.quantize is for a student of the Hub; one made here is small."
    return ""


def _wrong_source(entry: External) -> str:
    """What is wrong with where an external entry's rows come from; "" for nothing."""
    if (entry.path is None) == (entry.hub is None):
        return "name either path, or hub with file and revision."
    if entry.hub is None:
        return "file and revision belong to hub." if entry.file or entry.revision else ""
    if entry.file is None:
        return "name the file of the data set, JSONL with messages."
    if not COMMIT.fullmatch(entry.revision or ""):
        return "revision must be the 40 digits of a commit; a branch or tag can move."
    return ""
