"""What a run is about to do: the situation, the plan within the budget, and the job that carries it.

In: ``Options``. Out: a ``Plan``, or a ``Job`` to be done or only looked into. Nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from pipelines.artifacts import MARKER
from pipelines.culprits import HELD
from pipelines.errors import ReleaseError
from pipelines.job import Job, Say
from pipelines.plan import first_plan, make_plan, rebase_plan
from pipelines.recipe import Recipe, load_recipe
from pipelines.records import Plan, Waiting
from pipelines.release.manifest import MANIFEST
from pipelines.situation import (
    Options,
    Situation,
    changes_since,
    look,
    readable,
    readable_values,
    splits,
    wanted,
    wanted_leaves,
)
from pipelines.spending import waiting, without


def plan(options: Options) -> tuple[Situation, Recipe, Plan]:
    """What ``run`` would do now, without doing it; what exceeds the recipe's budget waits."""
    recipe = load_recipe(options.recipe)
    now = look(options)
    return now, recipe, decide(options, now, recipe)


def decide(options: Options, now: Situation, recipe: Recipe, rebase: bool = True) -> Plan:
    """The plan, within the budget.

    A re-base, where it is due and not ruled out, is for runs that release, and not for branches: what
    a branch is told must come of its own changes. So is what an earlier search holds back.
    """
    seen = now
    if now.past is None:
        _refuse_lost_releases(options)
        seen = at_base(now)
    may = rebase and options.until is None and now.own is None
    today = options.today if may else None
    decided = _decide(seen, wanted(seen), recipe, today)
    held = {} if options.try_held else _held(seen, decided)
    if held:
        later = tuple(Waiting(leaf, HELD) for leaf in sorted(held))
        decided = replace(hold(options, seen, recipe, decided, later, today), held=held)
    if recipe.budget is None or decided.action == "nothing":
        return decided
    later = waiting(make_job(options, seen, recipe, decided, lambda line: None))
    return hold(options, seen, recipe, decided, later, today) if later else decided


def _refuse_lost_releases(options: Options) -> None:
    """Stop where a target without releases is one that an earlier run here released to: a disk that is not
    mounted, say. A new release zero would hide what is there."""
    for told in sorted(options.runs.glob(f"*/{MANIFEST}")):
        try:
            inputs = json.loads((told.parent / "release" / MARKER).read_bytes())["inputs"]
            tag = json.loads(told.read_bytes())["release"]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if inputs.get("target") == options.target:
            raise ReleaseError(
                f"{options.target} has no release, and the run {told.parent} released {tag} there: bring "
                "its folder or repository back, or begin from nothing with another folder of --runs."
            )


def _held(now: Situation, decided: Plan) -> dict[str, str]:
    """The leaves, with their content, that the previous release was made without because they spoil."""
    if now.previous is None or now.own is not None:
        return {}
    hashes = set(now.previous.held.values()) - now.previous.known
    return {leaf: h for leaf, h in decided.wanted.items() if h in hashes}


def rebuild(now: Situation, recipe: Recipe, decided: Plan, stale: Collection[str]) -> Plan:
    """What ``decided`` becomes where edits in it did not take: a plan that continues nothing which has
    seen their ``stale`` content. What waited still waits."""
    assert now.past is not None, "only a release can hold stale content"
    plan = make_plan(decided.wanted, now.past, recipe, stale)
    return replace(plan, waiting=decided.waiting, held=decided.held)


def hold(
    options: Options,
    now: Situation,
    recipe: Recipe,
    decided: Plan,
    later: tuple[Waiting, ...],
    today: date | None = None,
) -> Plan:
    """What ``decided`` becomes where some of its leaves wait; what waited still waits. A re-base may be
    due ``today``."""
    job = make_job(options, now, recipe, decided, lambda line: None)
    less = _decide(now, without(job, decided.wanted, later), recipe, today)
    return replace(less, waiting=(*decided.waiting, *later), held=decided.held)


def planned(options: Options) -> Job:
    """The run that would be done now, to look into; nothing is written."""
    now, recipe, decided = plan(options)
    seen = at_base(now) if now.past is None else now
    return make_job(options, seen, recipe, decided, lambda line: None)


def _decide(now: Situation, hashes: Mapping[str, str], recipe: Recipe, today: date | None) -> Plan:
    """``today`` is None where no re-base may be; a rebuild that is needed anyway comes before one."""
    if now.past is not None:
        decided = make_plan(hashes, now.past, recipe)
        if today is None or decided.cause != "changes":
            return decided
        return rebase_plan(hashes, now.past, recipe, today) or decided
    made = "release zero from nothing" if recipe.student.made_here else f"on {recipe.student.id}"
    why = f"the target has no release yet: train {made}"
    return first_plan(hashes, recipe, None, why)


def at_base(now: Situation) -> Situation:
    """The situation seen from the commit that a branch leaves: release zero knows nothing of it."""
    if now.own is None:
        return now
    tree = now.repository.tree(now.own.base, now.prefix)
    return Situation(
        now.repository, now.prefix, now.own.base, tree, readable(tree), None, now.target, None,
        readable_values(tree),
    )  # fmt: skip


def make_job(options: Options, now: Situation, recipe: Recipe, decided: Plan, say: Say) -> Job:
    leaves = wanted_leaves(now, decided.wanted)
    return Job(
        options, now, recipe, decided, leaves, splits(now, leaves), changes_since(now, leaves),
        run_directory(options, decided), say,
    )  # fmt: skip


def run_directory(options: Options, decided: Plan) -> Path:
    """Where a plan is carried out: the same leaves, recipe and weights are the same run."""
    return options.runs / decided.input_digest[:16]
