"""The training of a run: release zero, the adapter of a change, or LAB's phases one after the other.

In: a ``Job``, its conversations by content hash. Out: the stage directory ``base`` or ``adapter``. Where
a training is stopped, ``training/`` in the run's directory has what the same run goes on from.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pipelines.artifacts import (
    OldRows,
    Rows,
    digest,
    finished,
    output_digest,
    pretty_json,
    stage,
    write_atomic,
)
from pipelines.errors import GraftError, TrainError
from pipelines.fitting import fit, memory_taken
from pipelines.ingredients import make_mix
from pipelines.job import COST, Job, Say
from pipelines.mix import PHASES, read_phase
from pipelines.recipe import Recipe
from pipelines.records import Json, LeafData
from pipelines.release.materials import SBOM, materials
from pipelines.speeds import note
from pipelines.spending import train_speed
from pipelines.train.order import Order, carry_out

TRAIN_VERSION = 2


def train(job: Job, data: Mapping[str, LeafData], new: Rows, old: OldRows) -> None:
    """Train release zero into ``base/``, or the adapter of this change into ``adapter/``."""
    inputs = {
        "data": digest({content_hash: made.data_hash for content_hash, made in data.items()}),
        "continues": job.plan.continues or "",
        "new": digest(sorted(new)),
    }
    fresh = job.plan.action == "bootstrap"
    place = job.weights
    mixed = None
    if job.recipe.mix is not None and not fresh and any(new.values()):
        mixed = make_mix(job, data, new, old)
        inputs["mix"] = output_digest(mixed)
    if finished(place, inputs, TRAIN_VERSION):
        job.say("train: finished before")
        _forget(job)
        return
    section = job.recipe.bootstrap if fresh else job.recipe.train
    write_atomic(job.directory / SBOM, materials())  # beside the weights: they are what they were
    with (
        _timed(job, place),
        stage(place, inputs=inputs, version=TRAIN_VERSION, section=section) as out,
        _weights_written(place),
    ):
        order = _order(job, {**inputs, "recipe": digest([section, job.recipe.hardware.essence])})
        if fresh:
            from pipelines.train.scratch import bootstrap

            job.say("train: release zero, from nothing; once for this target, some minutes")
            bootstrap(order, new, job.recipe, out, job.say)
        elif not any(new.values()):
            job.say("train: no row is new; the weights are carried over")
            if order.adapter is not None:
                shutil.copytree(order.adapter, out, dirs_exist_ok=True)
        else:
            fit(job.recipe).check(job.recipe.student.id)
            if mixed is not None:
                _phases(order, mixed, job.recipe, out, job.say)
            else:
                carry_out(order, new, old, job.recipe, out, job.say)
    _forget(job)


def _order(job: Job, inputs: Mapping[str, str]) -> Order:
    return Order(
        base=job.base,
        adapter=job.adapter_of(job.plan.continues),
        corrected=[job.leaves[path].content_hash for path in job.plan.corrected],
        names={leaf.content_hash: path for path, leaf in job.leaves.items()},
        work=job.work,
        inputs=inputs,
    )


def _forget(job: Job) -> None:
    """The weights are there, so nobody will go on from a checkpoint."""
    for place in [*job.work.rglob("checkpoints")]:
        shutil.rmtree(place, ignore_errors=True)


def _phases(order: Order, mixed: Path, recipe: Recipe, out: Path, say: Say) -> None:
    """Continue with the knowledge phase, what comes of it with the skills phase."""
    assert order.work is not None, "a run has a folder to train in"
    records: dict[str, Json] = {}
    steps: list[str] = []
    for phase in PHASES:
        rows = read_phase(mixed, phase)
        if not rows:
            continue
        say(f"train: {phase} phase")
        place = out / phase
        place.mkdir()
        carry_out(replace(order, work=order.work / phase), rows, {}, recipe, place, say)
        records[phase] = json.loads((place / "training.json").read_bytes())
        steps.append((place / "training.jsonl").read_text(encoding="utf-8"))
        order = replace(order, adapter=place)
    assert order.adapter is not None, "a run without new rows does not train"
    shutil.copytree(order.adapter, out, dirs_exist_ok=True)
    for name in records:
        shutil.rmtree(out / name)
    (out / "training.json").write_bytes(pretty_json(_summed(records)))
    (out / "training.jsonl").write_text("".join(steps), encoding="utf-8")


def _summed(records: Mapping[str, Json]) -> Json:
    """One record of all phases, in the form that a single training writes."""
    seen: dict[str, int] = {}
    for record in records.values():
        for name, count in record["seen"].items():
            seen[name] = seen.get(name, 0) + count
    return {
        "rows": sum(record["rows"] for record in records.values()),
        "tokens": sum(record["tokens"] for record in records.values()),
        "loss": [*records.values()][-1]["loss"],
        "seen": seen,
        "phases": {
            phase: {key: record[key] for key in ("rows", "tokens", "loss")}
            for phase, record in records.items()
        },
    }


@contextlib.contextmanager
def _timed(job: Job, place: Path) -> Iterator[None]:
    """Keep what the training cost, also what was spent before a stop, and its speed for the next plan."""
    started, spent = time.monotonic(), _spent(job)
    tokens = 0
    try:
        yield
        record = place / "training.json"
        tokens = json.loads(record.read_bytes())["tokens"] if record.is_file() else 0
    finally:
        seconds = spent + time.monotonic() - started
        told = {"seconds": round(seconds, 1), "tokens": tokens, **memory_taken(job.recipe)}
        with contextlib.suppress(GraftError):  # a full disk is told of by who needs it
            write_atomic(job.work / COST, pretty_json(told))
    note(job.options.cache, train_speed(job.recipe), tokens, seconds)


def _spent(job: Job) -> float:
    """Seconds that this training took before it was stopped."""
    try:
        found = json.loads((job.work / COST).read_bytes())
    except (OSError, ValueError):
        return 0.0
    return 0.0 if found["tokens"] else float(found["seconds"])


@contextlib.contextmanager
def _weights_written(place: Path) -> Iterator[None]:
    """One sentence for a full disk, of which safetensors says nothing that is an ``OSError``."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise TrainError(
            f"The weights in {place} cannot be written: {error}. Free the disk and run again; "
            "nothing half-written was left."
        ) from error
