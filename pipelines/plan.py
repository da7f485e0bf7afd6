"""What a run will do, decided from manifests and content hashes before anything is spent; pure.

In: the releases that a target holds, the leaves that are wanted, the recipe. Out: a ``Plan``. It reads
no file and imports nothing heavy, so that a run with nothing to do ends at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.artifacts import digest
from pipelines.errors import ReleaseError
from pipelines.recipe import Recipe
from pipelines.records import Action, Cause, ChangeSet, Leaf, Manifest, Plan, as_json
from pipelines.train.lineage import bare_start, choose_start, course, lineage_key, rebase_due

# What stands in the way of continuing the previous release.
WHY: dict[Cause, str] = {
    "withdrawn": "withdrawn content",
    "edits": "the old answers of an edit",
}
DAYS = {"weekly": 7, "monthly": 30}  # of a chain's life between two re-bases


@dataclass(frozen=True, slots=True)
class Past:
    """The release that stands at the target's head, and its ancestry along ``continues``."""

    previous: Manifest
    chain: Sequence[Manifest]
    withdrawn: Collection[str]
    vetoed: Collection[str] = ()  # content hashes whose released rows hold vetoed ones


def branch_wanted(
    previous: Mapping[str, str], own: ChangeSet, head: Mapping[str, Leaf]
) -> dict[str, str]:
    """A branch's leaves: those of the previous release with the branch's own changes applied.

    What main gained meanwhile is neither deleted nor credited to the branch, nor is what it edited
    in a leaf that the branch only renamed.
    """
    wanted = dict(previous)
    for change in own.changes:
        old = change.previous_leaf or change.leaf
        if change.status in ("deleted", "renamed"):
            wanted.pop(old, None)
        if change.invalidates == "nothing" and old in previous:
            wanted[change.leaf] = previous[old]
        elif change.status != "deleted":
            wanted[change.leaf] = head[change.leaf].content_hash
    return wanted


def first_plan(
    wanted: Mapping[str, str],
    recipe: Recipe,
    previous: str | None,
    why: str,
    cause: Cause = "changes",
) -> Plan:
    """The first release: every leaf at once, from scratch or on the bare base of the Hub."""
    return Plan(
        action="bootstrap" if recipe.student.made_here else "start",
        reason=why,
        previous=previous,
        continues=None,
        wanted=dict(sorted(wanted.items())),
        learn=sorted(wanted),
        corrected=(),
        panel=(),
        retired=(),
        input_digest=_input_digest(wanted, recipe, None),
        cause=cause,
    )


def make_plan(
    wanted: Mapping[str, str], past: Past, recipe: Recipe, stale: Collection[str] = ()
) -> Plan:
    """What to do for ``wanted`` (leaf → content hash), given what the last release has seen.

    ``stale`` is older content that continued weights did not let go of: no ancestor may have seen it.
    """
    previous = past.previous
    allowed = {leaf: h for leaf, h in wanted.items() if h not in past.withdrawn}
    tainted = any(not entry.seen.isdisjoint(past.withdrawn) for entry in past.chain)
    key = lineage_key(recipe, previous.base_model)
    if key != previous.lineage_key and not tainted:
        raise ReleaseError(
            f"The recipe {recipe.name} has another LoRA shape than the release {previous.release}: "
            "its weights cannot be continued. Name another target, or give the shape back."
        )
    old = set(stale).difference(allowed.values())
    start = choose_start(past.chain, allowed.values(), key, old.union(past.withdrawn))
    cause: Cause = "edits" if old else "withdrawn" if start is not past.chain[0] else "changes"
    if start is None:
        why = f"{WHY[cause]} in every release so far: rebuild from nothing"
        return first_plan(allowed, recipe, previous.release, why, cause)
    return _plan_from(start, allowed, past, recipe, cause)


def rebase_plan(wanted: Mapping[str, str], past: Past, recipe: Recipe, today: date) -> Plan | None:
    """The plan that learns everything anew from the bare base; None where none is due today.

    A bare base that is a release zero may have seen what is wanted no more; then from another one.
    """
    days = DAYS.get(recipe.lineage.rebase)
    if days is None or not rebase_due(past.chain, today, days):
        return None
    previous = past.previous
    allowed = {leaf: h for leaf, h in wanted.items() if h not in past.withdrawn}
    key = lineage_key(recipe, previous.base_model)
    start = None
    if (
        recipe.student.made_here
    ):  # a base of the Hub is no release: the first one has an adapter on it
        start = bare_start(past.chain, allowed.values(), key, past.withdrawn)
    if start is None:
        whence = "nothing" if recipe.student.made_here else recipe.student.id
        why = f"{recipe.lineage.rebase} re-base: everything is learnt anew, from {whence}"
        return first_plan(allowed, recipe, previous.release, why, "rebase")
    return _plan_from(start, allowed, past, recipe, "rebase")


def _plan_from(
    start: Manifest, wanted: Mapping[str, str], past: Past, recipe: Recipe, cause: Cause
) -> Plan:
    """The plan that continues ``start``; another start than the previous release is a rebuild."""
    previous = past.previous
    todo = course(start, wanted, past.vetoed)
    vetoed = sorted({h for h in wanted.values() if h in past.vetoed})
    action: Action
    if cause == "rebase":
        action = "rebuild"
        reason = f"{recipe.lineage.rebase} re-base: everything is learnt anew from {start.release}"
    elif start.release != previous.release:
        action, reason = "rebuild", f"{WHY[cause]}: continue from {start.release} instead"
    elif todo.learn:
        action, reason = "continue", f"{len(todo.learn)} of {len(wanted)} leaves are new or edited"
        reason += f", {len(vetoed)} of them by vetoes" if vetoed else ""
    elif todo.gone:
        action, reason = "carry", f"{todo.gone} leaves deleted: rows dropped, nothing trained"
    else:
        action, reason = "nothing", f"{previous.release} holds exactly these leaves"
    return Plan(
        action=action,
        reason=reason,
        previous=previous.release,
        continues=start.release,
        wanted=dict(sorted(wanted.items())),
        learn=todo.learn,
        corrected=todo.corrected,
        panel=sorted(set(wanted).difference(todo.learn)),
        retired=todo.retired,
        input_digest=_input_digest(wanted, recipe, start.release, vetoed),
        cause=cause,
    )


def _input_digest(
    wanted: Mapping[str, str], recipe: Recipe, continues: str | None, vetoed: Sequence[str] = ()
) -> str:
    inputs = [sorted(wanted.values()), as_json(recipe.essence), continues]
    return digest([*inputs, vetoed] if vetoed else inputs)
