"""Open pull requests → the order in which a reviewer might read them, with those on one subject together.

In: ``Waiting`` records. Out: ``Ranked`` ones, the most worth reading first. Pure: the same facts give the
same order. What a row shows is what it was ranked by, so that a reviewer can disagree.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pipelines.github import sticky
from pipelines.github.api import GitHub, Pull
from pipelines.github.areas import cosine, vectors
from pipelines.github.client import Refused
from pipelines.report.escape import markdown_inline

ONE_SUBJECT = 0.35  # cosine from which two are taken for one subject
MOST_CHARACTERS = 4000
DAYS = 30.0  # of waiting that count


@dataclass(frozen=True, slots=True)
class Waiting:
    """One open pull request. ``gain``: the share of its questions that the last release cannot answer."""

    number: int
    title: str
    text: str
    checks: str
    draft: bool
    gain: float | None
    days: float
    seeds: int
    human: bool = False
    turn: str = ""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Its place in the queue; ``cluster`` 0 where nothing else is on its subject."""

    number: int
    title: str
    checks: str
    gain: float | None
    days: float
    seeds: int
    human: bool
    cluster: int
    score: float


def ranked(waiting: Sequence[Waiting]) -> list[Ranked]:
    """The best first; those of one subject stand together, at the place of the best of them."""
    clusters = _clusters(waiting)
    rows = [
        Ranked(
            one.number,
            one.title,
            one.checks,
            one.gain,
            one.days,
            one.seeds,
            one.human,
            cluster,
            round(_score(one), 3),
        )
        for one, cluster in zip(waiting, clusters, strict=True)
    ]
    best = {row.cluster or -row.number: 0.0 for row in rows}
    for row in rows:
        key = row.cluster or -row.number
        best[key] = max(best[key], row.score)

    def order(row: Ranked) -> tuple[float, int, float, int]:
        key = row.cluster or -row.number
        return -best[key], key, -row.score, row.number

    return sorted(rows, key=order)


def _score(one: Waiting) -> float:
    """Ready before unready; then what teaches most, waits longest and costs least."""
    ready = {"pass": 4.0, "": 1.0}.get(one.checks, 0.0)
    ready = 0.0 if one.draft or one.turn == "author" else ready
    gain = 0.5 if one.gain is None else one.gain
    waiting = min(max(one.days, 0.0), DAYS) / DAYS
    cost = 1 / (1 + one.seeds / 20)
    return ready + 2 * gain + waiting + 0.5 * cost


def _clusters(waiting: Sequence[Waiting]) -> list[int]:
    """A number from 1 for each subject with several; joined through the nearest neighbour."""
    words = vectors([one.text[:MOST_CHARACTERS] for one in waiting])
    group = list(range(len(waiting)))

    def root(at: int) -> int:
        while group[at] != at:
            at = group[at]
        return at

    for at in range(len(waiting)):
        for other in range(at):
            if cosine(words[at], words[other]) >= ONE_SUBJECT:
                group[root(at)] = root(other)
    roots = [root(at) for at in range(len(waiting))]
    several = [one for one in dict.fromkeys(roots) if roots.count(one) > 1]
    return [several.index(one) + 1 if one in several else 0 for one in roots]


def gather(github: GitHub, now: datetime | None = None) -> list[Waiting]:
    """All open pull requests, as GitHub and the comments on them tell."""
    now = now or datetime.now(UTC)
    return [_waiting(github, pull, now) for pull in github.pulls(state="open")]


def _waiting(github: GitHub, pull: Pull, now: datetime) -> Waiting:
    report = sticky.find(github, pull.number, "report")
    facts = report.facts if report and report.facts.get("head") == pull.head else {}
    asked, known = _number(facts.get("asked")), _number(facts.get("known"))
    days = (now - datetime.fromisoformat(pull.created.replace("Z", "+00:00"))).total_seconds()
    paths = ""
    # GitHub gives up on some diffs: whose one it is stands in the queue by its title alone.
    with contextlib.suppress(Refused):
        paths = " ".join(github.pull_files(pull.number)).replace("/", " ").replace("_", " ")
    return Waiting(
        number=pull.number,
        title=pull.title,
        text=f"{pull.title} {pull.body} {paths}",
        checks=facts.get("checks", ""),
        draft=pull.draft,
        gain=1 - known / asked if asked else None,
        days=round(days / 86_400, 1),
        seeds=_number(facts.get("seeds")),
        human="needs-human" in pull.labels,
        turn="author" if "needs-author" in pull.labels else "",
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def as_markdown(rows: Sequence[Ranked]) -> str:
    """A table for a step's summary or a terminal."""
    lines = [
        "| Pull request | Checks | New to the model | Days | Seeds | Subject | |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        gain = "?" if row.gain is None else f"{row.gain:.0%}"
        cells = [
            f"#{row.number} {markdown_inline(row.title, 80)}",
            row.checks or "not yet",
            gain,
            f"{row.days:.0f}",
            str(row.seeds),
            str(row.cluster or "–"),
            "a person must look" if row.human else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
