"""Releases on the Hub: from the target alone to the next one, and for whoever knows nothing of Graft."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import snapshot_download

from pipelines.artifacts import file_digest
from pipelines.release.verify import verify
from tests.support.flow import (
    LEAVES,
    TOWER,
    Site,
    add_tower,
    grown_site,
    new_site,
    run_directory,
    weights_digest,
)
from tests.support.hub import Hub, hub, used

NAME = "me/model"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub(tmp_path / "hub") as found:
        used(found, monkeypatch, tmp_path / "home")
        yield found


def forget_everything(site: Site) -> None:
    """What a fresh machine lacks: runs, answers, everything that was fetched."""
    for place in (site.path / "runs", site.path / ".graft", Path(os.environ["HF_HOME"])):
        shutil.rmtree(place, ignore_errors=True)


def load_as_the_card_says(tag: str, home: Path) -> str:
    """The class of the model that the card's own code loads, in a process that knows no Graft."""
    card = (Path(snapshot_download(NAME, revision=tag)) / "README.md").read_text("utf-8")
    code = re.search(r"From the Hub:\n\n```python\n(.*?)\n```", card, re.DOTALL)
    assert code is not None
    shown = f"{code[1]}\nprint(type(model).__name__, type(answer).__name__)"
    done = subprocess.run(
        [sys.executable, "-c", shown], cwd=home, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "2"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def assert_tagged(site: Site, tag: str) -> None:
    """The taxonomy's repository names the release, by the digest of what lies on the target."""
    held = file_digest(site.target.directory(tag) / "manifest.json").sha256
    assert f"sha256:{held}" in site.repo.git("tag", "-l", "--format=%(contents)", f"model/{tag}")
    assert file_digest(run_directory(site) / "manifest.json").sha256 == held  # what CI attests
    commit = site.target.manifest(tag).taxonomy_commit
    assert site.repo.git("rev-parse", f"model/{tag}^{{commit}}").strip() == commit


@pytest.mark.slow
def test_the_next_release_from_the_target_alone(
    stand_in: Hub, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = new_site(tmp_path / "site")
    site.spec = f"hub:{NAME}"
    zero = site.run().release
    assert zero is not None
    assert load_as_the_card_says(zero, tmp_path) == "LlamaForCausalLM str"
    assert_tagged(site, zero)

    forget_everything(site)
    site.repo.branch("tower")
    add_tower(site.taxonomy)
    site.repo.commit("A leaf about a tower")
    asked = len(stand_in.asked)
    grown = site.run("main")
    assert (grown.plan.action, grown.plan.continues) == ("continue", zero)
    assert grown.plan.learn == [TOWER]
    assert grown.release is not None
    # Bit for bit what a machine gets that forgot nothing, and knows no Hub.
    other = grown_site(tmp_path_factory.getbasetemp())
    assert weights_digest(site) == weights_digest(other)
    assert site.head().leaves == other.head().leaves
    assert verify(site.target, grown.release) == []
    # Of the large files only the adapter went up: the base was there.
    sent = [path for method, path in stand_in.asked[asked:] if method == "PUT"]
    assert len(sent) == 1
    assert load_as_the_card_says(grown.release, tmp_path) == "PeftModelForCausalLM str"
    assert_tagged(site, grown.release)

    manifest = site.head()
    assert [(change.leaf, change.status) for change in manifest.changes] == [(TOWER, "added")]
    assert sum(taught.leaves for taught in manifest.composition) == len(LEAVES) + 1
    assert all(taught.rows for taught in manifest.composition)
    assert manifest.data is not None
    data = f"datasets/{manifest.data.repository}"
    assert manifest.data.revision == stand_in.store.resolve(data, "main")

    forget_everything(site)
    assert site.run("main").plan.action == "nothing"
    told = site.graft("log", "--format", "json", "--target", site.spec)
    releases = json.loads(told.stdout)["releases"]
    assert [release["release"] for release in releases] == [grown.release, zero]
    back = site.graft("release", "rollback", zero, "--target", site.spec)
    assert (back.returncode, site.target.head()) == (0, zero), back.stderr
    again = site.graft("run", "--base", "main", "--target", site.spec)
    assert again.returncode == 1
    assert f"are the release {grown.release} already" in again.stderr
