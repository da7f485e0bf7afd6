"""From which run of a workflow a night may go on."""

from __future__ import annotations

import pytest

from tests.github.conftest import Graft
from tests.support.github import Hub


@pytest.fixture(autouse=True)
def this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_RUN_ID", "12")


@pytest.mark.parametrize("event", ["schedule", "workflow_dispatch"])
def test_a_night_on_this_branch_may_be_gone_on_from(hub: Hub, graft: Graft, event: str) -> None:
    hub.runs[11] = {"event": event}
    code, said, _ = graft("resumable", "--run-id", "11")
    assert (code, said) == (0, "11 is a run of this workflow on this branch.\n")


@pytest.mark.parametrize(
    "other",
    [
        {"workflow_id": 2},  # any workflow may leave an artifact called night
        {"head_branch": "ada"},
        {"event": "pull_request"},
        {"event": "push"},
        {"event": "pull_request", "head_repository": {"id": 2}},
        {"head_repository": {"id": 2}},
        {"head_repository": None},
    ],
)
def test_no_other_may(hub: Hub, graft: Graft, other: dict[str, object]) -> None:
    hub.runs[11] = other
    code, _, said = graft("resumable", "--run-id", "11")
    assert code == 1
    assert "Run 11 is no run of this workflow on this branch" in said
