"""Whether what a run made may be released, and whether the edits in it took.

In: a ``Job`` and its evaluation. Out: the probes to be asked, the reason against a release, and the
content that a rebuild must not have seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.evaluate import not_worse
from pipelines.evaluate.probes import not_taken, probes
from pipelines.job import Job
from pipelines.records import Evaluation, Message, Probe
from pipelines.situation import stored_leaf

Rows = Mapping[str, Sequence[tuple[Message, ...]]]


def edited(job: Job) -> dict[str, str]:
    """Leaf → the content hash that the previous release has of it, where that is another."""
    previous = job.now.previous
    if previous is None:
        return {}
    moved = {change.leaf: change.previous_leaf for change in job.changes.changes}
    found = {}
    for path, leaf in job.leaves.items():
        entry = previous.leaves.get(moved.get(path) or path)
        if entry is not None and entry.content_hash != leaf.content_hash:
            found[path] = entry.content_hash
    return found


def probes_of(job: Job, new: Rows) -> list[Probe]:
    """What is to be asked about the edits in this run; an edit that gave no new row taught nothing."""
    found: list[Probe] = []
    previous = job.now.previous
    for path, old in sorted(edited(job).items()):
        leaf = job.leaves[path]
        if previous is not None and new.get(leaf.content_hash):
            found += probes(stored_leaf(job.now.target, previous, old), leaf)
    return found


def stale(job: Job, evaluation: Evaluation) -> frozenset[str]:
    """The older content of the edits that did not take, where the recipe wants a rebuild then.

    Only after an ordinary run: what a rebuild makes has not seen the old content, and is the end of it.
    """
    if job.plan.action != "continue" or job.recipe.lineage.edits != "rebuild":
        return frozenset()
    old = edited(job)
    found = {old[leaf] for leaf in not_taken(evaluation.probes) if leaf in old}
    return frozenset(found.difference(job.plan.wanted.values()))


def refused(job: Job, evaluation: Evaluation) -> str:
    """Why there is no release; "" where there is one.

    A model without withdrawn content, like the first of all, is released whatever the exam says.
    """
    plan = job.plan
    if plan.action == "bootstrap" and (plan.previous is None or plan.cause == "withdrawn"):
        return ""
    if stale(job, evaluation):
        return "an edit did not take"
    accept = "not_worse" if plan.cause == "rebase" else job.recipe.release.accept
    if evaluation.verdict == "PASS" or (accept == "not_worse" and not_worse(evaluation)):
        return ""
    return f"the verdict is {evaluation.verdict}"
