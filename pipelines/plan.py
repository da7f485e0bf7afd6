"""What a run will do, decided from manifests and content hashes before anything is spent; pure.

In: the releases that a target holds, the leaves that are wanted, the recipe. Out: a ``Plan``. It reads
no file and imports nothing heavy, so that a run with nothing to do ends at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pipelines.artifacts import digest
from pipelines.errors import ReleaseError
from pipelines.recipe import Recipe
from pipelines.records import BaseModel, ChangeSet, Leaf, Manifest, Plan, Retired, as_json
from pipelines.release.manifest import choose_start, seen


@dataclass(frozen=True, slots=True)
class Past:
    """The release that stands at the target's head, and its ancestry along ``continues``."""

    previous: Manifest
    chain: Sequence[Manifest]
    withdrawn: Collection[str]
    vetoed: Collection[str] = ()  # content hashes whose released rows hold vetoed ones


def lineage_key(recipe: Recipe, base: BaseModel) -> str:
    """Another key means training from the bare base: weights of different shapes never mix.

    The base's revision is the digest of its files, tokenizer and chat template among them.
    """
    train = recipe.train
    shape = [train.rank, train.alpha, train.train_embeddings, train.targets]
    return digest([base.id, base.revision, shape])


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


def first_plan(wanted: Mapping[str, str], recipe: Recipe, previous: str | None, why: str) -> Plan:
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
    )


def make_plan(wanted: Mapping[str, str], past: Past, recipe: Recipe) -> Plan:
    """What to do for ``wanted`` (leaf → content hash), given what the last release has seen."""
    previous = past.previous
    allowed = {leaf: h for leaf, h in wanted.items() if h not in past.withdrawn}
    tainted = any(not seen(entry).isdisjoint(past.withdrawn) for entry in past.chain)
    key = lineage_key(recipe, previous.base_model)
    if key != previous.lineage_key and not tainted:
        raise ReleaseError(
            f"The recipe {recipe.name} has another LoRA shape than the release {previous.release}: "
            "its weights cannot be continued. Name another target, or give the shape back."
        )
    start = choose_start(past.chain, set(allowed.values()), key, past.withdrawn)
    if start is None:
        why = "withdrawn content is in every release so far: rebuild from nothing"
        return first_plan(allowed, recipe, previous.release, why)
    known = {leaf: entry.content_hash for leaf, entry in start.leaves.items()}
    old = set(known.values()).difference(past.vetoed)
    learn = sorted(leaf for leaf, h in allowed.items() if h not in old)
    vetoed = sorted({h for h in allowed.values() if h in past.vetoed})
    gone = {leaf: h for leaf, h in known.items() if h not in set(allowed.values())}
    retired = tuple(
        Retired(leaf, h, "edited" if leaf in allowed else "deleted")
        for leaf, h in sorted(gone.items())
    )
    back = set(allowed.values())
    rebuild = start.release != previous.release
    if rebuild:
        action, reason = "rebuild", f"withdrawn content: continue from {start.release} instead"
    elif learn:
        action, reason = "continue", f"{len(learn)} of {len(allowed)} leaves are new or edited"
        reason += f", {len(vetoed)} of them by vetoes" if vetoed else ""
    elif gone:
        action, reason = "carry", f"{len(gone)} leaves deleted: rows dropped, nothing trained"
    else:
        action, reason = "nothing", f"{previous.release} holds exactly these leaves"
    return Plan(
        action=action,  # type: ignore[arg-type]
        reason=reason,
        previous=previous.release,
        continues=start.release,
        wanted=dict(sorted(allowed.items())),
        learn=learn,
        corrected=[leaf for leaf in learn if leaf in known],
        panel=sorted(set(allowed) - set(learn)),
        retired=(*(r for r in start.retired if r.content_hash not in back), *retired),
        input_digest=_input_digest(allowed, recipe, start.release, vetoed),
    )


def _input_digest(
    wanted: Mapping[str, str], recipe: Recipe, continues: str | None, vetoed: Sequence[str] = ()
) -> str:
    inputs = [sorted(wanted.values()), as_json(recipe.essence), continues]
    return digest([*inputs, vetoed] if vetoed else inputs)
