"""`graft github released`: merged pull requests hear of their release, once; a culprit gets an issue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.github.conftest import Graft
from tests.github.test_comment import EVALUATION, LEAF
from tests.support.flow import zero_site
from tests.support.github import Hub


@pytest.fixture
def night(hub: Hub, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's small files, with a real manifest that now speaks of this repository's commit."""
    made = zero_site(tmp_path_factory.getbasetemp())
    manifest = json.loads(next(made.path.rglob("manifest.json")).read_bytes())
    head = hub.git("rev-parse", "main")
    folder = tmp_path / "told"
    for name, data in (
        ("release/manifest.json", {**manifest, "taxonomy_commit": head}),
        ("plan.json", {"learn": [LEAF]}),
        ("evaluation/evaluation.json", EVALUATION),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(data), encoding="utf-8")
    hub.pull(5, "d" * 40, state="closed", merged_at="2026-11-02T00:00:00Z")
    hub.pull(6, "e" * 40)  # open, at the same commit: not merged
    hub.commits[head] = [5, 6]
    return folder


def test_each_merged_pull_request_is_told_once(hub: Hub, graft: Graft, night: Path) -> None:
    for _ in range(2):
        code, _, err = graft("released", "--run", str(night))
        assert code == 0, err
    [said] = hub.said(5)
    assert "token F1 0.25 → 0.75 over 12 questions" in said
    assert "graft chat --release" in said
    assert not hub.said(6)


def test_a_leaf_that_was_left_out_gets_one_issue(hub: Hub, graft: Graft, night: Path) -> None:
    told = {"culprits": [{"leaf": LEAF, "reason": "The panel fell by 0.09 @with it."}]}
    (night / "culprits.json").write_text(json.dumps(told), encoding="utf-8")
    for _ in range(2):
        code, _, err = graft("released", "--run", str(night))
        assert code == 0, err
    [issue] = [one for one in hub.issues.values() if one["title"].startswith("Left out")]
    assert "came with #5" in issue["body"]
    assert "@with" not in issue["body"]
    assert not hub.said(5)


def test_a_damaged_file_is_one_sentence(hub: Hub, graft: Graft, night: Path) -> None:
    (night / "culprits.json").write_text('{"culprits": [{"leaf": "../x"}]}', encoding="utf-8")
    code, _, err = graft("released", "--run", str(night))
    assert code == 1
    assert "does not hold to schema/culprits.json" in err
    assert not hub.said(5)
