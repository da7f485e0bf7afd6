"""Labels as a state machine, whose turn it is, and the queue of open pull requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.github.api import GitHub
from pipelines.github.client import open_client
from pipelines.github.triage import Facts, decide, sweep
from pipelines.schemas import violations
from tests.github.conftest import Graft
from tests.support.github import BOT, Hub

LEAF = ("taxonomy/knowledge/earth/rivers/danube/qna.yaml",)
SKILL = ("taxonomy/compositional_skills/grounded/reading/x/qna.yaml",)


@pytest.mark.parametrize(
    ("facts", "labels", "turn"),
    [
        (Facts(LEAF), {"knowledge", "area:earth"}, "machine"),
        (Facts(LEAF, checks="fail"), {"knowledge", "area:earth", "needs-author"}, "author"),
        (Facts(LEAF, checks="pass"), {"knowledge", "area:earth", "needs-review"}, "reviewer"),
        (
            Facts(LEAF, checks="pass", teaches=True, delicate=True),
            {"knowledge", "area:earth", "needs-review", "preview-ready", "needs-human"},
            "reviewer",
        ),
        (
            Facts(SKILL, checks="pass", draft=True),
            {"skill", "area:reading", "needs-author"},
            "author",
        ),
        (
            Facts(SKILL, checks="pass", changes_requested=True, days_waiting=30),
            {"skill", "area:reading", "needs-author", "stale"},
            "author",
        ),
        (Facts(SKILL, checks="pass", days_waiting=9), {"skill", "area:reading", "needs-review"}, "reviewer"),
        (
            Facts((*LEAF, "pipelines/run.py"), checks="pass", teaches=True),
            {"knowledge", "area:earth", "tooling", "needs-author", "needs-split"},
            "author",
        ),
        (Facts(("docs/rules.md",), checks="pass"), {"docs", "needs-review"}, "reviewer"),
        (Facts((".github/evil.md",)), {"tooling"}, "machine"),
        (Facts(("taxonomy/knowledge/$(x)\n/a/qna.yaml",)), {"knowledge"}, "machine"),
        (Facts(("knowledge/earth/rivers/a/qna.yaml",)), {"tooling"}, "machine"),
    ],
)  # fmt: skip
def test_states(facts: Facts, labels: set[str], turn: str) -> None:
    found = decide(facts, "taxonomy")
    assert found.labels == labels
    assert found.turn == turn


def reported(hub: Hub, number: int, facts: str) -> None:
    head = hub.pulls[number]["head"]["sha"]
    hub.add_comment(number, BOT, f"<!-- graft:report head={head} {facts} -->\nx")


def opened(number: int) -> dict[str, Any]:
    return {"action": "opened", "pull_request": {"number": number}}


def test_a_first_contribution_is_welcomed_and_states_follow(hub: Hub, graft: Graft) -> None:
    head = hub.git("rev-parse", "main")
    hub.pull(4, head, paths=LEAF, author_association="FIRST_TIME_CONTRIBUTOR", labels=["mine"])
    assert graft("triage", event=opened(4))[0] == 0
    [welcome] = hub.said(4)
    assert "first contribution" in welcome
    assert "It is the checks' turn" in welcome
    reported(hub, 4, "check=1 checks=fail")
    graft("triage", event=opened(4))
    assert hub.labels(4) == {"mine", "knowledge", "area:earth", "needs-author"}
    # A push: what was said of the old head no longer holds.
    hub.pulls[4]["head"]["sha"] = hub.git("commit-tree", "main^{tree}", "-p", "main", "-m", "x")
    graft("triage", event=opened(4))
    assert hub.labels(4) == {"mine", "knowledge", "area:earth"}
    review = {"state": "CHANGES_REQUESTED", "user": hub.user("rea")}
    hub.reviews[4] = [{**review, "commit_id": hub.pulls[4]["head"]["sha"]}]
    graft("triage", event=opened(4))
    assert "needs-author" in hub.labels(4)
    assert "A reviewer asked for changes" in hub.said(4)[0]
    hub.reviews[4].append({**review, "state": "APPROVED"})
    graft("triage", event=opened(4))
    assert "needs-author" not in hub.labels(4)


def test_leaves_and_tooling_are_asked_to_split(hub: Hub, graft: Graft) -> None:
    hub.pull(4, hub.git("rev-parse", "main"), paths=[*LEAF, "Makefile"])
    graft("triage", event=opened(4))
    assert "one pull request for each" in hub.said(4)[0]
    assert "needs-split" in hub.labels(4)


def test_a_pull_request_that_github_cannot_show_keeps_no_other_waiting(
    hub: Hub, graft: Graft
) -> None:
    for number in (4, 5):
        hub.pull(number, hub.git("rev-parse", "main"), paths=LEAF)
    hub.too_large.add(5)
    code, said, _ = graft("triage", event={})
    assert code == 0
    assert "#5 is left as it is: " in said
    assert "knowledge" in hub.labels(4)
    code, said, _ = graft("queue")
    assert code == 0
    assert "| #4 " in said
    assert "| #5 " in said
    hub.too_large.add(4)
    code, _, said = graft("triage", event={})
    assert code == 1  # where none can be read it is GitHub or the token
    assert "taking too long" in said


def test_once_a_day_what_waits_for_its_author_is_marked_and_not_unmarked_by_that(hub: Hub) -> None:
    created = "2026-11-01T00:00:00Z"
    hub.pull(4, hub.git("rev-parse", "main"), paths=LEAF, created_at=created)
    reported(hub, 4, "check=1 checks=fail")
    here = GitHub(open_client())
    sweep(here, "taxonomy", datetime(2026, 11, 10, tzinfo=UTC))
    assert "stale" not in hub.labels(4)
    for day in (25, 26):
        sweep(here, "taxonomy", datetime(2026, 11, day, tzinfo=UTC))
        assert "stale" in hub.labels(4)
    assert "It stays open" in hub.said(4)[-1]
    assert len(hub.said(4)) == 2
    hub.add_comment(4, "ada", "I am on it.")["created_at"] = "2026-11-26T09:00:00Z"
    sweep(here, "taxonomy", datetime(2026, 11, 27, tzinfo=UTC))
    assert "stale" not in hub.labels(4)


SUBJECTS = {
    "tides": "tides of the sea, the pull of the moon on the ocean, spring tides and neap tides",
    "volcanoes": "volcanoes, magma and lava, eruptions of ash from a crater, basalt flows",
    "bees": "honey bees, hives and swarms, the queen, nectar and pollen, the waggle dance",
    "printing": "printing presses, movable type, Gutenberg, ink on paper, early books",
    "chess": "chess openings, gambits, the knight and the bishop, endgames, checkmate",
}
ALONE = (
    "sourdough bread|marathon running|roman roads|piano tuning|desert foxes|suspension bridges|glass "
    "blowing|tax forms|origami cranes|coral reefs|steam engines|wheat farming|jazz trumpets|alpine "
    "glaciers|copper mines|silk weaving|radio waves|penguin colonies|cheese caves|polar ships|water "
    "clocks|kite fighting|bamboo flutes|salt marshes|opera costumes"
).split("|")


def fifty(hub: Hub) -> dict[int, str]:
    """25 pull requests on five subjects, five each, and 25 on one subject each; subject by number."""
    head = hub.git("rev-parse", "main")
    subjects: dict[int, str] = {}
    for number in range(1, 51):
        at = (number - 1) // 2
        name = list(SUBJECTS)[at % 5] if number % 2 else ALONE[at]
        words = SUBJECTS.get(name, f"{name}, case {number}").split(", ")
        body = ", ".join(words[at % 2 :] + words[: at % 2])
        folder = name.replace(" ", "_")
        path = f"taxonomy/knowledge/unsorted/{folder}_{number}/qna.yaml"
        created = f"2026-10-{1 + number % 28:02}T00:00:00Z"
        hub.pull(number, head, title=f"About {name}", body=body, paths=[path], created_at=created)
        checks = "fail" if number % 7 == 0 else "pass"
        reported(
            hub, number, f"check=1 checks={checks} known={number % 10} asked=10 seeds={number}"
        )
        subjects[number] = name
    return subjects


def test_the_queue_of_fifty_pull_requests_with_five_clusters(
    hub: Hub, graft: Graft, tmp_path: Path
) -> None:
    subjects = fifty(hub)
    code, out, _ = graft("queue", "--format", "json")
    assert code == 0
    data = json.loads(out)
    assert violations(data, "queue") == []
    rows = data["queue"]
    assert len(rows) == 50
    clusters: dict[int, set[int]] = {}
    for row in rows:
        clusters.setdefault(row["cluster"], set()).add(row["number"])
    alone = clusters.pop(0)
    assert len(alone) == 25
    wanted = [{n for n, name in subjects.items() if name == subject} for subject in SUBJECTS]
    assert sorted(clusters.values(), key=min) == sorted(wanted, key=min)
    # Those of one subject stand together; the first of all passed its checks and teaches most.
    order = [row["cluster"] for row in rows if row["cluster"]]
    assert len([at for at in range(1, 25) if order[at] != order[at - 1]]) == 4
    assert rows[0]["checks"] == "pass"
    assert rows[0]["gain"] >= 0.9
    loose = [row for row in rows if not row["cluster"]]
    fails = [at for at, row in enumerate(loose) if row["checks"] == "fail"]
    assert fails == list(range(len(loose) - len(fails), len(loose)))
    _, table, _ = graft("queue")
    assert len(table.splitlines()) == 52
