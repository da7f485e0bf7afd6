"""The run of a workflow that a night shall go on from → whether what it left may be trained and published.

In: the numbers of that run and of this one. Out: nothing, or a ``GraftError``. An artifact is what its run's
workflow made of it, and on another branch or in a pull request anybody may have written that.
"""

from __future__ import annotations

from typing import Any

from pipelines.errors import GraftError
from pipelines.github.api import GitHub

BEGUN = ("schedule", "workflow_dispatch")


def check_resumable(github: GitHub, number: int, this: int) -> None:
    """GitHub must say that both are of one workflow, on one branch of one repository."""
    there, here = (_place(github, one) for one in (number, this))
    if there != here:
        raise GraftError(
            f"Run {number} is no run of this workflow on this branch, so nothing of it is taken; give the "
            "number of a night that was stopped."
        )


def _place(github: GitHub, number: int) -> tuple[Any, ...]:
    run = github.client.get(f"actions/runs/{number}")
    repository = (run.get("head_repository") or {}).get("id")
    return run["workflow_id"], run["head_branch"], repository, run["event"] in BEGUN
