"""What must hold of a ``NewLeaf`` before it is written, beyond its path; the check does the rest.

In: a tidy leaf and the licences of the policy. Out: the leaf with the licence as the policy spells it;
``UsageError`` names the first thing that cannot be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipelines.author.leaf import NewLeaf
from pipelines.errors import UsageError

CONTEXT = {"knowledge": "needed", "grounded": "needed", "freeform": "none", "foundational": "none"}


def sound(leaf: NewLeaf, licences: Sequence[str]) -> NewLeaf:
    """The leaf as it will be written."""
    if leaf.is_knowledge and leaf.task:
        raise UsageError("A knowledge leaf has no task: give --domain and --outline.")
    if not leaf.is_knowledge and (leaf.domain or leaf.outline or leaf.document):
        raise UsageError(f"A {leaf.kind} skill has no domain, outline or document: give --task.")
    for number, seed in enumerate(leaf.seeds, start=1):
        if CONTEXT[leaf.kind] == "needed" and not seed.context:
            raise UsageError(f"Seed {number} has no context, and a {leaf.kind} leaf needs one.")
        if CONTEXT[leaf.kind] == "none" and seed.context:
            raise UsageError(
                f"Seed {number} has a context, and a {leaf.kind} skill takes none; is it --kind "
                "grounded?"
            )
        if not all(pair.question and pair.answer for pair in seed.pairs) or not seed.pairs:
            raise UsageError(f"Seed {number} has an empty question or answer.")
    return replace(leaf, licence=permitted(leaf.licence, licences))


def permitted(licence: str, licences: Sequence[str]) -> str:
    """The licence as the policy spells it."""
    for known in licences:
        if known.casefold() == licence.casefold():
            return known
    raise UsageError(
        f"The licence {licence[:60]!r} is not permitted here; permitted: {', '.join(licences)}."
    )
