"""`graft github comment`: one comment for each pull request, from an artifact that may be a lie."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.github.results import read_results
from tests.github.conftest import Graft
from tests.report.test_injections import ALLOWED, HIDDEN, LIVE
from tests.report.test_injections import github as rendered
from tests.support.github import BOT, Hub
from tests.support.injections import INJECTIONS

HEAD, OTHER = "a" * 40, "b" * 40
LEAF = "knowledge/earth/rivers/danube"
PATHS = [f"taxonomy/{LEAF}/qna.yaml", f"taxonomy/{LEAF}/attribution.txt"]
CHANGES = {
    "base": OTHER,
    "head": HEAD,
    "changes": [
        {
            "leaf": LEAF,
            "kind": "knowledge",
            "status": "added",
            "previous_leaf": None,
            "seeds": {"added": ["0123456789abcdef"], "removed": [], "changed": []},
            "invalidates": "data",
        }
    ],
}
SCORES = {"exact_match": 0.1, "token_f1": 0.25}
EVALUATION = {
    "verdict": "PASS",
    "reasons": ["The changed leaves are better."],
    "margin": 0.05,
    "leaves": [
        {
            "leaf": LEAF,
            "role": "changed",
            "items": 12,
            "leaked": 0,
            "base": SCORES,
            "previous": SCORES,
            "candidate": {"exact_match": 0.5, "token_f1": 0.75},
            "difference": 0.5,
            "interval": [0.4, 0.6],
            "p_value": 0.01,
            "verdict": "improved",
        }
    ],
    "changed": None,
    "panel": None,
}


def findings(*messages: str, severity: str = "error", rule: str = "schema") -> dict[str, Any]:
    told = [
        {
            "rule": rule,
            "severity": severity,
            "path": PATHS[0],
            "line": 3,
            "column": 1,
            "message": message,
            "hint": "",
        }
        for message in messages
    ]
    return {"checked": 1, "findings": told}


def precheck(known: int, asked: int) -> dict[str, Any]:
    item = {"leaf": LEAF, "question": "How long is it?", "reference": "2,850 km"}
    return {
        "release": "r1",
        "questions": [
            {"item": item, "answer": "long", "scores": {"token_f1": 0.0}, "known": n < known}
            for n in range(asked)
        ],
    }


def artifact(folder: Path, **files: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / f"{name}.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


def finished(head: str = HEAD, run: int = 7, **more: Any) -> dict[str, Any]:
    """A `workflow_run` payload, as for a fork: GitHub leaves its pull_requests empty."""
    told = {
        "id": run,
        "run_attempt": 1,
        "name": "validate",
        "event": "pull_request",
        "head_sha": head,
        "head_branch": "work-5",
        "head_repository": {"full_name": "ada/garden", "owner": {"login": "ada"}},
        "conclusion": "success",
        "pull_requests": [],
    }
    return {"action": "completed", "workflow_run": {**told, **more}}


@pytest.fixture
def pulled(hub: Hub) -> Hub:
    """One pull request, number 5, at a commit that the repository has."""
    global HEAD
    HEAD = hub.git("rev-parse", "main")
    hub.pull(5, HEAD, paths=PATHS)
    return hub


def test_checks_and_preview_share_one_comment_and_set_labels(
    pulled: Hub, graft: Graft, tmp_path: Path
) -> None:
    folder = artifact(
        tmp_path / "report", findings=findings(), changes=CHANGES, precheck=precheck(1, 4)
    )
    code, out, _ = graft("comment", "--report", str(folder), event=finished(HEAD))
    assert code == 0, out
    [said] = pulled.said(5)
    assert "✅ **Check**: 1 leaves, 0 errors" in said
    assert "answers 1 of 4 new questions" in said
    assert pulled.labels(5) == {"knowledge", "area:earth", "needs-review", "preview-ready"}
    assert pulled.check_runs[-1]["conclusion"] == "success"
    assert pulled.check_runs[-1]["head_sha"] == HEAD

    preview = artifact(tmp_path / "preview", evaluation=EVALUATION)
    event = {"action": "created", "comment": {}, "issue": {"number": 5, "pull_request": {}}}
    os.environ.update(HEADS=f"5:{HEAD}", GITHUB_RUN_ID="8")
    try:
        graft("comment", "--report", str(preview), event=event)
    finally:
        del os.environ["HEADS"], os.environ["GITHUB_RUN_ID"]
    [said] = pulled.said(5)
    assert "**Preview: PASS**" in said
    assert "0.25 | 0.75 | +0.50 (+0.40 to +0.60) | 12" in said
    assert "✅ **Check**" in said
    assert len(pulled.check_runs) == 1


def test_an_older_run_and_an_older_commit_write_nothing(
    pulled: Hub, graft: Graft, tmp_path: Path
) -> None:
    sound = artifact(tmp_path / "sound", findings=findings())
    bad = artifact(tmp_path / "bad", findings=findings("It is wrong."))
    graft("comment", "--report", str(bad), event=finished(HEAD, 9, conclusion="failure"))
    before = pulled.said(5)
    assert "It is wrong." in before[0]
    assert "needs-author" in pulled.labels(5)
    assert "a newer run" in graft("comment", "--report", str(sound), event=finished(HEAD, 8))[1]
    assert (
        "No open pull request" in graft("comment", "--report", str(sound), event=finished(OTHER))[1]
    )
    assert pulled.said(5) == before
    # A second attempt of the same run is newer.
    again = finished(HEAD, 9, run_attempt=2)
    graft("comment", "--report", str(sound), event=again)
    assert "0 errors" in pulled.said(5)[0]
    assert len(pulled.said(5)) == 1


def test_the_comment_is_found_on_a_later_page_and_by_its_author(
    pulled: Hub, graft: Graft, tmp_path: Path
) -> None:
    folder = artifact(tmp_path / "report", findings=findings())
    pulled.page_size = 3
    forged = f"<!-- graft:report head={HEAD} check=99999999 checks=pass -->\nAll is well."
    for _ in range(7):
        pulled.add_comment(5, "mallory", forged)
    # Ours that quotes such a line further down is no such comment either.
    pulled.add_comment(5, BOT, f"You wrote:\n{forged}")
    graft("comment", "--report", str(folder), event=finished(HEAD))
    graft("comment", "--report", str(folder), event=finished(HEAD, 8))
    assert pulled.said(5, "mallory") == [forged] * 7
    assert len(pulled.said(5)) == 2


def test_a_pull_request_of_another_branch_name_is_found_by_its_commit(
    pulled: Hub, graft: Graft, tmp_path: Path
) -> None:
    folder = artifact(tmp_path / "report", findings=findings())
    event = finished(HEAD, head_branch="main&head=x", head_repository=None)
    assert "#5: the comment" in graft("comment", "--report", str(folder), event=event)[1]


@pytest.mark.parametrize("name", INJECTIONS)
def test_hostile_text_of_an_artifact_does_nothing(
    pulled: Hub, graft: Graft, tmp_path: Path, name: str
) -> None:
    text = INJECTIONS[name]
    told = findings(*([text[:2000]] * 3))
    told["findings"][0]["path"] = told["findings"][1]["hint"] = text[:2000]
    changes = {**CHANGES, "changes": [{**CHANGES["changes"][0], "leaf": f"knowledge/{text[:500]}"}]}
    pre = precheck(0, 2)
    pre["questions"][0]["answer"] = pre["questions"][1]["item"]["question"] = text
    evaluation = json.loads(json.dumps(EVALUATION))
    evaluation["reasons"] = [text[:5000]]
    evaluation["leaves"][0]["leaf"] = text[:500]
    folder = artifact(
        tmp_path / "report", findings=told, changes=changes, precheck=pre, evaluation=evaluation
    )
    code, out, err = graft("comment", "--report", str(folder), event=finished(HEAD))
    assert (code, err) == (0, "")
    assert not any(line.startswith("::") for line in out.splitlines())
    [said] = pulled.said(5)
    marks = [line for line in said.splitlines() if "<!--" in line]
    assert len(marks) <= 5
    assert all(mark.startswith(("<!-- graft:report ", "<!-- part:")) for mark in marks)
    page = rendered(said)
    assert set(page.found) <= ALLOWED
    assert len(page.comments) == len(marks)
    assert not LIVE.search(page.outside)
    assert not HIDDEN.search(said)
    assert not [line for line in said.splitlines() if line.lstrip().startswith("::")]
    assert len(said) <= 65_536


def test_what_is_no_artifact_is_left_out_and_said(
    pulled: Hub, graft: Graft, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(findings("a secret")), encoding="utf-8")
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "findings.json").symlink_to(secret)
    os.mkfifo(folder / "precheck.json")
    (folder / "changes.json").write_text('{"number": 1, "issue": 99}', encoding="utf-8")
    with (folder / "evaluation.json").open("wb") as file:
        file.truncate(1 << 30)  # a gigabyte that takes no room here
    (folder / "inner").symlink_to(tmp_path)
    results = read_results(folder)
    assert dict(results.read) == {}
    assert len(results.refused) == 4
    code, _, err = graft("comment", "--report", str(folder), event=finished(HEAD))
    assert (code, err) == (0, "")
    [said] = pulled.said(5)
    assert "ended before the leaves were checked" in said
    assert "larger than 8 MB" in said
    assert set(pulled.comments) == {5}
    assert pulled.check_runs[-1]["conclusion"] == "failure"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"checked": NaN, "findings": []}', "\xff", ""])
def test_json_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "findings.json").write_text(text, encoding="latin-1")
    assert dict(read_results(tmp_path).read) == {}


def test_a_missing_artifact_is_told(pulled: Hub, graft: Graft, tmp_path: Path) -> None:
    event = finished(HEAD, conclusion="failure")
    assert graft("comment", "--report", str(tmp_path / "none"), event=event)[0] == 0
    assert "ended before" in pulled.said(5)[0]
