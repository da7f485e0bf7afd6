"""The scores of all releases: a target in, what each release was examined on out.

They stand in the ``evaluation.json`` that a release carries; a release without one that can be read is
left out. Only what is shown is read, so that an older release's other fields do not matter.
"""

from __future__ import annotations

import json

from pipelines.records import Evaluation, Json
from pipelines.release.targets import Target
from pipelines.report import ReleaseScores


def history(target: Target) -> list[ReleaseScores]:
    """Oldest release first."""
    found = []
    for tag in target.tags():
        try:
            data = json.loads((target.directory(tag) / "evaluation.json").read_bytes())
            found.append(_scores(tag, data))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def now(evaluation: Evaluation, name: str) -> ReleaseScores:
    """The same of an evaluation that no release carries yet."""
    return ReleaseScores(
        name,
        evaluation.verdict,
        {leaf.leaf: leaf.candidate.token_f1 for leaf in evaluation.leaves if leaf.items},
        frozenset(leaf.leaf for leaf in evaluation.leaves if leaf.role == "changed"),
    )


def _scores(tag: str, data: Json) -> ReleaseScores:
    leaves: list[Json] = [leaf for leaf in data["leaves"] if leaf["items"]]
    return ReleaseScores(
        tag,
        str(data["verdict"]),
        {str(leaf["leaf"]): float(leaf["candidate"]["token_f1"]) for leaf in leaves},
        frozenset(str(leaf["leaf"]) for leaf in leaves if leaf["role"] == "changed"),
    )
