"""The end of a run on a pull request → its one comment, check run, and suggestions beside its lines.

In: the event, ``workflow_run`` or the comment that asked for the run, and the folder of the run's artifact.
Which pull request it is, GitHub says: one that is open and whose head is the run's commit now. Nothing in
the artifact chooses where anything is posted. The comment has a part for each thing that a run may tell of;
each carries the run that wrote it, and an older run never takes a newer one's place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.errors import GraftError
from pipelines.github import sticky
from pipelines.github.api import GitHub, Pull, event_number, is_commit
from pipelines.github.report import PARTS, as_markdown
from pipelines.github.results import Results
from pipelines.github.review import offer

NAME = "report"
MENDS = "mends"
_ORDER = ("check", MENDS, *(name for name in PARTS if name != "check"))
_PART = re.compile(r"^<!-- part:([a-z]+) -->\n(.*?)(?=^<!-- part:|\Z)", re.MULTILINE | re.DOTALL)
_HEADS = re.compile(r"(\d{1,9}):([0-9a-f]{40})")
_NOTHING = "❌ **Check**: the run ended before the leaves were checked; its log says why."


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run at a commit; ``number`` grows from run to run and from one attempt to the next.

    ``pull``: the number that GitHub's own event gave; 0 where the commit alone tells. ``checking``: it is
    the run that checks the leaves.
    """

    head: str
    number: int
    succeeded: bool = True
    branch: str = ""
    owner: str = ""
    pull: int = 0
    checking: bool = False


def read_runs(event: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> list[Run]:
    """The run that a ``workflow_run`` event tells of, or those asked for by a comment (``HEADS``)."""
    data = event.get("workflow_run")
    if data is None and "comment" in event:
        return _asked(event, environment)
    if not isinstance(data, dict) or not is_commit(data.get("head_sha")):
        raise GraftError("--event: the payload tells of no workflow_run with a head_sha.")
    repository = data.get("head_repository") or {}
    owner = (repository.get("owner") or {}).get("login") or ""
    number = _number(data.get("id"), data.get("run_attempt"))
    succeeded = data.get("conclusion") == "success"
    branch = data.get("head_branch") or ""
    return [Run(data["head_sha"], number, succeeded, branch, owner, checking=True)]


def _asked(event: Mapping[str, Any], environment: Mapping[str, str]) -> list[Run]:
    """The commits that `graft github command` bound the run to."""
    number = _number(environment.get("GITHUB_RUN_ID"), environment.get("GITHUB_RUN_ATTEMPT"))
    heads = [_HEADS.fullmatch(word) for word in environment.get("HEADS", "").split()]
    if not heads or not all(heads):
        raise GraftError("HEADS must list NUMBER:SHA, as `graft github command` gives them.")
    found = [Run(one[2], number, pull=int(one[1])) for one in heads if one]
    if event_number(event, "issue") not in [run.pull for run in found]:
        raise GraftError("HEADS does not name the pull request of the event.")
    return found


def _number(identity: object, attempt: object) -> int:
    try:
        return int(str(identity)) * 1000 + min(int(str(attempt or 1)), 999)
    except ValueError:
        raise GraftError("The event or GITHUB_RUN_ID gives the run no number.") from None


def find_pull(github: GitHub, run: Run) -> Pull | None:
    """The open pull request whose head is the run's commit; None where it has moved on or is gone."""

    def fits(pull: Pull) -> bool:
        return pull.open and pull.head == run.head

    if run.pull:
        pull = github.pull(run.pull)
        return pull if fits(pull) else None
    if run.owner and run.branch:
        for pull in github.pulls(state="open", head=f"{run.owner}:{run.branch}"):
            if fits(pull):
                return pull
    return next(filter(fits, github.pulls(state="open")), None)


def comment(
    github: GitHub, run: Run, results: Results, prefix: str = ""
) -> tuple[Pull | None, str]:
    """Write what the run found; the pull request, and one sentence on what was done.

    ``prefix``: the taxonomy's folder in the repository.
    """
    pull = find_pull(github, run)
    if pull is None:
        return None, f"No open pull request has the head {run.head}; nothing is posted."
    there = sticky.find(github, pull.number, NAME)
    facts = dict(there.facts) if there and there.facts.get("head") == run.head else {}
    parts = dict(_PART.findall(there.body)) if there and facts else {}
    told = _told(run, results)
    if run.checking and results.mended and _before(facts, "check") <= run.number:
        told[MENDS] = offer(github, pull, results.mended, prefix)
    fresh = {
        name: text for name, text in told.items() if text and _before(facts, name) <= run.number
    }
    if not fresh:
        return (
            pull,
            f"#{pull.number}: a newer run has written about this commit; nothing is posted.",
        )
    parts |= {name: f"{text}\n\n" for name, text in fresh.items()}
    facts |= {"head": run.head, **dict.fromkeys(fresh, str(run.number))}
    for name in fresh:
        facts |= dict(_facts(name, results, run))
    whole = sticky.whole(NAME, _body(run, parts), facts)
    sticky.write(github, pull.number, there, whole)
    if "check" in fresh and run.checking:
        _check_run(github, run, facts["checks"] == "pass")
    return pull, f"#{pull.number}: the comment tells of {run.head}."


def _before(facts: Mapping[str, str], part: str) -> int:
    number = facts.get(part, "")
    return int(number) if number.isdecimal() else 0


def _told(run: Run, results: Results) -> dict[str, str]:
    told = as_markdown(results)
    if run.checking and "findings.json" not in results.read:
        told["check"] = "\n\n".join([_NOTHING, *([told["check"]] if "check" in told else [])])
    return told


def _facts(part: str, results: Results, run: Run) -> Iterator[tuple[str, str]]:
    """What triage and the queue read from the comment's first line."""
    if part == "check" and run.checking:
        sound = run.succeeded and results.errors == 0 and not results.refused
        yield "checks", "pass" if sound else "fail"
        yield "delicate", "yes" if results.delicate else "no"
    elif part == "changes":
        yield "teaches", "yes" if results.teaches else "no"
        yield "seeds", str(results.seeds)
    elif part == "precheck" and results.known is not None:
        yield "known", str(results.known[0])
        yield "asked", str(results.known[1])
    elif part == "preview":
        yield "verdict", str(results.read["evaluation.json"]["verdict"])


def _check_run(github: GitHub, run: Run, sound: bool) -> None:
    """The run's own word, for whoever looks at the list of checks; nothing may rest on it alone."""
    summary = "What the run of this commit says; the comment on the pull request tells the rest."
    if sound:
        github.check_run(run.head, "success", "No errors", summary)
    else:
        github.check_run(run.head, "failure", "Something has to be mended", summary)


def _body(run: Run, parts: Mapping[str, str]) -> str:
    written = [f"<!-- part:{name} -->\n{parts[name]}" for name in _ORDER if name in parts]
    return (
        f"## Graft, at {run.head[:10]}\n\nAs the runs on this pull request report it.\n\n"
        + "".join(written)
    )
