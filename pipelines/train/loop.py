"""The training loop: loss on assistants' tokens only, a rate that warms up and falls, resumable anywhere.

In: a model, optimizers, steps of rows. Out: trained weights in place and a ``Progress``. A step's summed
loss is divided by the weight of its supervised tokens wherever they are, so that micro-batches and
processes change nothing but rounding.
"""

from __future__ import annotations

import contextlib
import json
import math
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_
from transformers.utils import logging as transformers_logging

from pipelines.artifacts import pretty_json
from pipelines.errors import TrainError
from pipelines.recipe import Recipe
from pipelines.train.checkpoint import Checkpoints, Parameters, Progress
from pipelines.train.data import Batch, Encoded, micro_batches, supervised
from pipelines.train.supervised import Supervised
from pipelines.train.world import World, whole

Say = Callable[[str], None]
Log = Callable[[int, Mapping[str, float]], None]

FIGURES = ("tokens", "loss", "grad_norm", "rate")
_WINDOW = 20  # steps whose mean loss is compared for divergence
_NAMED = 5  # rows that an error names at most


@dataclass(frozen=True)
class Course:
    """How a training goes: ``tokens`` in all, ``micro`` a forward pass and device (0: a whole step)."""

    tokens: int
    schedule: str = "linear"
    warmup: float = 0.02
    clip: float = 1.0
    micro: int = 0
    seed: int = 0

    def factor(self, share: float) -> float:
        """The part of the full rate once ``share`` of the tokens is seen."""
        rising = min(1.0, (share + self.warmup / 10) / self.warmup) if self.warmup else 1.0
        if self.schedule == "cosine":
            return rising * max(0.02, (1.0 + math.cos(math.pi * min(1.0, share))) / 2)
        return rising * max(0.02, 1.0 - share)


def train(
    wrapped: torch.nn.Module,
    parameters: Parameters,
    optimizers: Sequence[torch.optim.Optimizer],
    steps: Iterator[list[Encoded]],
    course: Course,
    say: Say,
    world: World,
    checkpoints: Checkpoints | None = None,
    log: Log = lambda step, figures: None,
) -> Progress:
    """Run ``steps`` until ``course.tokens`` real tokens are seen, from the newest checkpoint on.

    ``wrapped`` is a ``Supervised``, perhaps in DDP or FSDP. ``parameters`` are those that the optimizers
    hold, by name. ``TrainError`` for a loss or gradient that is not finite, naming the rows, and for a
    training that diverges; ``KeyboardInterrupt`` after a checkpoint where SIGTERM or Ctrl-C asked for
    an end.
    """
    done = checkpoints.restore(parameters, optimizers) if checkpoints else Progress()
    peaks = [group["lr"] for opt in optimizers for group in opt.param_groups]
    model: Supervised = getattr(wrapped, "module", wrapped)  # type: ignore[arg-type]
    shown = done.tokens * 20 // course.tokens
    for _ in range(done.step):
        next(steps, None)
    ahead = _ahead(steps, course, world)
    following = next(ahead, None)
    model.train()
    with _asked_to_stop() as stopping:
        while following and done.tokens < course.tokens:
            step, batches = following
            factor = course.factor(done.tokens / course.tokens)
            _set_rates(optimizers, peaks, factor)
            torch.manual_seed((course.seed * 1_000_003 + done.step) * world.size + world.rank)
            summed = _gradients(wrapped, model, batches, supervised(step), world)
            length = clip_grad_norm_(parameters.values(), course.clip or math.inf)
            following = next(ahead, None)  # a GPU is still computing
            loss, norm = float(summed), float(whole(length))
            _check(loss, norm, model, step, done.step)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            done.step += 1
            done.tokens += sum(len(row.ids) for row in step)
            done.history.append([done.tokens, loss, norm, peaks[0] * factor])
            _check_course(done)
            if done.tokens * 20 // course.tokens > shown:
                shown = done.tokens * 20 // course.tokens
                say(f"train: {min(100, shown * 5)} % · step {done.step} · loss {loss:.3f}")
            log(done.step, dict(zip(FIGURES, done.history[-1], strict=True)))
            stop = world.any(bool(stopping))
            if checkpoints and (stop or world.any(checkpoints.due())):
                checkpoints.save(parameters, optimizers, done, world)
            if stop:
                raise KeyboardInterrupt
        if checkpoints and checkpoints.begun:  # a phase may follow, and be stopped
            checkpoints.save(parameters, optimizers, done, world)
    return done


def _ahead(
    steps: Iterator[list[Encoded]], course: Course, world: World
) -> Iterator[tuple[list[Encoded], list[Batch]]]:
    """Each step with what this process takes of it."""
    for step in steps:
        yield step, micro_batches(step, course.micro, world.rank, world.size)


def _gradients(
    wrapped: torch.nn.Module,
    model: Supervised,
    batches: Sequence[Batch],
    weight: float,
    world: World,
) -> torch.Tensor:
    """Gradients of the whole step's mean loss, which is returned; processes' means are summed up."""
    scale = world.size / weight  # DDP and FSDP take the mean of all processes
    total = torch.zeros((), device=world.device)
    for number, batch in enumerate(batches):
        with _synchronised(wrapped, number == len(batches) - 1, world):
            loss = wrapped(batch.to(world.device)) * scale
            loss.backward()
        total += loss.detach()
        model.forget()
    return world.total(total / world.size)


@contextlib.contextmanager
def _synchronised(wrapped: torch.nn.Module, last: bool, world: World) -> Iterator[None]:
    """Processes exchange gradients with the last micro-batch of a step alone."""
    if world.size == 1 or last:
        if world.shard:
            wrapped.set_requires_gradient_sync(True)  # type: ignore[operator]
        yield
    elif world.shard:
        wrapped.set_requires_gradient_sync(False)  # type: ignore[operator]
        yield
    else:
        with wrapped.no_sync():  # type: ignore[operator]
            yield


def _check(
    loss: float, norm: float, model: Supervised, step: Sequence[Encoded], number: int
) -> None:
    """Stop at a loss or gradient that is not finite, naming the rows that it comes from."""
    if math.isfinite(loss) and math.isfinite(norm):
        return
    what = f"The loss is {loss}" if not math.isfinite(loss) else f"The gradient's norm is {norm}"
    guilty = model.not_finite(step)
    if len(guilty) in (0, len(step)):
        whose = "for every row" if guilty else "and each row's loss is finite"
        raise TrainError(f"{what} at step {number}, {whose}: lower the recipe's rate.")
    named = [row.origin.strip() for row in guilty]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    raise TrainError(
        f"{what} at step {number}; it comes from {'; '.join(named[:_NAMED])}{more}: mend or veto these "
        "rows, or lower the recipe's rate."
    )


def _check_course(done: Progress) -> None:
    """Stop where the loss has grown by half over what it was at the start, and by half a nat: what is known
    well and replayed in small steps goes up and down."""
    if done.step < 4 * _WINDOW or done.step % _WINDOW:
        return
    losses = [row[1] for row in done.history]
    first, now = (sum(part) / _WINDOW for part in (losses[:_WINDOW], losses[-_WINDOW:]))
    if now > max(1.5 * first, first + 0.5):
        raise TrainError(
            f"The training diverges: the mean loss was {first:.2f} in its first {_WINDOW} steps and is "
            f"{now:.2f} at step {done.step}. Lower the recipe's rate, or lengthen train.warmup."
        )


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """A list that SIGTERM or SIGINT is put into; a second SIGINT stops at once, as who presses Ctrl-C twice
    wants. SIGTERM comes twice from a machine that goes, to all and by way of whoever started this."""
    asked: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    before = {}
    with contextlib.suppress(ValueError):  # another thread than the main one hears no signal
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, hear)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set_rates(
    optimizers: Sequence[torch.optim.Optimizer], peaks: Sequence[float], factor: float
) -> None:
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    for group, peak in zip(groups, peaks, strict=True):
        group["lr"] = peak * factor


def deterministic(recipe: Recipe) -> None:
    """Fix the threads, so that a repeated run gives the same bits.

    The CPU kernels used here are deterministic for a fixed number of threads; PyTorch's own switch
    would also fill every fresh buffer, which costs more than the training. On CUDA, cuDNN's attention
    plans anew for every length of row, which costs more than it saves.
    """
    torch.set_num_threads(recipe.threads)
    torch.backends.cuda.enable_cudnn_sdp(False)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def tell_left_out(rows: int, recipe: Recipe, say: Say) -> None:
    if rows > 0:
        say(
            f"train: {rows} rows are left out, longer than the student's "
            f"{recipe.student.positions} tokens; a larger student.positions would take them"
        )


def write_record(out: Path, record: Mapping[str, Any], done: Progress) -> None:
    """``training.json``, and ``training.jsonl`` with a line a step."""
    (out / "training.json").write_bytes(pretty_json(record))
    with (out / "training.jsonl").open("w", encoding="utf-8") as lines:
        for number, row in enumerate(done.history, 1):
            figures = {
                name: float(f"{value:.6g}") for name, value in zip(FIGURES, row, strict=True)
            }
            lines.write(json.dumps({"step": number, **figures, "tokens": int(row[0])}) + "\n")
