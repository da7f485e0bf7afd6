"""Workflows one after the other, offline: from a form to a preview told on its pull request, and of mends.

Real: the workflows' files, Git, every command, a tiny model. Stood in for: GitHub's REST API, over HTTP.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.actions import Forge, Ran, forge
from tests.support.commands import edit
from tests.support.flow import ROOT, Site, add_tower, new_site, zero_site
from tests.support.flow import TOWER as SPIRE
from tests.support.github import Hub, at_github
from tests.support.github_reviews import accept

FORMS = ".github/ISSUE_TEMPLATE"
_LEAF = "docs/examples/taxonomy/knowledge/engineering/lighthouses/eddystone_lighthouse"
TOWER = (ROOT / _LEAF / "eddystone_lighthouse.md").read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    shutil.copytree(ROOT / FORMS, made.repo.path / FORMS)
    made.repo.commit("The forms")
    return made


@pytest.fixture
def place(tmp_path: Path, site: Site) -> Forge:
    found = forge(tmp_path, site.path / "repo")
    found.variables["GRAFT_RECIPE"] = str(site.recipe)
    found.variables["GRAFT_TARGET"] = f"folder:{site.path / 'releases'}"
    return found


def body(kind: str, **values: str) -> str:
    """An issue as GitHub writes it down from a form that was filled in."""
    fields = yaml.safe_load((ROOT / FORMS / f"{kind}.yml").read_text("utf-8"))["body"]
    given = {"dco": "- [X] I wrote this.", **values}
    return "\n\n".join(
        f"### {one['attributes']['label']}\n\n{given.get(one['id'], '_No response_')}"
        for one in fields
    )


def succeeded(ran: Ran, *jobs: str) -> None:
    for name in jobs:
        assert ran.jobs[name].result == "success", ran.jobs[name].said


@pytest.mark.slow
def test_from_a_form_to_a_preview(site: Site, place: Forge, hub: Hub) -> None:
    text = body(
        "knowledge",
        title="The tower of Ulvadal",
        document=TOWER,
        source="Ada Lovelace, https://example.org/tower",
        licence="CC-BY-SA-4.0",
    )
    issue = hub.issue(5, text, "ada", labels=[{"name": "contribution"}, {"name": "knowledge"}])
    ran = place.run("contribute.yml", "issues", {"action": "opened", "issue": issue})
    succeeded(ran, "leaf")
    assert len(hub.pulls) == 1, (ran.jobs["leaf"].said, hub.comments)
    (number,) = hub.pulls
    assert f"#{number}" in hub.said(5)[0]

    pull: dict[str, Any] = hub.pulls[number]
    sha = pull["head"]["sha"]
    hub.git("update-ref", f"refs/pull/{number}/head", sha)
    ran = place.run("validate.yml", "pull_request", opened(place, number, sha))
    succeeded(ran, "leaves")

    done = finished(ran, pull)
    ran = place.run("report.yml", "workflow_run", done)
    succeeded(ran, "comment")
    assert any("**Check**: 1 leaves" in said for said in hub.said(number))
    assert "needs-author" in hub.labels(number) or "needs-review" in hub.labels(number)

    ran = asked(place, number, "mallory")
    assert ran.jobs["asked"].outputs == {"command": "", "heads": ""}
    assert ran.jobs["preview"].result == "skipped"

    hub.permissions["rita"] = "write"
    ran = asked(place, number, "rita")
    assert ran.jobs["asked"].outputs == {"command": "preview", "heads": f"{number}:{sha}"}
    succeeded(ran, "asked", "preview", "tell")
    assert len([said for said in hub.said(number) if "**Check**" in said]) == 1
    assert any("token F1" in said or "Verdict" in said for said in hub.said(number))


def test_a_leaf_is_mended_by_clicks(tmp_path: Path) -> None:
    """validate finds it badly laid out, report suggests, GitHub's button makes commits: validate passes."""
    site = new_site(tmp_path / "site")
    place = forge(tmp_path, site.path / "repo")
    site.repo.branch("ada")
    add_tower(site.taxonomy)
    assert site.graft("fix").returncode == 0
    site.repo.git("checkout", "--quiet", "--", "taxonomy")  # the others' layout is not this one's
    file = site.taxonomy / SPIRE / "qna.yaml"
    sound = file.read_bytes()
    edit(file, "seed_examples:", "seed_examples:   ")
    file.write_bytes(file.read_bytes() + b"\n\n")
    with at_github(place) as hub:

        def pushed() -> dict[str, Any]:
            sha = site.repo.commit("A leaf\n\nSigned-off-by: Ada Lovelace <ada@example.org>\n")
            site.repo.git("push", "--quiet", str(place.origin), f"+{sha}:refs/pull/7/head")
            pull = hub.pulls.get(7) or hub.pull(7, sha)
            pull["head"]["sha"] = sha
            hub.diff(7)
            return opened(place, 7, sha)

        ran = place.run("validate.yml", "pull_request", pushed())
        assert ran.jobs["leaves"].result == "failure"
        done = finished(ran, hub.pulls[7], "failure")
        succeeded(place.run("report.yml", "workflow_run", done), "comment")
        assert "2 places can be mended by a click" in hub.said(7)[0]
        assert "needs-author" in hub.labels(7)
        for path, data in accept(hub, 7).items():
            site.repo.write(path, data)
        assert file.read_bytes() == sound
        ran = place.run("validate.yml", "pull_request", pushed())
        succeeded(ran, "leaves")
        succeeded(place.run("report.yml", "workflow_run", finished(ran, hub.pulls[7])), "comment")
        assert "mended by a click" not in hub.said(7)[0]
        assert "needs-review" in hub.labels(7)
        assert len(hub.reviews[7]) == 1


def opened(place: Forge, number: int, sha: str) -> dict[str, Any]:
    head, base = {"sha": sha, "ref": "x"}, {"sha": place.main(), "ref": "main"}
    return {"number": number, "pull_request": {"number": number, "head": head, "base": base}}


def finished(ran: Ran, pull: dict[str, Any], conclusion: str = "success") -> dict[str, Any]:
    """What GitHub tells when validate.yml has ended."""
    owner = pull["head"]["repo"]["full_name"].split("/")[0]
    return {
        "action": "completed",
        "workflow_run": {
            "id": ran.number,
            "run_attempt": 1,
            "event": "pull_request",
            "head_sha": pull["head"]["sha"],
            "head_branch": pull["head"]["ref"],
            "head_repository": {"owner": {"login": owner}},
            "conclusion": conclusion,
        },
    }


def asked(place: Forge, number: int, login: str) -> Ran:
    event = {
        "action": "created",
        "comment": {"id": 1, "body": "/graft preview", "user": {"login": login}},
        "issue": {"number": number, "pull_request": {"url": "https://api.github.com/x"}},
    }
    return place.run("preview.yml", "issue_comment", event)
