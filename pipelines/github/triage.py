"""Labels of a pull request as a state machine, and a comment on whose turn it is.

In: what a pull request touches, what the comment on it knows of its head, reviews. Out: the labels that
hold now, and those that no longer do. ``decide`` is pure; every state follows from the facts alone, so a
label set by hand among ``MANAGED`` is put right by the next event.

    draft, errors, changes asked for, leaves and tooling mixed ──▶ needs-author
    checks passed ──▶ needs-review, and preview-ready where a preview would teach something
    delicate topic, personal data, abuse, a secret ──▶ needs-human besides
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pipelines.errors import GraftError
from pipelines.github import sticky
from pipelines.github.api import GitHub, Pull
from pipelines.github.client import Refused
from pipelines.leaf_files import ROOTS

STATES = ("needs-author", "needs-review", "needs-human", "preview-ready", "needs-split", "stale")
KINDS = ("knowledge", "skill", "tooling", "docs")
AREA = "area:"
MOST_AREAS = 3
STALE_DAYS = 21
NAME = "triage"
_AREA = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
_FIRST = ("FIRST_TIME_CONTRIBUTOR", "FIRST_TIMER", "NONE")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a pull request now. ``checks``: "pass", "fail", or "" before they have run."""

    paths: tuple[str, ...]
    draft: bool = False
    checks: str = ""
    delicate: bool = False
    teaches: bool = False
    changes_requested: bool = False
    days_waiting: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """``labels`` that hold; ``turn`` is "author", "reviewer" or "machine"; ``next`` says what is next."""

    labels: frozenset[str]
    turn: str
    next: str


def decide(facts: Facts, prefix: str) -> Decision:
    """The labels and whose turn it is."""
    kinds, areas = _sorted(facts.paths, prefix)
    mixed = "tooling" in kinds and bool(kinds & {"knowledge", "skill"})
    turn, sentence = _turn(facts, mixed)
    labels = {*kinds, *(f"{AREA}{area}" for area in areas)}
    if turn == "author":
        labels.add("needs-author")
    if turn == "reviewer":
        labels.add("needs-review")
        if facts.teaches and facts.checks == "pass":
            labels.add("preview-ready")
    if facts.delicate:
        labels.add("needs-human")
    if mixed:
        labels.add("needs-split")
    if turn == "author" and facts.days_waiting >= STALE_DAYS:
        labels.add("stale")
    return Decision(frozenset(labels), turn, sentence)


def _turn(facts: Facts, mixed: bool) -> tuple[str, str]:
    if mixed:
        return "author", (
            "It touches leaves and tooling. They are reviewed by other people and with other tests: please "
            "open one pull request for each."
        )
    if facts.checks == "fail":
        return (
            "author",
            "The checks found something; the comment with their report says how to mend it.",
        )
    if facts.changes_requested:
        return "author", "A reviewer asked for changes; push them, and the checks run again."
    if facts.draft:
        return "author", "It is a draft; mark it as ready when you want it to be read."
    if facts.checks == "pass":
        return (
            "reviewer",
            "The checks passed; a reviewer reads it next. There is nothing for you to do.",
        )
    return "machine", "The checks have not reported yet; there is nothing for you to do."


def _sorted(paths: Sequence[str], prefix: str) -> tuple[set[str], list[str]]:
    """Kinds and areas that the paths speak of."""
    kinds: set[str] = set()
    areas: dict[str, None] = {}
    for path in paths:
        inner = path.removeprefix(f"{prefix}/") if prefix else path
        inside = inner != path or not prefix
        root, *below = inner.split("/")
        if inside and root in ROOTS and below:
            kinds.add("knowledge" if root == "knowledge" else "skill")
            area = below[1] if below[0] == "grounded" and len(below) > 1 else below[0]
            if _AREA.fullmatch(area) and len(below) > 1:
                areas[area] = None
        elif path.endswith(".md") and "/.github/" not in f"/{path}":
            kinds.add("docs")
        else:
            kinds.add("tooling")
    return kinds, sorted(areas)[:MOST_AREAS]


def gather(github: GitHub, pull: Pull, now: datetime) -> Facts:
    """Ask GitHub for what ``decide`` wants to know."""
    report = sticky.find(github, pull.number, "report")
    facts = report.facts if report and report.facts.get("head") == pull.head else {}
    return Facts(
        paths=github.pull_files(pull.number),
        draft=pull.draft,
        checks=facts.get("checks", ""),
        delicate=facts.get("delicate") == "yes",
        teaches=facts.get("teaches") == "yes",
        changes_requested=github.changes_requested(pull),
        days_waiting=_waiting(github, pull, now),
    )


def _waiting(github: GitHub, pull: Pull, now: datetime) -> float:
    """Days since somebody pushed or spoke; what a program did here does not count."""
    moments = [pull.created, github.committed(pull.head)]
    moments += [one.created for one in github.comments(pull.number) if one.author != github.bot]
    last = max(datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in moments)
    return (now - last).total_seconds() / 86_400


def triage(github: GitHub, pull: Pull, prefix: str, now: datetime | None = None) -> str:
    """Set the labels of one pull request; one sentence on what was done."""
    if not pull.open:
        return f"#{pull.number} is not open; nothing to do."
    facts = gather(github, pull, now or datetime.now(UTC))
    decision = decide(facts, prefix)
    has = {name for name in pull.labels if _managed(name)}
    github.label(pull.number, decision.labels - has, has - decision.labels)
    _say(github, pull, decision)
    return f"#{pull.number}: {', '.join(sorted(decision.labels)) or 'no label'}."


def _managed(name: str) -> bool:
    return name in STATES or name in KINDS or name.startswith(AREA)


def _say(github: GitHub, pull: Pull, decision: Decision) -> None:
    """Welcome a first contribution, ask for a split, and tell whose turn it is; one comment, kept current."""
    there = sticky.find(github, pull.number, NAME)
    first = pull.association in _FIRST and not pull.user.login.endswith("[bot]")
    if there is None and not first and not decision.labels & {"needs-split", "stale"}:
        return
    blocks = []
    if first:
        blocks.append(
            "Thank you for your first contribution here. A program checks it and writes what it finds into "
            "one comment below; then a person reads it. Ask here whatever is unclear."
        )
    whose = {"author": "yours", "reviewer": "a reviewer's", "machine": "the checks'"}[decision.turn]
    blocks.append(f"**It is {whose} turn.** {decision.next}")
    if "stale" in decision.labels:
        blocks.append(
            f"Nothing has happened for {STALE_DAYS} days. It stays open; say so if you would rather "
            "have somebody else take it over."
        )
    facts = {"stale": "yes"} if "stale" in decision.labels else {}
    whole = sticky.whole(NAME, "\n\n".join(blocks) + "\n", facts)
    sticky.write(github, pull.number, there, whole)


def sweep(github: GitHub, prefix: str, now: datetime | None = None) -> list[str]:
    """All open pull requests, as once a day: what waits for its author too long is marked.

    One that cannot be read, as where GitHub gives up on its diff, must not keep the others waiting.
    """
    said, failed = [], []
    for pull in github.pulls(state="open"):
        try:
            said.append(triage(github, pull, prefix, now))
        except Refused as error:
            failed.append(f"#{pull.number} is left as it is: {error}")
    if failed and not said:
        raise GraftError(failed[0])
    return said + failed
