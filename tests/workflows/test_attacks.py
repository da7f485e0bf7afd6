"""A pull request of thousands of leaves, and an artifact that lies, put through validate and report."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.actions import Forge, Ran, forge
from tests.support.flow import Site, new_site
from tests.support.github import Hub
from tests.support.repositories import skill_leaf

WORD = "WORD"
SIGNED = "A flood\n\nSigned-off-by: Ada Lovelace <ada@example.org>\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return new_site(tmp_path / "site")


@pytest.fixture
def place(tmp_path: Path, site: Site) -> Forge:
    """A target is named, so that precheck and costs are asked for too."""
    found = forge(tmp_path, site.path / "repo")
    found.variables["GRAFT_RECIPE"] = str(site.recipe)
    found.variables["GRAFT_TARGET"] = f"folder:{tmp_path / 'releases'}"
    return found


def flood(site: Site, place: Forge, hub: Hub, leaves: int) -> dict[str, Any]:
    """Pull request 7, one commit that adds so many sound leaves; none of them is ever on a disk."""
    made = skill_leaf(
        site.taxonomy,
        "compositional_skills/one",
        seeds=[("", f"How is {WORD}{k} said on the hill?", f"As {WORD}{k} is.") for k in range(5)],
        task=f"Say {WORD}",
    )
    texts = {path.name: path.read_text(encoding="utf-8") for path in made.iterdir()}
    shutil.rmtree(made)
    entries = [
        "commit refs/pull/7/head\ncommitter Ada Lovelace <ada@example.org> 1767225600 +0000\n"
    ]
    entries += [f"data {len(SIGNED)}\n{SIGNED}from refs/heads/main^0\n"]
    for number in range(leaves):
        word = "".join(chr(97 + number // 26**place % 26) * 2 for place in range(4))
        for name, text in texts.items():
            data = text.replace(WORD, word)
            where = f"taxonomy/compositional_skills/flood/{word}/{name}"
            entries.append(f"M 100644 inline {where}\ndata {len(data.encode())}\n{data}\n")
    told = "".join(entries).encode()
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"], cwd=place.origin, input=told, check=True
    )
    return pulled(place, hub)


def pulled(place: Forge, hub: Hub) -> dict[str, Any]:
    """Pull request 7 as GitHub tells of it."""
    sha = hub.git("rev-parse", "refs/pull/7/head")
    names = hub.git("diff", "--name-only", f"main..{sha}").splitlines()
    pull = hub.pull(7, sha, paths=names[:3000])  # GitHub lists no more
    head, base = {"sha": sha, "ref": "work-7"}, {"sha": place.main(), "ref": "main"}
    return {**pull, "head": {**pull["head"], **head}, "base": base}


def validated(place: Forge, pull: dict[str, Any]) -> Ran:
    return place.run("validate.yml", "pull_request", {"number": 7, "pull_request": pull})


def reported(place: Forge, pull: dict[str, Any], run: int, conclusion: str) -> Ran:
    """report.yml on the end of validate's run."""
    told = {
        "id": run,
        "run_attempt": 1,
        "event": "pull_request",
        "head_sha": pull["head"]["sha"],
        "head_branch": pull["head"]["ref"],
        "head_repository": {"owner": {"login": "ada"}},
        "conclusion": conclusion,
    }
    return place.run("report.yml", "workflow_run", {"action": "completed", "workflow_run": told})


def assert_stopped(place: Forge, hub: Hub, pull: dict[str, Any], leaves: str, limit: str) -> None:
    ran = validated(place, pull)
    job = ran.jobs["leaves"]
    assert job.result == "failure"
    sentence = (
        f"{leaves} leaves are touched, and limits.changed_leaves of the policy permits {limit}"
    )
    assert job.said.count(sentence) >= 4  # check, fix, precheck, costs
    report = ran.artifacts / "report"
    found = json.loads((report / "findings.json").read_bytes())
    assert found["checked"] == 0
    assert [one["rule"] for one in found["findings"]] == ["change-size"]
    assert all((report / name).read_bytes() == b"" for name in ("precheck.json", "costs.json"))
    done = reported(place, pull, ran.number, "failure")
    assert done.jobs["comment"].result == "success", done.jobs["comment"].said
    [said] = [said for said in hub.said(7) if "**Check**" in said]
    assert "❌ **Check**: 0 leaves, 1 error" in said
    assert sentence.replace("_", "\\_") in said
    assert "not as they must be" not in said
    assert "needs-author" in hub.labels(7)
    assert hub.check_runs[-1]["conclusion"] == "failure"


def test_more_leaves_than_the_policy_permits_are_not_read(
    site: Site, place: Forge, hub: Hub
) -> None:
    (site.path / "repo" / "graft.yaml").write_text("limits: {changed_leaves: 3}\n", "utf-8")
    site.repo.commit("A limit")
    site.repo.git("push", "--quiet", str(place.origin), "HEAD:main")
    assert_stopped(place, hub, flood(site, place, hub, 4), "4", "3")


@pytest.mark.slow
def test_ten_thousand_leaves_in_one_pull_request(site: Site, place: Forge, hub: Hub) -> None:
    assert_stopped(place, hub, flood(site, place, hub, 10_000), "10,000", "1,000")


def artifact(place: Forge, run: int) -> Path:
    folder = place.scratch / f"artifacts-{run}" / "report"
    folder.mkdir(parents=True)
    return folder


def test_an_artifact_with_a_forged_number_and_a_gigabyte_posts_nowhere_else(
    site: Site, place: Forge, hub: Hub, tmp_path: Path
) -> None:
    """Made by a validate.yml that the pull request changed: nothing in it is what it should be."""
    pull = flood(site, place, hub, 1)
    hub.pull(8, "b" * 40)
    secret = tmp_path / "secret.json"
    secret.write_text('{"checked": 1, "findings": []}', encoding="utf-8")
    lies = artifact(place, 99)
    (lies / "findings.json").write_text('{"checked": 1, "findings": [], "number": 8}', "utf-8")
    (lies / "changes.json").write_text('{"issue": 8, "head": "' + "b" * 40 + '"}', "utf-8")
    (lies / "precheck.json").symlink_to(secret)
    with (lies / "evaluation.json").open("wb") as file:
        file.truncate(1 << 30)
    ran = reported(place, pull, 99, "success")
    assert ran.jobs["comment"].result == "success", ran.jobs["comment"].said
    assert set(hub.comments) == {7}
    [said] = [said for said in hub.said(7) if "**Check**" in said]
    assert "ended before the leaves were checked" in said
    assert "larger than 8 MB" in said
    assert "needs-author" in hub.labels(7)
    assert hub.labels(8) == set()


def test_an_artifact_that_leaves_its_folder_is_none(site: Site, place: Forge, hub: Hub) -> None:
    pull = flood(site, place, hub, 1)
    place_of = artifact(place, 99)
    place_of.rmdir()
    with zipfile.ZipFile(place_of.with_suffix(".zip"), "w") as archive:
        archive.writestr("findings.json", '{"checked": 1, "findings": []}')
        archive.writestr("../tree/graft.yaml", "exceptions: []\n")
        archive.writestr("../code/pipelines/__init__.py", "raise SystemExit('owned')\n")
    ran = reported(place, pull, 99, "success")
    assert ran.jobs["comment"].result == "success", ran.jobs["comment"].said
    assert "owned" not in ran.jobs["comment"].said
    assert not (ran.jobs["comment"].folder / "tree" / "graft.yaml").exists()
    assert any("ended before the leaves were checked" in said for said in hub.said(7))
