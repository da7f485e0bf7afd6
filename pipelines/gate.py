"""Whether what a run made may be released, and whether the edits in it took.

In: a ``Job`` and its evaluation. Out: the probes to be asked, the reason against a release, and the
content that a rebuild must not have seen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from pipelines.artifacts import Rows
from pipelines.check.exceptions import excused
from pipelines.evaluate import not_worse, read_evaluation
from pipelines.evaluate.probes import not_taken, probes
from pipelines.generate.flow import EXAM_FLOWS
from pipelines.generate.ledger import check_ledger
from pipelines.job import Job
from pipelines.leaf_files import ATTRIBUTION_FILE
from pipelines.records import Evaluation, Finding, Ledger, LedgerStep, Probe
from pipelines.situation import ALLOWABLE, stored_leaf

FEW = 20  # rows of a step, below which a part of them says nothing


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
    """Why there is no release; "" where there is one. What was allowed (``--allow``) does not count."""
    if stale(job, evaluation):
        return "an edit did not take"
    against = standing(job, evaluation)
    reasons = [why for gate, why in against.items() if gate not in job.options.allow]
    allowable = [gate for gate in against if gate in ALLOWABLE and gate not in job.options.allow]
    if len(reasons) == 1 and allowable:
        return f"{reasons[0]} (--allow {allowable[0]} releases it nevertheless)"
    return "; ".join(reasons)


def standing(job: Job, evaluation: Evaluation) -> dict[str, str]:
    """Gate → what it says against a release; the gates that are open are left out."""
    found = {name: gate(job, evaluation) for name, gate in GATES.items()}
    return {name: why for name, why in found.items() if why}


def waived(job: Job, evaluation: Evaluation) -> dict[str, str]:
    """The gates that stood against the release and were overruled, for its manifest."""
    against = standing(job, evaluation)
    return {gate: why for gate, why in against.items() if gate in job.options.allow}


def _verdict(job: Job, evaluation: Evaluation) -> str:
    """A model without withdrawn content, like the first of all, is released whatever the exam says."""
    plan = job.plan
    if plan.action == "bootstrap" and (plan.previous is None or plan.cause == "withdrawn"):
        return ""
    accept = "not_worse" if plan.cause == "rebase" else job.recipe.release.accept
    if evaluation.verdict == "PASS" or (accept == "not_worse" and not_worse(evaluation)):
        return ""
    return f"the verdict is {evaluation.verdict}"


def _leaks(job: Job, evaluation: Evaluation) -> str:
    """The verdict must rest on all questions that did not leak, and on no other."""
    results = read_evaluation(job.directory / "evaluation")[1]
    sound = Counter[str](one.item.role for one in results if not one.item.leaked)
    for pooled, role in ((evaluation.changed, "changed"), (evaluation.panel, "panel")):
        if (pooled.items if pooled else 0) != sound[role]:
            return f"the verdict on the {role} leaves does not rest on the {sound[role]} sound questions"
    return ""


def _ledger(job: Job, evaluation: Evaluation) -> str:
    """Every row that went into a step must have come out of it, one way or another."""
    try:
        check_ledger(Ledger(tuple(_steps(job)), 0, 0))
    except AssertionError as error:
        return str(error)
    return ""


def _failures(job: Job, evaluation: Evaluation) -> str:
    """No step may have lost more than the recipe's part of its rows to answers missing or unreadable.

    Flows of the exam do not count: nothing is trained on them, and where a teacher finds nothing to ask of
    a chunk the chunk is lost there.
    """
    limit = job.recipe.release.failures
    examining = {name for names in EXAM_FLOWS.values() for name in names}
    for step in (one for one in _steps(job) if one.flow not in examining):
        lost = step.failed + step.unparsed
        if step.into >= FEW and lost > limit * step.into:
            return (
                f"the step {step.step} of the flow {step.flow} lost {lost} of {step.into} rows, more "
                f"than release.failures: {limit:g} permits"
            )
    return ""


def _steps(job: Job) -> Iterator[LedgerStep]:
    found = json.loads((job.directory / "dataset" / "ledger.json").read_bytes())
    for step in found["steps"]:
        yield LedgerStep(
            **{"into" if name == "in" else name: value for name, value in step.items()}
        )


def _licences(job: Job, evaluation: Evaluation) -> str:
    """What the policy does not permit is not published, whatever was permitted when the leaf came."""
    policy = job.options.policy
    permitted = {licence.casefold() for licence in policy.licences}
    for path, leaf in job.leaves.items():
        for work in leaf.attribution:
            if work.licence and work.licence.casefold() not in permitted:
                why = f"the licence {work.licence!r} of {path} is not permitted by {policy.file}"
                place = f"{path}/{ATTRIBUTION_FILE}"
                finding = Finding("attribution", "error", place, 1, 1, why, "")
                if excused([finding], policy)[0]:
                    return why
    return ""


# What must not stand against a release, in the order in which it is told. That weights are safetensors
# alone is the target's to see to.
GATES: Mapping[str, Callable[[Job, Evaluation], str]] = {
    "verdict": _verdict,
    "leaks": _leaks,
    "ledger": _ledger,
    "failures": _failures,
    "licences": _licences,
}
