"""``graft evaluate --precheck``: what the last release knows already of the leaves to be learnt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.precheck import Answered
    from pipelines.situation import Options


def show(options: Options, form: str) -> None:
    """Print it, leaf by leaf, question by question."""
    from pipelines.precheck import precheck
    from pipelines.prepare import planned
    from pipelines.records import as_json
    from pipelines.report.escape import one_line

    job = planned(options)
    found = precheck(job)
    if form == "json":
        told = [{**as_json(one), "known": one.known} for one in found]
        release = job.now.previous.release if job.now.previous else None
        print(json.dumps({"release": release, "questions": told}, indent=2, ensure_ascii=False))
        return
    if not found:
        print("Nothing to ask: no leaf is new or edited.")
    by_leaf: dict[str, list[Answered]] = {}
    for one in found:
        by_leaf.setdefault(one.item.leaf, []).append(one)
    for leaf, answered in by_leaf.items():
        known = sum(one.known for one in answered)
        print(f"{leaf}: {known} of {len(answered)} questions are answered already")
        for one in answered:
            print(f"  {'knows' if one.known else '     '}  {one_line(one.item.question)}")
            print(f"         wanted: {one_line(one.item.reference)}")
            print(f"         says:   {one_line(one.answer) or '(no answer)'}")
