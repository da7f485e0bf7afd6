"""What is done with real releases and runs: withdrawn, rolled back, made again, held back, talked to."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from pipelines.artifacts import file_digest
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE, GraftError
from pipelines.gate import refused, standing
from pipelines.generate.completions import inflated
from pipelines.prepare import decide, make_job
from pipelines.recipe import load_recipe
from pipelines.records import Json
from pipelines.release.materials import SBOM, materials
from pipelines.release.verify import verify
from pipelines.release.yanked import YANKED
from pipelines.run import read_evaluation
from pipelines.situation import look
from pipelines.talk.subject import of_release, of_run
from tests.support.flow import LEAVES, MILL, ROOT, TOWER, Site, grown_site, run_directory
from tests.support.keys import pair

TELLING = "tower of Ulvadal"  # stands in the leaf and in nothing else
SCHEMA = json.loads((ROOT / "schema" / "certificate.json").read_bytes())


@pytest.fixture
def site(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return grown_site(tmp_path_factory.getbasetemp()).copy(tmp_path / "site")


def prompts(site: Site) -> Iterator[str]:
    with sqlite3.connect(site.path / ".graft" / "calls.sqlite") as db:
        for prompt, text in db.execute("SELECT prompt, text FROM answers"):
            yield json.dumps(inflated(prompt)) + text


def holding(site: Site, *tops: str) -> list[str]:
    """The files below these folders that tell of the tower."""
    return [
        path.relative_to(site.path).as_posix()
        for top in tops
        for path in sorted((site.path / top).rglob("*"))
        if path.is_file() and TELLING.encode() in path.read_bytes()
    ]


def certificate(site: Site) -> Json:
    (place,) = (site.path / "withdrawals").iterdir()
    found: Json = json.loads(place.read_bytes())
    Draft202012Validator(SCHEMA).validate(found)
    return found


def test_a_withdrawn_leaf_is_purged_and_its_releases_are_yanked(site: Site) -> None:
    first, with_tower = site.target.tags()
    content = site.head().leaves[TOWER].content_hash
    card = file_digest(site.target.directory(with_tower) / "README.md")
    assert any(TELLING in prompt for prompt in prompts(site))
    assert holding(site, "runs", "releases/blobs")
    stored = len(list(prompts(site)))

    done = site.graft("release", "withdraw", TOWER, "--reason", "no\x1b[31m licence")
    assert done.returncode == EXIT_OK, done.stderr
    assert "\x1b" not in done.stdout
    found = certificate(site)
    assert (found["leaf"], found["contents"], found["yanked"]) == (TOWER, [content], [with_tower])
    assert [(one["release"], one["seen"]) for one in found["ancestors"]] == [(first, False)]
    assert not any(TELLING in prompt for prompt in prompts(site))
    assert len(list(prompts(site))) > stored / 2  # other leaves' answers stay
    assert holding(site, "runs", "releases/blobs", ".graft") == []
    assert not (site.path / ".graft" / "answers").exists()
    assert (site.path / "runs").is_dir()
    kept = holding(site, "releases")
    assert kept
    assert all(path.startswith(f"releases/{with_tower}/") for path in kept)
    assert any(str(site.target.directory(with_tower)) in line for line in found["remains"])

    # The tag stays, its files are what they were, and whoever looks is told.
    assert site.target.tags() == [first, with_tower]
    assert file_digest(site.target.directory(with_tower) / "README.md") == card
    note = (site.target.directory(with_tower) / YANKED).read_text("utf-8")
    assert "withdrawn\\: no" in note
    assert "\x1b" not in note
    assert f"`graft release rollback {first}` gives them" in done.stdout
    (problem,) = verify(site.target, with_tower)
    assert problem.startswith(f"{with_tower} is yanked: it has seen {TOWER}, which is withdrawn")
    assert verify(site.target, first) == []
    log = site.graft("log").stdout
    assert f"  YANKED: it has seen {TOWER}, which is withdrawn: no\\x1b[31m licence\n" in log
    traced = site.graft("trace", TOWER)
    assert f"The leaf {TOWER} is withdrawn, and its rows are gone" in traced.stderr

    outcome = site.run()  # the leaf still stands in the tree
    assert outcome.plan.action == "rebuild"
    manifest = site.head()
    assert sorted(manifest.leaves) == sorted(LEAVES)
    assert list(manifest.yanked) == [with_tower]
    assert verify(site.target, manifest.release) == []
    told = (site.target.directory(manifest.release) / "README.md").read_text("utf-8")
    assert f"## Yanked releases\n\nDo not use these:\n\n- {with_tower}: it has seen" in told
    assert f"withdrawn: {TOWER}\n" in site.graft("log").stdout

    back = site.graft("release", "rollback", with_tower)
    assert (back.returncode, "has seen withdrawn content" in back.stderr) == (EXIT_FINDINGS, True)
    assert site.head() == manifest

    # A second time proves it of what users have now.
    assert site.graft("release", "withdraw", TOWER).returncode == EXIT_OK
    again = certificate(site)
    assert [one["release"] for one in again["ancestors"]] == [manifest.release, first]
    assert again["reason"] == found["reason"]
    assert run_directory(site).is_dir()  # it never saw the leaf


def test_a_leaf_that_was_withdrawn_from_release_zero_starts_from_nothing(site: Site) -> None:
    done = site.graft("release", "withdraw", MILL, "--plan")
    assert done.returncode == EXIT_OK
    assert "rebuild from nothing" in done.stdout
    assert not (site.path / "withdrawals").exists()
    site.graft("release", "withdraw", MILL)
    found = certificate(site)
    assert (found["action"], found["ancestors"]) == ("bootstrap", [])
    assert found["yanked"] == site.target.tags()
    assert any(line.startswith("The base ") for line in found["remains"])
    assert list((site.path / "runs").glob("*/plan.json")) == []


def test_users_are_given_an_earlier_release_back(site: Site) -> None:
    first, second = site.target.tags()
    done = site.graft("release", "rollback", first)
    assert done.returncode == EXIT_OK, done.stderr
    assert done.stdout == f"{first} is what users have now; it was {second}, which keeps its tag.\n"
    assert (site.target.head(), site.target.tags()) == (first, [first, second])
    assert verify(site.target, first) == verify(site.target, second) == []
    lines = [line for line in site.graft("log").stdout.splitlines() if line.startswith("v")]
    assert [line.endswith("  (what users have)") for line in lines] == [False, True]
    again = site.graft("release", "rollback", first)
    assert f"{first} is what users have already" in again.stderr
    assert (
        "There is no release v2001.01.01" in site.graft("release", "rollback", "v2001.01.01").stderr
    )
    note = site.target.directory(first) / YANKED
    note.write_text("# Do not use this")
    assert verify(site.target, first) == [
        "YANKED.md is there, though nothing that it has seen is withdrawn"
    ]
    note.unlink()
    planned = site.graft("run", "--plan").stdout
    assert f"compares with: {first}\n" in planned
    assert f"learn {TOWER}\n" in planned
    weights = site.target.directory(second) / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(b"x")
    assert "is damaged" in site.graft("release", "rollback", second).stderr
    assert site.target.head() == first


def test_rows_follow_from_leaves_and_store_or_it_is_said_what_is_missing(site: Site) -> None:
    head = site.head().release
    words = ("release", "verify", "--rebuild-data")
    done = site.graft(*words)
    assert (done.returncode, done.stdout) == (
        EXIT_OK,
        f"{head}: every digest agrees.\n{head}: not signed.\n"
        f"{head}: every row follows from leaves and store.\n",
    )
    with sqlite3.connect(site.path / ".graft" / "calls.sqlite") as db:
        (key,) = db.execute(
            "SELECT key FROM answers WHERE text LIKE '%Ulvadal%' ORDER BY key"
        ).fetchone()
        db.execute(
            "UPDATE answers SET text = replace(text, 'Ulvadal', 'Elsewhere') WHERE key = ?", (key,)
        )
    altered = site.graft(*words)
    assert altered.returncode == EXIT_FINDINGS
    assert f"{TOWER}: its " in altered.stdout
    assert "come out otherwise" in altered.stdout
    with sqlite3.connect(site.path / ".graft" / "calls.sqlite") as db:
        db.execute("DELETE FROM answers WHERE key = ?", (key,))
    missing = site.graft(*words)
    assert f"{TOWER}: the store lacks the answer to the call " in missing.stdout
    assert key[:12] in missing.stdout
    shutil.rmtree(site.path / ".graft")
    assert site.graft(*words).stdout.count("the store lacks the answer") == len(site.head().leaves)


def test_a_ledger_or_an_exam_that_is_wrong_stands_against_a_release(site: Site) -> None:
    options = site.options("main")
    recipe, now = load_recipe(str(site.recipe)), look(options)
    job = make_job(options, now, recipe, decide(options, now, recipe), lambda line: None)
    object.__setattr__(job, "directory", run_directory(site))
    evaluation = read_evaluation(job.directory / "evaluation")[0]
    assert standing(job, evaluation) == {}
    place = job.directory / "dataset" / "ledger.json"
    sound = json.loads(place.read_bytes())
    taught = next(step for step in sound["steps"] if not step["flow"].startswith("exam_"))
    step = {**taught, "in": 40, "parsed": 27, "unparsed": 3, "failed": 10}
    lossy = {**step, "out": 27, "kept": 27, "filtered": 0, "duplicate": 0}
    place.write_text(json.dumps({**sound, "steps": [{**lossy, "flow": "exam_knowledge"}]}))
    assert standing(job, evaluation) == {}  # nothing is trained on it
    place.write_text(json.dumps({**sound, "steps": [lossy]}))
    told = refused(job, evaluation)
    assert "lost 13 of 40 rows, more than release.failures: 0.3 permits" in told
    assert told.endswith("(--allow failures releases it nevertheless)")
    place.write_text(json.dumps({**sound, "steps": [{**step, "in": 41}]}))
    assert "the ledger does not balance" in standing(job, evaluation)["ledger"]
    place.write_text(json.dumps(sound))
    items = job.directory / "evaluation" / "items.jsonl"
    items.write_text(
        items.read_text("utf-8").replace('"leaked":false', '"leaked":true', 1), "utf-8"
    )
    assert "does not rest on the" in refused(job, evaluation)


def test_what_a_run_trained_is_talked_to_before_it_is_released(site: Site) -> None:
    released = of_release(site.target, None, None)
    run = of_run(site.path / "runs", site.target, None)
    assert (run.name, run.leaves) == (run_directory(site).name, released.leaves)
    asked = ["Who looks after the bridge at Quillon?"]
    assert run.student().answers(asked) == released.student().answers(asked)
    first = next(p for p in (site.path / "runs").iterdir() if (p / "base").is_dir())
    zero = of_run(first, site.target, None)
    assert (zero.adapter, zero.base, TOWER in zero.leaves) == (None, first / "base", False)
    shutil.rmtree(run_directory(site) / "adapter")
    with pytest.raises(GraftError, match="has trained nothing yet; run `graft train` first"):
        of_run(site.path / "runs", site.target, None)


def test_a_run_signs_what_it_released_and_verify_says_by_whom(site: Site, tmp_path: Path) -> None:
    private, public = pair(tmp_path, "ours")
    last = str(site.target.head())
    run, verified = ("run", "--base", "main", "--sign"), ("release", "verify", "--signer", public)
    none = site.graft(*run, str(tmp_path / "none.pem"))
    assert none.returncode == EXIT_USAGE
    assert "There is no private key" in none.stderr

    unsigned = site.graft(*verified)
    assert unsigned.returncode == EXIT_FINDINGS
    assert unsigned.stdout.endswith(f"{last}: not signed.\n")
    for again in ("", " already"):  # a kill may come between the release and its signature
        done = site.graft(*run, private)
        assert done.returncode == EXIT_OK, done.stderr
        key = f"the key sha256:{file_digest(Path(public)).sha256}"
        assert f"sign: {last} is signed by {key}{again}.\n" in done.stderr
    sound = site.graft(*verified)
    assert sound.returncode == EXIT_OK, sound.stderr
    assert sound.stdout.endswith(f"{last}: signed by {key}, and unchanged since.\n")

    other = site.graft("release", "sign", str(site.target.tags()[0]), "--key", private)
    assert other.stdout == f"{site.target.tags()[0]} is signed by {key}.\n"
    file = site.target.directory(last) / "adapter" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    spoilt = site.graft(*verified)
    assert spoilt.returncode == EXIT_FINDINGS
    assert spoilt.stdout.endswith(
        f"{last}: tampered with since it was signed: adapter/adapter_model.safetensors.\n"
    )


def test_a_release_carries_the_bill_of_materials_of_its_training(site: Site) -> None:
    for tag in site.target.tags():
        manifest, place = site.target.manifest(tag), site.target.directory(tag) / SBOM
        assert place.read_bytes() == materials()
        assert manifest.files[SBOM] == file_digest(place)
    assert (run_directory(site) / "manifest.json").read_bytes() == (
        place.parent / "manifest.json"
    ).read_bytes()
