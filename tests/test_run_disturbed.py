"""``graft run`` disturbed: killed, interrupted, two at once, a full disk, bad input.

All of it on real repositories, with a student that trains in seconds.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import GraftError
from pipelines.policy import DocumentPolicy, Policy
from pipelines.run import run
from tests.support import forks
from tests.support.flow import (
    COLOUR,
    FERRY,
    KEEPER,
    MILL,
    NOTE,
    SOUND,
    TOWER,
    Site,
    add_tower,
    assert_nothing_to_do,
    assert_sound,
    dataset_digest,
    document,
    kill,
    new_site,
    run_directory,
    weights_digest,
)
from tests.support.git_server import git_server
from tests.support.repositories import Repo, skill_leaf

# --- stopped and run again ---------------------------------------------------------------------


def branch_with_tower(site: Site) -> Site:
    site.repo.branch("tower")
    add_tower(site.taxonomy)
    site.repo.commit("A leaf about a tower")
    return site


def assert_as_undisturbed(site: Site, undisturbed: Site) -> None:
    """Same data, same weights, as many releases, and nothing half-written."""
    site.run("main")
    assert_nothing_to_do(site, "main")
    assert site.head().leaves == undisturbed.head().leaves
    assert weights_digest(site) == weights_digest(undisturbed)
    assert_sound(site, releases=2)


def test_killed_at_any_step_and_run_again(zero: Site, made_grown: Site, tmp_path: Path) -> None:
    """Three kill -9, drawn from all steps that touch the disk; then each is run to its end."""
    branch_with_tower(zero)
    whole = zero.copy(tmp_path / "whole")
    assert kill(whole, at=0) == 0
    assert dataset_digest(whole) == dataset_digest(made_grown)
    assert weights_digest(whole) == weights_digest(made_grown)
    steps = int((whole.path / "steps").read_text("utf-8"))
    assert steps > 30
    for at in random.Random(2).sample(range(1, steps + 1), 3):
        site = zero.copy(tmp_path / str(at))
        assert kill(site, at) == -signal.SIGKILL
        assert_as_undisturbed(site, made_grown)
        assert dataset_digest(site) == dataset_digest(made_grown)


@pytest.mark.slow
def test_killed_at_ten_random_moments_from_an_empty_target(tmp_path: Path) -> None:
    """Release zero and the branch's release are one command; each moment is drawn from all of it."""
    site = branch_with_tower(new_site(tmp_path / "site"))
    undisturbed = site.copy(tmp_path / "undisturbed")
    started = time.monotonic()
    assert undisturbed.graft("run", "--base", "main").returncode == 0
    lasted = time.monotonic() - started
    draw = random.Random(10)
    for number in range(10):
        copy = site.copy(tmp_path / str(number))
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines", *copy.words("run", "--base", "main")],
            cwd=copy.path,
            env=copy.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(draw.uniform(0.02, 0.98) * lasted)
        process.kill()
        process.wait()
        assert_as_undisturbed(copy, undisturbed)
        assert copy.head().base_model == undisturbed.head().base_model


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_says_75_and_goes_on(
    zero: Site, made_grown: Site, number: signal.Signals
) -> None:
    branch_with_tower(zero)
    process = zero.start("run", "--base", "main", until="train: ")
    process.send_signal(number)
    _, told = process.communicate()
    assert process.returncode == 75, told
    assert told.splitlines()[-1].startswith("graft: stopped; run the same command again")
    assert "Traceback" not in told
    assert zero.unfinished() == []
    assert len(zero.target.tags()) == 1
    assert_as_undisturbed(zero, made_grown)


def test_an_interrupted_bootstrap_goes_on(made_zero: Site, tmp_path: Path) -> None:
    site = new_site(tmp_path / "site")
    process = site.start("run", until="train: 10 %")
    process.kill()
    process.communicate()
    assert site.target.head() is None
    assert site.run().release is not None
    assert "generate: finished before" in site.said
    assert site.head().base_model == made_zero.head().base_model
    assert_sound(site, releases=1)


def test_of_two_runs_at_once_one_says_so(zero: Site, made_grown: Site) -> None:
    branch_with_tower(zero)
    process = zero.start("run", "--base", "main", until="train: ")
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(GraftError, match="Another process is at work on the run") as caught:
            zero.run("main")
        assert "\n" not in str(caught.value)
    finally:
        process.send_signal(signal.SIGCONT)
    _, told = process.communicate()
    assert process.returncode == 0, told
    assert_as_undisturbed(zero, made_grown)


# --- bad input ---------------------------------------------------------------------------------


def test_a_dataset_without_a_row_stops_before_training(zero: Site) -> None:
    long = [("", f"{number} {'long ' * 420}", "yes") for number in range(3)]
    skill_leaf(zero.taxonomy, SOUND, seeds=long, task="Too long for any row")
    zero.repo.commit("A leaf of which no row is left")
    first = zero.head().release
    with pytest.raises(GraftError, match=f"{SOUND}: no row is left after the filters"):
        zero.run()
    assert not zero.trained
    assert zero.target.tags() == [first]
    assert not (run_directory(zero) / "dataset").exists()
    assert zero.unfinished() == []


@pytest.mark.parametrize("place", ["runs", ".graft", "releases"])
def test_a_file_in_a_folders_place_is_one_sentence(tmp_path: Path, zero: Site, place: str) -> None:
    site = branch_with_tower(zero)
    shutil.rmtree(site.path / place)
    (site.path / place).write_text("no folder", encoding="utf-8")
    with pytest.raises(GraftError, match=re.escape(str(site.path / place))) as caught:
        site.run("main")
    assert "\n" not in str(caught.value)
    assert (site.path / place).read_text(encoding="utf-8") == "no folder"


@pytest.mark.parametrize("size", [1_000, 50_000, 400_000])
def test_a_full_disk_is_one_sentence_and_leaves_nothing_by_halves(
    tmp_path: Path, size: int
) -> None:
    site = new_site(tmp_path / "site", bootstrap={"tokens": 2000})
    words = ["tests.support.limited", str(size), *site.words("run")]
    done = forks.run(words, site.path, site.environment())
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("graft: ")
    assert "the disk" in last
    assert site.unfinished() == []
    assert site.target.head() is None
    assert site.run().release is not None
    assert sorted(site.head().leaves) == sorted([COLOUR, FERRY, KEEPER, MILL, NOTE])


# --- documents elsewhere -----------------------------------------------------------------------


def test_a_document_in_another_repository_is_taught(zero: Site, tmp_path: Path) -> None:
    docs = Repo(tmp_path / "served" / "docs")
    pinned = docs.write("tower.md", document("tower", "Ulvadal", 1694)).commit("A document")
    add_tower(zero.taxonomy)
    (zero.taxonomy / TOWER / "document.md").unlink()
    qna = zero.taxonomy / TOWER / "qna.yaml"
    with git_server(docs.path.parent) as server:
        zero.repo.branch("tower")
        text = qna.read_text(encoding="utf-8").replace("commit: HEAD", f"commit: '{pinned}'")
        qna.write_text(text.replace("repo: .", f"repo: {server.url('gone')}"), encoding="utf-8")
        zero.repo.commit("Its document is elsewhere, but not there")
        policy = Policy(documents=DocumentPolicy(schemes=("http",), allow_hosts=(server.host,)))
        options = replace(zero.options("main"), policy=policy)
        with pytest.raises(GraftError, match=rf"{TOWER}/qna\.yaml.*There is no repository"):
            run(options, zero.said.append)
        assert len(zero.target.tags()) == 1
        text = qna.read_text(encoding="utf-8")
        qna.write_text(text.replace("/gone", "/docs/.git"), encoding="utf-8")
        zero.repo.commit("There it is")
        outcome = run(options, zero.said.append)
    assert outcome.release is not None
    rows = zero.target.read_blob(zero.head().leaves[TOWER].data_hash).splitlines()
    named = {json.loads(row)["document"] for row in rows}
    assert f"{server.url('docs/.git')}@{pinned}:tower.md" in named
    assert_sound(zero, releases=2)
    assert_nothing_to_do(zero, "main")
