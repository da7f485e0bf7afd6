"""`graft github released`: merged pull requests hear of their release, once; a culprit gets an issue."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.github.conftest import Graft
from tests.github.test_comment import EVALUATION, LEAF
from tests.support.flow import zero_site
from tests.support.github import Hub
from tests.support.github_releases import new_release


@pytest.fixture
def night(hub: Hub, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's small files, with a real manifest that now speaks of this repository's commit."""
    made = zero_site(tmp_path_factory.getbasetemp())
    manifest = json.loads(next(made.path.rglob("manifest.json")).read_bytes())
    head = hub.git("rev-parse", "main")
    folder = tmp_path / "told"
    (folder / "report").mkdir(parents=True)
    (folder / "report/report.md").write_text("The report, with ![a](b).\n", encoding="utf-8")
    (folder / "report/report.html").write_text("<!doctype html>\n", encoding="utf-8")
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
    [said] = hub.said(5)
    assert "was left out of the release" in said
    assert f"is in #{issue['number']}." in said
    assert "To try it" not in said


def release_in(night: Path) -> tuple[str, bytes]:
    data = (night / "release/manifest.json").read_bytes()
    return f"model/{json.loads(data)['release']}", data


def test_a_release_is_tagged_and_made_once(hub: Hub, graft: Graft, night: Path) -> None:
    name, manifest = release_in(night)
    for _ in range(2):
        code, _, err = graft("released", "--run", str(night))
        assert code == 0, err
    tag = hub.git("cat-file", "tag", f"refs/tags/{name}")
    assert tag.startswith(f"object {hub.git('rev-parse', 'main')}\ntype commit\ntag {name}\n")
    assert tag.endswith(f"\nmanifest.json: sha256:{sha256(manifest).hexdigest()}")
    [release] = hub.releases.values()
    assert release["body"] == "The report, with ![a](b).\n"
    assert hub.uploaded == {"manifest.json": manifest, "report.html": b"<!doctype html>\n"}
    assert hub.counted("POST", "/assets") == 2


def test_what_was_stopped_between_is_finished(hub: Hub, graft: Graft, night: Path) -> None:
    """The tag stands, and so does a release with half of a file: the rest is made, the tag not moved."""
    name, manifest = release_in(night)
    hub.git("tag", name, "main")
    made = new_release(hub, {"tag_name": name, "name": name, "body": "as it was"})
    made["assets"].append({"id": 1, "name": "manifest.json", "state": "starter", "size": 0})
    code, _, err = graft("released", "--run", str(night))
    assert code == 0, err
    assert hub.git("cat-file", "-t", f"refs/tags/{name}") == "commit"
    assert made["body"] == "as it was"
    assert [one["state"] for one in made["assets"]] == ["uploaded"] * 2
    assert hub.uploaded["manifest.json"] == manifest


def test_notes_beyond_what_github_takes_are_cut(hub: Hub, graft: Graft, night: Path) -> None:
    (night / "report/report.md").write_text("A line of the report.\n" * 9000, encoding="utf-8")
    assert graft("released", "--run", str(night))[0] == 0
    [release] = hub.releases.values()
    assert release["body"].endswith("of the report.\n\n… (the rest is in report.html)\n")


def test_files_go_to_no_other_host(hub: Hub, graft: Graft, night: Path) -> None:
    name, _ = release_in(night)
    elsewhere = "https://uploads.example.org/assets{?name,label}"
    new_release(hub, {"tag_name": name, "name": name, "body": ""})["upload_url"] = elsewhere
    code, _, err = graft("released", "--run", str(night))
    assert code == 1
    assert "the token is not sent there" in err
    assert not hub.uploaded


def test_a_damaged_file_is_one_sentence(hub: Hub, graft: Graft, night: Path) -> None:
    (night / "culprits.json").write_text('{"culprits": [{"leaf": "../x"}]}', encoding="utf-8")
    code, _, err = graft("released", "--run", str(night))
    assert code == 1
    assert "does not hold to schema/culprits.json" in err
    assert not hub.said(5)
