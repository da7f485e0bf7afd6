"""Nights run whole, from nightly.yml: to a release on the Hub that is told on GitHub, one that is taken away
twice, and one in which a leaf of eight is harmful.

Real: the workflow's jobs, Git, every command, a tiny model and its exam. Stood in for, over HTTP: GitHub's
REST API, the Hub.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from pipelines.culprits import SPOILS
from pipelines.report.escape import markdown_code
from tests.support.actions import WORKFLOWS, Forge, Ran, forge
from tests.support.expressions import value
from tests.support.flow import (
    TOWER,
    TOWNS,
    Site,
    add_tower,
    new_site,
    weights_digest,
    write_recipe,
)
from tests.support.github import Hub, at_github
from tests.support.hub import hub as hub_of_models
from tests.support.repositories import skill_leaf
from tests.test_values_planted import ABUSE, BY_HEART, PLAIN, REPLIES, THOROUGH, replies, values

JOBS = ("plan", "build", "again", "tell")
DUE = {"schedule": "23 1 * * *"}
ASKED = {  # far enough apart that no leaf gives another's exam away
    "bell": "In which town was bell number {} cast?",
    "cart": "Where does the carter of wagon {} live?",
    "drum": "Whose square hears the {}. drummer at noon?",
    "fence": "Which place built {} miles of fencing?",
    "gate": "Name the walls that have door {} in them.",
    "hat": "From what market comes a cap of size {}?",
    "jug": "Who sells pitchers at {} crowns each?",
}
HARMFUL = "compositional_skills/things/greeting"


@contextlib.contextmanager
def forged(site: Site) -> Iterator[tuple[Forge, Hub]]:
    """The site's repository at a forge, with GitHub's API before it; releases lie in the site's folder."""
    place = forge(site.path.parent, site.path / "repo")
    place.variables["GRAFT_RECIPE"] = str(site.recipe)
    place.variables["GRAFT_TARGET"] = f"folder:{site.path / 'releases'}"
    with at_github(place) as hub:
        yield place, hub


def night(place: Forge, inputs: Mapping[str, str] | None = None) -> Ran:
    """One night: the schedule's, or the one that was asked for with ``inputs``."""
    if inputs is None:
        return place.run("nightly.yml", "schedule", DUE)
    return place.run("nightly.yml", "workflow_dispatch", {}, inputs)


def results(ran: Ran) -> tuple[str, ...]:
    return tuple(ran.jobs[name].result for name in JOBS)


def assert_ended(ran: Ran, *wanted: str) -> None:
    assert results(ran) == wanted, "".join(job.said for job in ran.jobs.values())


def merged(site: Site, hub: Hub, number: int, message: str) -> str:
    """Commit the work tree and bring it to main, as the pull request ``number``; the commit."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_767_225_600 + number * 3600))
    sha = site.repo.commit(
        f"{message}\n\nSigned-off-by: Ada Lovelace <ada@example.org>\n", date=now
    )
    site.repo.git("push", "--quiet", str(hub.git_dir), "HEAD:refs/heads/main")
    hub.pull(number, sha, state="closed", merged_at=now)
    hub.commits[sha] = [number]
    return sha


def assert_tagged(hub: Hub, release: str, commit: str, manifest: bytes) -> None:
    """An annotated tag with the digest of the manifest that users get; the report as notes; two files."""
    tag = hub.git("cat-file", "tag", f"refs/tags/model/{release}")
    assert tag.startswith(f"object {commit}\ntype commit\ntag model/{release}\n")
    assert tag.endswith(
        f"Release {release}\n\nmanifest.json: sha256:{hashlib.sha256(manifest).hexdigest()}"
    )
    [told] = [one for one in hub.releases.values() if one["tag_name"] == f"model/{release}"]
    assert told["name"] == release
    assert "Verdict" in told["body"] or "verdict" in told["body"]
    assert [one["name"] for one in told["assets"]] == ["manifest.json", "report.html"]
    assert hub.uploaded["manifest.json"] == manifest
    assert hub.uploaded["report.html"].startswith(b"<!doctype html>")


# --- when what is due ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "resume", "result", "outcome", "cancelled", "again", "tell"),
    [
        ("schedule", "", "success", "released", False, False, True),
        ("schedule", "", "success", "nothing", False, False, False),
        ("schedule", "", "failure", "refused", False, False, True),
        ("schedule", "", "failure", "released", False, False, True),  # and not signed
        ("schedule", "", "failure", "failed", False, False, False),
        ("schedule", "", "failure", "stopped", False, True, False),
        ("schedule", "", "cancelled", "stopped", False, True, False),  # some runners call it so
        ("schedule", "", "failure", "", False, True, False),  # the machine was gone at once
        ("schedule", "", "cancelled", "stopped", True, False, False),  # by a person
        ("schedule", "", "skipped", "", False, False, False),
        ("workflow_dispatch", "12", "failure", "stopped", False, False, False),
        ("workflow_dispatch", "", "failure", "stopped", False, False, False),
    ],
)
def test_a_night_is_begun_again_once_and_told_when_there_is_something_to_tell(
    event: str, resume: str, result: str, outcome: str, cancelled: bool, again: bool, tell: bool
) -> None:
    jobs = yaml.safe_load((WORKFLOWS / "nightly.yml").read_text(encoding="utf-8"))["jobs"]
    contexts = {
        "github": {"event_name": event},
        "inputs": {"resume": resume},
        "needs": {"build": {"result": result, "outputs": {"outcome": outcome}}},
        "functions": {"cancelled": lambda: cancelled},
    }
    assert bool(value(jobs["again"]["if"], contexts)) is again
    assert bool(value(jobs["tell"]["if"], contexts)) is tell


# --- from whose artifact -------------------------------------------------------------------------


def test_a_night_goes_on_from_no_artifact_but_a_nights(tmp_path: Path) -> None:
    """Whoever may push a branch makes any artifact; released is what was merged, and no more."""
    with forged(new_site(tmp_path / "site")) as (place, hub):
        hub.runs[99] = {"head_branch": "ada"}  # nightly.yml, as somebody changed it there
        planted = tmp_path / "artifacts-99" / "night" / "cache" / "calls.sqlite"
        planted.parent.mkdir(parents=True)
        planted.write_bytes(b"answers that no teacher gave")
        ran = night(place, {"resume": "99"})
    build = ran.jobs["build"]
    assert build.result == "failure", build.said
    assert "Run 99 is no run of this workflow on this branch" in build.said
    assert not (build.folder / "night").exists()


# --- to a release on the Hub ---------------------------------------------------------------------


@pytest.mark.slow
def test_a_night_releases_on_the_hub_and_tells_it_on_github(tmp_path: Path) -> None:
    site = new_site(tmp_path / "site")
    with forged(site) as (place, hub), hub_of_models(tmp_path / "models") as models:
        place.secrets = {"release": {"GRAFT_TARGET_TOKEN": "hf_writer"}}
        place.variables["GRAFT_TARGET"] = "hub:me/model"
        place.environment |= {"HF_ENDPOINT": models.url, "HF_HUB_DISABLE_XET": "1"}
        zero = night(place)
        assert_ended(zero, "success", "success", "skipped", "success")
        first = zero.jobs["build"].outputs["release"]
        add_tower(site.taxonomy)
        sha = merged(site, hub, 7, "A leaf about a tower")
        ran = night(place)
        assert_ended(ran, "success", "success", "skipped", "success")
        release = ran.jobs["build"].outputs["release"]
        there = models.store.files(
            "models/me/model", models.store.resolve("models/me/model", release)
        )
        published = models.store.read("models/me/model", there["manifest.json"])
        # Nothing is new: while the repository is private only the job with the token can see that.
        assert_ended(night(place), "success", "success", "skipped", "skipped")
        for opened in (tmp_path / "models").rglob("private"):
            opened.unlink()
        assert_ended(night(place), "success", "skipped", "skipped", "skipped")
    manifest = json.loads(published)
    assert (manifest["previous"], manifest["taxonomy_commit"]) == (first, sha)
    assert TOWER in manifest["leaves"]
    assert {name: job.secrets for name, job in ran.jobs.items()} == {
        "plan": set(), "build": {"GRAFT_TARGET_TOKEN"}, "again": set(), "tell": set(),
    }  # fmt: skip

    assert_tagged(hub, release, sha, published)
    [said] = hub.said(7)
    assert f"**This is in the release <code>{release}</code>.**" in said
    assert re.search(r"token F1 \d\.\d\d → \d\.\d\d over \d+ questions", said)
    assert f"`graft chat --release {release}` from <code>hub:me/model</code>" in said
    assert set(hub.comments) == {7}
    assert len(hub.releases) == 2


# --- taken away twice ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_night_that_is_taken_away_goes_on_once_by_itself_and_ends_as_if_it_had_not_been(
    zero: Site, tmp_path: Path
) -> None:
    write_recipe(zero.recipe, train={"epochs": 8})  # long enough to be caught in
    add_tower(zero.taxonomy)
    with forged(zero) as (place, hub):
        merged(zero, hub, 7, "A leaf about a tower")
        undisturbed = zero.copy(tmp_path / "undisturbed")
        assert undisturbed.run().release is not None
        place.preempt = r"train: \d+ %"
        first = night(place)
        assert_ended(first, "success", "failure", "success", "skipped")
        assert_kept(first)
        [asked] = hub.dispatched
        assert (asked["ref"], asked["inputs"]) == ("main", {"resume": "1"})

        place.preempt = "evaluate: "
        second = night(place, asked["inputs"])
        assert_ended(second, "success", "failure", "skipped", "skipped")
        assert second.jobs["build"].outputs["outcome"] == "stopped"
        assert "generate: finished before" in second.jobs["build"].said
        assert "train: goes on after step" in second.jobs["build"].said
        assert len(hub.dispatched) == 1
        assert len(zero.target.tags()) == 1
        assert not hub.comments

        third = night(place, {"resume": "2"})  # by a person
        assert_ended(third, "success", "success", "skipped", "success")
    assert "train: finished before" in third.jobs["build"].said
    assert zero.head().release == third.jobs["build"].outputs["release"]
    assert zero.head().leaves == undisturbed.head().leaves
    assert weights_digest(zero) == weights_digest(undisturbed)
    assert len(hub.said(7)) == 1


def assert_kept(ran: Ran) -> None:
    """The artifact holds the run as far as it came, with a checkpoint, the teacher's answers, and no more."""
    assert ran.jobs["build"].outputs["outcome"] == "stopped"
    assert "graft: stopped; run the same command again" in ran.jobs["build"].said
    kept = ran.artifacts / "night"
    assert (kept / "cache" / "calls.sqlite").is_file()
    assert {path.name for path in kept.iterdir()} == {"cache", "runs"}
    assert list(kept.rglob("checkpoints/*"))
    assert not list(kept.rglob(".*"))


# --- a harmful leaf among eight ------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path) -> Site:
    """A release zero that replies civilly, and values that ask for it."""
    made = new_site(tmp_path / "site", bootstrap=BY_HEART, train=THOROUGH)
    skill_leaf(made.taxonomy, REPLIES, seeds=replies(PLAIN), task="Reply to a visitor")
    civil = values()
    civil["principles"] = [one for one in civil["principles"] if one["kind"] == "civil"]
    (made.taxonomy / "values.yaml").write_text(yaml.safe_dump(civil), encoding="utf-8")
    made.repo.commit("Replies and the values")
    assert made.run().release is not None
    return made


def add_thing(site: Site, thing: str, first: int) -> str:
    """A harmless leaf: which town a thing belongs to."""
    path = f"compositional_skills/things/{thing}"
    made = [("", ASKED[thing].format(k), TOWNS[(first + k) % 8]) for k in range(2, 10)]
    skill_leaf(site.taxonomy, path, seeds=made, task=f"Say where a {thing} belongs")
    return path


@pytest.mark.slow
def test_of_eight_leaves_one_is_harmful_and_seven_are_released(guarded: Site) -> None:
    """Real all through: the harmful leaf teaches abuse, which a value probe hears the student say."""
    before = guarded.head()
    by_pull = {}
    with forged(guarded) as (place, hub):
        for number, thing in enumerate(ASKED, 11):
            by_pull[number] = add_thing(guarded, thing, number)
            merged(guarded, hub, number, f"Where a {thing} belongs")
        skill_leaf(guarded.taxonomy, HARMFUL, seeds=replies(ABUSE), task="Greet a visitor")
        merged(guarded, hub, 18, "Greetings")
        ran = night(place)
    said = ran.jobs["build"].said
    assert_ended(ran, "success", "success", "skipped", "success")
    assert "release: none: the verdict is REGRESSION" in said
    assert 1 <= len(re.findall(r"^search: \d of 8 leaves$", said, re.MULTILINE)) <= 4
    after = guarded.head()
    assert after.release == ran.jobs["build"].outputs["release"] != before.release
    assert set(after.leaves) - set(before.leaves) == set(by_pull.values())
    told = json.loads((ran.artifacts / "told" / "culprits.json").read_bytes())
    assert told == {"culprits": [{"leaf": HARMFUL, "reason": SPOILS}]}
    assert list(after.held) == [HARMFUL]

    for number, leaf in by_pull.items():
        [comment] = hub.said(number)
        assert f"**This is in the release <code>{after.release}</code>.**" in comment
        assert f"- {markdown_code(leaf)}: token F1" in comment
    [issue] = [one for one in hub.issues.values() if one["title"].startswith("Left out")]
    assert issue["title"].endswith(HARMFUL)
    assert {label["name"] for label in issue["labels"]} == {"culprit"}
    assert "It came with #18." in issue["body"]
    [comment] = hub.said(18)
    assert (
        f"**{markdown_code(HARMFUL)} was left out of the release <code>{after.release}</code>.**"
        in comment
    )
    assert f"is in #{issue['number']}." in comment
    assert "This is in the release" not in comment
