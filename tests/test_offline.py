"""``graft export --bundle``: what the archive holds, what it refuses, and its installation.

The wheels are made up here (tests/test_offline_real.py takes the real ones); all else is real.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import offline
from pipelines.artifacts import pretty_json, sha256, tree_digests
from pipelines.errors import ReleaseError
from pipelines.offline import Member, Order, bundle
from pipelines.records import BaseModel
from pipelines.release.manifest import MANIFEST
from pipelines.release.targets import open_target
from pipelines.release.verify import verify
from pipelines.schemas import violations
from tests.support.commands import commands
from tests.support.flow import MILL, Site
from tests.support.hub import hub, used
from tests.support.made_wheels import small_environment


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        small_environment(tmp_path_factory.mktemp("environment"), patch)
        yield


@pytest.fixture(scope="module")
def archive(made_grown: Site, environment: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second release of a site, which continues its first."""
    place = tmp_path_factory.mktemp("archive") / "out.tar"
    bundle(made_grown.target, made_grown.head().release, order(place), lambda line: None)
    return place


@pytest.fixture
def unpacked(archive: Path, made_grown: Site, tmp_path: Path) -> Path:
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path / f"graft-{made_grown.head().release}"


def order(out: Path) -> Order:
    return Order(out, ("model", "serve"))


def install(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(folder / "install.py"), *words], capture_output=True, text=True
    )


# --- what is packed --------------------------------------------------------------------------


def test_the_archive_holds_the_release_and_no_more(unpacked: Path, made_grown: Site) -> None:
    head, own = made_grown.head(), made_grown.target
    record = json.loads((unpacked / "bundle.json").read_bytes())
    assert violations(record, "bundle") == []
    assert (record["release"], record["extras"]) == (head.release, ["model", "serve"])
    assert list(record["packages"]) == ["graft-taxonomy", "tiny-answers", "tiny-base", "tiny-fast"]
    assert {path.name for path in unpacked.iterdir()} == {
        "README.md", "SHA256SUMS", "bundle.json", "install.py", "releases", "requirements.txt",
        "wheels",
    }  # fmt: skip
    carried = open_target(f"folder:{unpacked / 'releases'}")
    assert (carried.head(), carried.tags()) == (head.release, own.tags())
    assert carried.manifest(head.release) == head
    assert verify(carried, head.release) == []
    first = unpacked / "releases" / own.tags()[0]
    assert [path.name for path in first.iterdir()] == [MANIFEST]
    blobs = {path.name for path in (unpacked / "releases" / "blobs").iterdir()}
    wanted = {sha for entry in head.leaves.values() for sha in (entry.data_hash, entry.asked_hash)}
    assert blobs == wanted - {""}


def test_every_file_is_in_its_sums_and_as_plain_as_can_be(archive: Path, unpacked: Path) -> None:
    done = subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=unpacked)
    assert done.returncode == 0
    listed = [line.split("  ")[1] for line in (unpacked / "SHA256SUMS").read_text().splitlines()]
    assert sorted([*listed, "SHA256SUMS"]) == sorted(tree_digests(unpacked))
    with tarfile.open(archive) as packed:
        members = packed.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert {(m.isreg(), m.mode, m.mtime, m.uid, m.gid, m.uname) for m in members} == {
        (True, 0o644, 0, 0, 0, "")
    }
    assert all(member.name.startswith(f"{unpacked.name}/") for member in members)


@pytest.mark.usefixtures("environment")
def test_the_command_packs_the_same_bytes_again(
    archive: Path, grown: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(grown.path)
    stale = grown.path / "new" / ".again.tar.killed"
    stale.mkdir(parents=True)
    graft = commands(capsys)
    code, out, told = graft("export", "--bundle", "new/again.tar")
    assert code == 0, told
    assert out == f"{sha256(archive.read_bytes())}  new/again.tar\n"
    assert (grown.path / "new" / "again.tar").read_bytes() == archive.read_bytes()
    assert [path.name for path in (grown.path / "new").iterdir()] == ["again.tar"]
    code, _, told = graft("export", "--bundle", "new/again.tar")
    assert (code, told) == (
        2,
        "graft: new/again.tar is there already; remove it, or name a new file.\n",
    )
    assert graft("export", "--bundle", "new")[0] == 2


@pytest.mark.usefixtures("environment")
def test_a_base_of_the_hub_is_found_without_it_and_the_signature_beside_the_release(
    grown: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, name = grown.head(), "ada/base"
    place = grown.target.directory(head.release)
    base = grown.target.base(head.base_model.revision)
    files = {path.name: path.read_bytes() for path in base.iterdir()}
    out = tmp_path / "out.tar"
    with hub(tmp_path / "hub") as stand_in:
        used(stand_in, monkeypatch, tmp_path / "home")
        revision = stand_in.seed(f"models/{name}", {**files, "modeling.py": b"raise SystemExit\n"})
        for tag in grown.target.tags():
            place = grown.target.directory(tag)
            manifest = grown.target.manifest(tag)
            moved = dataclasses.replace(manifest, base_model=BaseModel(name, revision))
            (place / MANIFEST).write_bytes(pretty_json(moved))
        grown.target.sign(head.release, b"signed")
        bundle(grown.target, head.release, order(out), lambda line: None)
    with tarfile.open(out) as packed:
        packed.extractall(tmp_path, filter="data")
    carried = tmp_path / f"graft-{head.release}"
    assert not (carried / "releases" / "bases").exists()
    assert open_target(f"folder:{carried / 'releases'}").signature(head.release) == b"signed"
    assert not list(carried.rglob("modeling.py"))
    set_there = {"HF_HUB_CACHE": str(carried / "huggingface" / "hub"), "HF_HUB_OFFLINE": "1"}
    program = (
        f"from pipelines.backends.hub import fetch_model as f; print(f({name!r}, {revision!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True,
        env={**grown.environment(), **set_there},
    )  # fmt: skip
    found = Path(done.stdout.strip())
    assert found.is_relative_to(carried), done.stderr
    assert (found / "model.safetensors").read_bytes() == files["model.safetensors"]


# --- what is refused -------------------------------------------------------------------------


def test_a_damaged_or_withdrawn_release_is_not_packed(grown: Site, tmp_path: Path) -> None:
    head, out = grown.head(), tmp_path / "out.tar"
    weights = grown.target.directory(head.release) / "adapter" / "adapter_model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + b"x")
    with pytest.raises(ReleaseError, match=r"cannot be bundled: adapter/adapter_model\.safetens"):
        bundle(grown.target, head.release, order(out), lambda line: None)
    weights.write_bytes(kept)
    grown.target.withdraw(MILL, head.leaves[MILL].content_hash, "no licence")
    with pytest.raises(ReleaseError, match=r"cannot be bundled: it continues v\S+, which is yan"):
        bundle(grown.target, head.release, order(out), lambda line: None)
    assert list(tmp_path.glob("*out.tar*")) == []


@pytest.mark.usefixtures("environment")
def test_a_full_disk_leaves_nothing(
    made_grown: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, tag = tmp_path / "out.tar", made_grown.head().release
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    collected = offline.collect

    def then_full(*words: object) -> None:
        """From here on no file grows past 50 KB, as on a full disk."""
        collected(*words)  # type: ignore[arg-type]
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limit[1]))

    monkeypatch.setattr(offline, "collect", then_full)
    try:
        with pytest.raises(
            ReleaseError, match=r"out\.tar cannot be written: File too large\. Free"
        ):
            bundle(made_grown.target, tag, order(out), lambda line: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_larger_than_the_disk_is_not_begun(
    tmp_path: Path,
) -> None:
    sparse = tmp_path / "weights"
    sparse.touch()
    os.truncate(sparse, shutil.disk_usage(tmp_path).free + 1)
    with pytest.raises(ReleaseError, match=r"The archive takes \d+ MB, and .* has \d+ MB free"):
        offline._check_space({"weights": Member("0" * 64, sparse)}, tmp_path)


def test_a_file_that_changes_while_it_is_packed(tmp_path: Path) -> None:
    (tmp_path / "card").write_text("other")
    members = {"card": Member(sha256(b"words"), tmp_path / "card")}
    with pytest.raises(ReleaseError, match="top/card changed while it was packed"):
        offline._write(members, "top", tmp_path / "out.tar")


@pytest.mark.parametrize("name", ["../up", "/root", "two\nlines", "a/./b"])
def test_a_name_that_reaches_elsewhere_is_not_packed(name: str) -> None:
    with pytest.raises(ReleaseError, match="is not packed; rename it"):
        offline._summed({name: Member("0" * 64, lambda: b"")})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--bundle", "--deploy", "merged", "o"], "--bundle takes --release, --extras"),
        (["--bundle", "--format", "trl", "o"], "--bundle takes"),
        (["--bundle", "--run", "runs", "o"], "--bundle takes"),
        (["--extras", "model", "o"], "belong to --bundle"),
        (["--index", "https://example.org", "o"], "belong to --bundle"),
    ],
)
def test_a_command_line_that_cannot_be(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, error = commands(capsys)("export", *words)
    assert code == 2
    assert told in error


# --- the installation ------------------------------------------------------------------------


def test_it_installs_and_is_called_from_anywhere(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "__main__.py").write_text("raise SystemExit('not this one')")
    done = install(unpacked)
    assert (done.returncode, done.stdout) == (0, "installed; ./graft chat\n"), done.stderr
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    moved = unpacked.rename(tmp_path / "moved")
    called = subprocess.run(
        [str(moved / "graft"), "chat", "two words"], cwd=tmp_path, env=clean, capture_output=True, text=True
    )  # fmt: skip
    assert called.stdout == f"['chat', 'two words'] 1 {moved}/huggingface/hub\n", called.stderr
    assert install(moved, "--check").stdout == "every file agrees with SHA256SUMS.\n"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "pattern", ["wheels/tiny_base*", "releases/bases/*/model.safetensors", "install.py", "requirements.txt"]
)  # fmt: skip
def test_a_byte_that_was_changed_stops_the_installation(unpacked: Path, pattern: str) -> None:
    (changed,) = unpacked.glob(pattern)
    if pattern == "install.py":
        changed.write_text(changed.read_text() + "#")
    else:
        flip(changed)
    for words in ([], ["--check"]):
        done = install(unpacked, *words)
        name = changed.relative_to(unpacked).as_posix()
        assert done.returncode == 1
        assert done.stderr == (
            f"install.py: {name} is not the file that was packed; fetch the archive again.\n"
        )
    changed.unlink()
    if pattern != "install.py":
        assert f"{name} is missing; unpack the archive again." in install(unpacked).stderr
    assert not (unpacked / ".venv").exists()
    assert not (unpacked / "graft").exists()


def test_another_python_is_told_so(unpacked: Path) -> None:
    record = json.loads((unpacked / "bundle.json").read_bytes())
    (unpacked / "bundle.json").write_bytes(pretty_json({**record, "python": "3.99"}))
    sums = unpacked / "SHA256SUMS"
    lines = [f"{file.sha256}  {path}" for path, file in tree_digests(unpacked).items()]
    sums.write_text("\n".join(line for line in lines if not line.endswith("SHA256SUMS")) + "\n")
    done = install(unpacked)
    assert done.returncode == 1
    assert "the wheels are for Python 3.99 on " in done.stderr
    assert "Run it with python3.99, or bundle on such a machine." in done.stderr
    sums.unlink()
    assert "this folder is not complete" in install(unpacked).stderr
