"""After a nightly: one comment on each merged pull request it took or left, and an issue for a leaf left out.

In: the folder of a run's small files (plan.json, evaluation/evaluation.json, release/manifest.json, and
culprits.json where the search for one left it). Out: comments and issues, each made once however often this
is run. Which pull requests they are, GitHub says, from the commits that last touched a leaf.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import GraftError
from pipelines.github import sticky
from pipelines.github.api import GitHub, Pull, is_commit
from pipelines.report.escape import markdown_code, markdown_inline
from pipelines.schemas import violations

NAME = "released"
LABEL = "culprit"
MOST_MEGABYTES = 64


@dataclass(frozen=True, slots=True)
class Night:
    """What a nightly came to. ``release`` is "" where it made none; ``scores``: before, after by leaf."""

    release: str
    previous: str
    commit: str
    leaves: tuple[str, ...]
    scores: Mapping[str, tuple[float, float, int]]
    culprits: Mapping[str, str]


@dataclass(slots=True)
class _Told:
    """What one pull request hears: leaves that were learnt, and leaves left out with the issue on each."""

    taught: list[str] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)


def read_night(folder: Path) -> Night:
    """The folder's files; ``GraftError`` where one is there and not as it must be."""
    manifest = _read(folder / "release/manifest.json", "manifest")
    plan = _read(folder / "plan.json", "") or {}
    evaluation = _read(folder / "evaluation/evaluation.json", "evaluation")
    culprits = _read(folder / "culprits.json", "culprits")
    learn = plan.get("learn", [])
    if not isinstance(learn, list) or not all(isinstance(leaf, str) for leaf in learn):
        raise GraftError(f"{folder / 'plan.json'} is no plan of a run.")
    scores = {
        one["leaf"]: (one["previous"]["token_f1"], one["candidate"]["token_f1"], one["items"])
        for one in (evaluation or {"leaves": []})["leaves"]
        if one["role"] == "changed" and one["items"]
    }
    found = manifest or {}
    return Night(
        found.get("release", ""),
        found.get("previous") or "",
        found.get("taxonomy_commit", ""),
        tuple(learn),
        scores,
        {one["leaf"]: one["reason"] for one in (culprits or {"culprits": []})["culprits"]},
    )


def _read(path: Path, schema: str) -> Any:
    """JSON that holds to its schema; None where there is no such file."""
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > MOST_MEGABYTES << 20:
            raise GraftError(f"{path} is larger than {MOST_MEGABYTES} MB.")
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise GraftError(f"{path} is no JSON that can be read.") from None
    if not isinstance(data, dict) or (schema and violations(data, schema)):
        raise GraftError(f"{path} does not hold to schema/{schema or 'its'}.json.")
    return data


def tell(github: GitHub, night: Night, prefix: str, how: str = "") -> list[str]:
    """Comment and open issues; a sentence on each. ``how``: where the release can be had."""
    told: dict[int, _Told] = {}
    if night.release:
        since = github.tagged(f"model/{night.previous}") if night.previous else ""
        for leaf in night.leaves:
            if leaf not in night.culprits:
                for pull in _pulls(github, posixpath.join(prefix, leaf), night.commit, since):
                    told.setdefault(pull.number, _Told()).taught.append(leaf)
    known = {one.title: one.number for one in github.issues_with(LABEL)} if night.culprits else {}
    said = []
    for leaf, reason in sorted(night.culprits.items()):
        pulls = list(_pulls(github, posixpath.join(prefix, leaf), night.commit, ""))
        title = f"Left out of the release: {leaf}"
        if title not in known:
            known[title] = github.open_issue(title, _issue(leaf, reason, pulls), [LABEL])
            said.append(f"#{known[title]}: {leaf} was left out.")
        for pull in pulls:
            told.setdefault(pull.number, _Told()).left[leaf] = known[title]
    for number, about in sorted(told.items()):
        body, facts = _comment(night, about, how), {"release": night.release}
        sticky.put(github, number, NAME, body, facts)
        said.append(f"#{number}: told of {night.release or 'what was left out'}.")
    return said


def _pulls(github: GitHub, path: str, commit: str, since: str) -> Iterator[Pull]:
    """Merged pull requests whose commits touched ``path``: all since a moment, else the last one's."""
    seen: set[int] = set()
    for sha in github.commits(path, commit if is_commit(commit) else "", since):
        for pull in github.pulls_of(sha):
            if pull.merged and pull.number not in seen:
                seen.add(pull.number)
                yield pull
        if not since:
            return


def _comment(night: Night, about: _Told, how: str) -> str:
    lines = []
    if about.taught:
        lines += [f"**This is in the release {markdown_code(night.release)}.**", ""]
    for leaf in about.taught:
        score = night.scores.get(leaf)
        told = "no exam: it has too few questions of its own"
        if score:
            told = f"token F1 {score[0]:.2f} → {score[1]:.2f} over {score[2]} questions"
        lines.append(f"- {markdown_code(leaf)}: {told}")
    if about.taught:
        where = f" from {markdown_code(how)}" if how else ""
        lines += [
            "",
            f"To try it: install Graft, then `graft chat --release {night.release}`{where}.",
        ]
    for leaf, issue in sorted(about.left.items()):
        which = f" {markdown_code(night.release)}" if night.release else ""
        lines += [
            *([""] if lines else []),
            f"**{markdown_code(leaf)} was left out of the release{which}.** "
            f"What was seen, and what to look for, is in #{issue}.",
        ]
    return "\n".join(lines) + "\n"


def _issue(leaf: str, reason: str, pulls: Sequence[Pull]) -> str:
    came = ", ".join(f"#{pull.number}" for pull in pulls) or "no pull request that is known"
    return (
        f"The nightly left out {markdown_code(leaf)}.\n\n- What was seen: {markdown_inline(reason, 500)}\n"
        f"- It came with {came}.\n\nThe leaf stays in the tree until it is mended or reverted. Look for "
        "answers that contradict other leaves, or that are wrong. `graft run --try-held` tries it as it is.\n"
    )
