"""Rule `grounded-path`: compositional skills with contexts lie below `grounded/`, and no others."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import contexts, knows, pairs
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.schemas import show

_FOLDER = "grounded"


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield one finding; seeds that differ among each other are `mixed-context`."""
    if leaf.source is None or knows(leaf):
        return
    parts = leaf.path.split("/")
    having = contexts(leaf)
    seeds = {pair.seed for pair in pairs(leaf)}
    if _FOLDER in parts and seeds and not having:
        message = f"The skill lies below {show(_FOLDER + '/')}, and no seed has a context."
        hint = f"Give each seed its context, or move the folder out of {show(_FOLDER + '/')}."
        place = leaf.source.key_at(("seed_examples",))
    elif _FOLDER not in parts and parts[0] == "compositional_skills" and len(having) == len(seeds):
        if not seeds:
            return
        message = (
            f"The seeds have contexts, and the skill does not lie below {show(_FOLDER + '/')}."
        )
        hint = f"Move it to `{'/'.join([parts[0], _FOLDER, *parts[1:]])}`."
        place = leaf.source.key_at(("seed_examples", min(having), "context"))
    else:
        return
    yield Finding("grounded-path", "warning", leaf.file, *place, message, hint)


RULE = LeafRule(
    check,
    About(
        "warning",
        "Compositional skills whose seeds have contexts lie below `grounded/`, and no others do.",
        "Move the folder, or give the seeds what the place promises.",
    ),
)
