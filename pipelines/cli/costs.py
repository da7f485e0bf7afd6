"""What ``graft generate --plan`` and ``graft train --plan`` tell: the plan, and what it costs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.cli.common import printable
from pipelines.cli.run import print_plan, print_recipe

if TYPE_CHECKING:
    from pipelines.generate.estimate import Estimate
    from pipelines.job import Job
    from pipelines.records import Json
    from pipelines.situation import Options


def generating(args: argparse.Namespace, options: Options) -> None:
    """Calls, tokens, cost and time of each leaf and in all; how much the store already has."""
    from pipelines.generate.estimate import total
    from pipelines.prepare import planned
    from pipelines.records import as_json
    from pipelines.spending import estimates

    job = planned(options)
    found = estimates(job) if job.plan.action != "nothing" else []
    if args.format == "json":
        whole = as_json(total(found))
        del whole["leaf"]
        _print_json(job, {"leaves": as_json(found), "total": whole})
        return
    print_plan(job.plan)
    if not found:
        print("No call: every row is there.")
        return
    priced = any(one.cost is not None for one in found)
    head = ["leaf", "calls", "stored", "to ask", "tokens in", "tokens out"]
    table = [head + ["cost"] * priced + ["time"]]
    table += [_line(one.leaf, one, priced) for one in found]
    table.append(_line("total", total(found), priced))
    print(columns(table))
    print("An estimate: what later steps ask hangs on answers that are not there yet.")


def _line(name: str, one: Estimate, priced: bool) -> list[str]:
    counts = [one.calls, one.stored, one.calls - one.stored, one.prompt_tokens]
    cells = [f"{count:,}" for count in [*counts, one.completion_tokens]]
    cost = [f"{one.cost or 0:.4f}"] if priced else []
    return [name, *cells, *cost, duration(one.seconds)]


def training(args: argparse.Namespace, options: Options) -> None:
    """Rows, tokens, steps, time and memory; an error where the memory is too small."""
    from pipelines.fitting import fit, guess
    from pipelines.prepare import planned
    from pipelines.records import as_json
    from pipelines.spending import training as estimate

    job = planned(options)
    found = estimate(job)
    fits = None if job.plan.action in ("nothing", "bootstrap") else fit(job.recipe)
    if args.format == "json":
        memory = fits and {
            **as_json(fits.memory),
            "available": fits.available,
            "device": fits.device,
        }
        _print_json(job, {**as_json(found), "memory": memory})
        return
    print_plan(job.plan)
    if job.plan.action == "nothing":
        return
    print(f"new rows:  {found.rows:,} of about {found.row_tokens:,} tokens")
    print(f"training:  about {found.tokens:,} tokens in {found.steps:,} steps, replay included")
    if found.seconds is not None:
        print(f"time:      {duration(found.seconds)}, as fast as the last training here")
    elif fits is None:
        print("time:      unknown until this student was trained here once")
    elif fits.device == "cpu":
        guessed = guess(job.recipe, found.tokens)
        print(f"time:      about {duration(guessed)}, by how fast this machine multiplies")
    for leaf in found.missing:
        print(printable(f"  no row yet of {leaf}: `graft generate` makes them"))
    if fits is not None:
        told = ", ".join(f"{name} {size(value)}" for name, value in as_json(fits.memory).items())
        print(f"memory:    about {size(fits.memory.total)} ({told})")
        print(f"           {size(fits.available)} are free on {fits.device}")
    print_recipe(job.recipe)
    if fits is not None:
        fits.check(job.recipe.student.id)


def _print_json(job: Job, costs: Json) -> None:
    plan = {"action": job.plan.action, "reason": job.plan.reason, "learn": list(job.plan.learn)}
    waiting = [{"leaf": wait.leaf, "reason": wait.reason} for wait in job.plan.waiting]
    print(json.dumps({**plan, "waiting": waiting, **costs}, indent=2))


def columns(table: Sequence[Sequence[str]]) -> str:
    """The first column to the left, numbers to the right."""
    from pipelines.text import visible

    table = [[visible(cell) for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for first, *others in table:
        numbers = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *numbers]))
    return "\n".join(lines)


def size(amount: float) -> str:
    """Bytes for people: 350 MB, 5.9 GB."""
    return f"{amount / 1e9:.1f} GB" if amount >= 1e9 else f"{amount / 1e6:.0f} MB"


def duration(seconds: float) -> str:
    """Seconds for people: 8 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
