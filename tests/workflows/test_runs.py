"""The workflows' jobs run for real, offline, on a small taxonomy: what they do, and what a stranger gains."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipelines.release.signing import check
from pipelines.release.targets import open_target
from tests.support.actions import Forge, Ran, forge
from tests.support.commands import edit
from tests.support.flow import MILL, TOWER, Site, add_tower, new_site, zero_site
from tests.support.keys import pair

SIGNED = "A leaf\n\nSigned-off-by: Ada Lovelace <ada@example.org>\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = new_site(tmp_path / "site")
    made.repo.branch("stranger")
    return made


@pytest.fixture
def hub(tmp_path: Path, site: Site) -> Forge:
    found = forge(tmp_path, site.path / "repo")
    found.variables["GRAFT_RECIPE"] = str(site.recipe)
    return found


def pushed(site: Site, hub: Forge, number: int = 7, message: str = SIGNED) -> dict[str, Any]:
    """The pull request that the work tree makes, as GitHub tells of it; its commits are there."""
    sha = site.repo.commit(message)
    site.repo.git("push", "--quiet", str(hub.origin), f"+HEAD:refs/pull/{number}/head")
    return {
        "action": "opened",
        "number": number,
        "pull_request": {
            "number": number,
            "title": "$(touch /tmp/pwned)",
            "head": {"sha": sha, "ref": "x`id`"},
            "base": {"sha": hub.main(), "ref": "main"},
        },
    }


def validated(hub: Forge, event: Mapping[str, Any]) -> tuple[Ran, Path]:
    ran = hub.run("validate.yml", "pull_request", event)
    return ran, ran.artifacts / "report"


def test_a_sound_leaf_is_validated(site: Site, hub: Forge) -> None:
    add_tower(site.taxonomy)
    assert site.graft("fix").returncode == 0
    site.repo.git("checkout", "--quiet", "--", "taxonomy")  # the others' layout is not this one's
    ran, report = validated(hub, pushed(site, hub))
    assert ran.jobs["leaves"].result == "success", ran.jobs["leaves"].said
    assert json.loads((report / "findings.json").read_bytes()) == {"checked": 1, "findings": []}
    changes = json.loads((report / "changes.json").read_bytes())["changes"]
    assert [(one["leaf"], one["status"]) for one in changes] == [(TOWER, "added")]
    assert sorted(path.name for path in report.iterdir()) == [
        *("changes.json", "findings.json", "fix.diff")
    ]


def test_a_faulty_one_fails_with_annotations_where_github_shows_them(
    site: Site, hub: Forge
) -> None:
    add_tower(site.taxonomy)
    edit(site.taxonomy / TOWER / "qna.yaml", "seed_examples:", "seed_examples:   ")
    (site.taxonomy / TOWER / "attribution.txt").unlink()
    ran, report = validated(hub, pushed(site, hub, message="A leaf"))
    assert ran.jobs["leaves"].result == "failure"
    assert f"::error file=taxonomy/{TOWER}/qna.yaml,line=" in ran.jobs["leaves"].said
    found = json.loads((report / "findings.json").read_bytes())["findings"]
    assert {one["rule"] for one in found} >= {"attribution", "sign-off"}
    assert f"+++ b/taxonomy/{TOWER}/qna.yaml" in (report / "fix.diff").read_text("utf-8")


def test_a_hostile_pull_request_runs_nothing_and_is_told(
    site: Site, hub: Forge, tmp_path: Path
) -> None:
    """File names, a link, another Makefile, policy and code: data of a commit, and never on a disk."""
    trap = tmp_path / "pwned"
    add_tower(site.taxonomy)
    secret = tmp_path / "secret"
    secret.write_text("abracadabra")
    (site.taxonomy / MILL / "qna.yaml").unlink()
    (site.taxonomy / MILL / "qna.yaml").symlink_to(secret)
    names = [f"$(touch {trap.name})", "a\n::set-output name=head::main", "--upload-pack=x", "`id`"]
    for name in names:
        shutil.copytree(site.taxonomy / TOWER, site.taxonomy / "knowledge" / "odd" / name)
    touch = f"import pathlib; pathlib.Path({str(trap)!r}).touch()\n"
    for file in ("conftest.py", "pipelines/__init__.py", "sitecustomize.py", "yaml.py"):
        site.repo.write(file, touch)
    site.repo.write("Makefile", f"setup:\n\ttouch {trap}\n")
    site.repo.write(".ci/fetch-heads", f"#!/bin/sh\ntouch {trap}\n")
    site.repo.write("graft.yaml", "exceptions: [{rule: file-name, path: '**', reason: mine}]\n")
    ran, report = validated(hub, pushed(site, hub))
    assert ran.jobs["leaves"].result == "failure"
    assert not trap.exists()
    assert not list(ran.jobs["leaves"].folder.rglob("$(touch*"))
    said = ran.jobs["leaves"].said
    assert "abracadabra" not in said
    assert "\n::set-output" not in said
    found = json.loads((report / "findings.json").read_bytes())["findings"]
    assert any("a link" in one["message"] for one in found)
    assert any(one["rule"] == "file-name" for one in found)
    assert "no regular file" in said
    assert not (ran.jobs["leaves"].folder / "tree" / "conftest.py").exists()


def test_a_head_that_moved_on_is_not_taken(site: Site, hub: Forge) -> None:
    add_tower(site.taxonomy)
    event = pushed(site, hub)
    site.repo.write("more.txt", "x\n")
    pushed(site, hub)
    ran, report = validated(hub, event)
    assert ran.jobs["leaves"].result == "failure"
    assert "#7 has moved on" in ran.jobs["leaves"].said
    assert not report.exists()


@pytest.mark.parametrize("heads", ["7:main", "7:$(id)", "x:" + "0" * 40, "7 8"])
def test_heads_are_numbers_and_shas(site: Site, hub: Forge, heads: str) -> None:
    ran = hub.run("preview.yml", "workflow_dispatch", {}, {"heads": heads})
    assert ran.jobs["preview"].result == "failure"
    assert "HEADS wants NUMBER:SHA" in ran.jobs["preview"].said


def test_the_last_release_is_asked_and_a_night_of_no_change_ends_with_its_plan(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = zero_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")
    hub = forge(tmp_path, site.path / "repo")
    hub.variables["GRAFT_RECIPE"] = str(site.recipe)
    hub.variables["GRAFT_TARGET"] = f"folder:{site.path / 'releases'}"
    ran = night(hub)
    assert ran.jobs["plan"].outputs == {"action": "nothing"}, ran.jobs["plan"].said
    assert [ran.jobs[name].result for name in ("build", "again")] == ["skipped"] * 2

    site.repo.branch("stranger")
    add_tower(site.taxonomy)
    ran, report = validated(hub, pushed(site, hub))
    asked = json.loads((report / "precheck.json").read_bytes())
    assert {one["item"]["leaf"] for one in asked["questions"]} == {TOWER}
    assert json.loads((report / "costs.json").read_bytes())


def night(hub: Forge, **inputs: str) -> Ran:
    only = frozenset({"plan", "build"})
    return hub.run("nightly.yml", "schedule", {"schedule": "23 1 * * *"}, inputs, only)


def test_a_night_without_a_target_does_nothing(site: Site, hub: Forge) -> None:
    ran = night(hub)
    assert {name: job.result for name, job in ran.jobs.items()} == dict.fromkeys(
        ("plan", "build", "again", "tell"), "skipped"
    )


@pytest.mark.slow
def test_nights_release_what_was_merged_and_previews_show_what_would_be(
    site: Site, hub: Forge, tmp_path: Path
) -> None:
    """Release zero; a preview of two pull requests at once; one is merged; the next night; a quiet one."""
    hub.variables["GRAFT_TARGET"] = f"folder:{tmp_path / 'releases'}"
    private, public = pair(tmp_path, "night")
    hub.variables["GRAFT_SIGN"] = private
    ran = night(hub)
    assert ran.jobs["build"].result == "success", ran.jobs["build"].said
    first = ran.jobs["build"].outputs["release"]
    assert ran.jobs["build"].outputs["outcome"] == "released"
    told = ran.artifacts / "told"
    manifest = told / "release" / "manifest.json"
    assert manifest.read_bytes() == (tmp_path / "releases" / first / "manifest.json").read_bytes()
    assert check(open_target(hub.variables["GRAFT_TARGET"]), first, public).good
    assert (told / "report" / "report.md").is_file()

    add_tower(site.taxonomy)
    one = pushed(site, hub)["pull_request"]["head"]["sha"]
    site.repo.branch("other", "main")
    edit(site.taxonomy / MILL / "qna.yaml", "1720", "1721")
    two = pushed(site, hub, 8)["pull_request"]["head"]["sha"]
    heads = {"heads": f"7:{one} 8:{two}"}
    ran = hub.run("preview.yml", "workflow_dispatch", {}, heads)
    assert ran.jobs["preview"].result == "success", ran.jobs["preview"].said
    assert [ran.jobs[name].result for name in ("asked", "precheck", "tell")] == ["skipped"] * 3
    found = json.loads((ran.artifacts / "report/evaluation/evaluation.json").read_bytes())
    changed = {leaf["leaf"] for leaf in found["leaves"] if leaf["role"] == "changed"}
    assert changed == {TOWER, MILL}
    assert list((tmp_path / "releases").glob("*/manifest.json"))
    assert not (ran.jobs["preview"].folder / "tree" / "taxonomy" / TOWER).exists()

    subprocess.run(["git", "update-ref", "refs/heads/main", one], cwd=hub.origin, check=True)
    ran = night(hub)
    assert ran.jobs["build"].outputs["outcome"] == "released", ran.jobs["build"].said
    second = ran.jobs["build"].outputs["release"]
    assert second != first
    released = json.loads((ran.artifacts / "told/release/manifest.json").read_bytes())
    assert released["previous"] == first
    assert TOWER in released["leaves"]

    ran = night(hub)
    assert ran.jobs["plan"].outputs == {"action": "nothing"}
    assert ran.jobs["build"].result == "skipped"
