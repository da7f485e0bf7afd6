"""The folder target: what it stores, what it refuses, and what it says."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import os
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from pipelines.artifacts import digest, lock, sha256, tree_digests
from pipelines.errors import GraftError, ReleaseError
from pipelines.release.targets import Target, folder, open_target
from pipelines.release.verify import unsafe_files, verify
from tests.release.builders import build, rows, write


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return open_target(f"folder:{tmp_path / 'target'}")


def publish_first(tmp_path: Path, target: Target) -> str:
    return target.publish(tmp_path / "first", build(tmp_path / "first", target))


def test_reading_makes_nothing(tmp_path: Path, target: Target) -> None:
    assert target.head() is None
    assert target.tags() == []
    assert not (tmp_path / "target").exists()
    with pytest.raises(ReleaseError, match=r"There is no release v2026.01.01 in .*there are: none"):
        target.manifest("v2026.01.01")


def test_publishing_copies_checks_and_moves_the_head(tmp_path: Path, target: Target) -> None:
    record = build(tmp_path / "first", target)
    (tmp_path / "first" / "stage.json").write_text("{}")
    assert target.publish(tmp_path / "first", record) == "v2026.01.01"
    assert target.manifest("v2026.01.01") == record
    directory = target.directory("v2026.01.01")
    assert tree_digests(directory).keys() == record.files.keys() | {"manifest.json"}
    assert not (directory / "stage.json").exists()
    assert (tmp_path / "first" / "README.md").stat().st_nlink == 1
    assert verify(target, "v2026.01.01") == []


def test_a_file_that_is_found_wrong_while_it_is_copied_leaves_nothing(
    tmp_path: Path, target: Target
) -> None:
    record = build(tmp_path / "first", target)
    right = (tmp_path / "first" / "README.md").read_bytes()
    (tmp_path / "first" / "README.md").write_bytes(right[::-1])
    with pytest.raises(ReleaseError, match=r"v2026\.01\.01 cannot be published: README\.md is not"):
        target.publish(tmp_path / "first", record)
    assert not [path for path in (tmp_path / "target").iterdir() if "v2026" in path.name]
    (tmp_path / "first" / "README.md").write_bytes(right)
    assert target.publish(tmp_path / "first", record) == "v2026.01.01"
    assert verify(target, "v2026.01.01") == []
    assert not (tmp_path / "target" / ".publishing").exists()


def test_releases_without_their_head_are_no_target_for_a_release_zero(
    tmp_path: Path, target: Target
) -> None:
    """A copy that was cut short would else be trained anew from nothing, and users be given that."""
    publish_first(tmp_path, target)
    (tmp_path / "target" / "HEAD").unlink()
    with pytest.raises(
        ReleaseError, match=r"HEAD is missing, and releases are there; write the tag"
    ):
        target.head()


def test_a_disk_that_names_no_file_is_told_without_one(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folder, "write_atomic", full)
    with pytest.raises(ReleaseError, match=r"written: No space left on device; mend that"):
        target.put_blob(b"rows")


def test_an_unchanged_leaf_is_linked_from_the_release_before(
    tmp_path: Path, target: Target
) -> None:
    publish_first(tmp_path, target)
    leaves = {"knowledge/danube": "a river", "knowledge/rhine": "another"}
    second = build(
        tmp_path / "second", target, "v2026.01.01.1", leaves=leaves, previous="v2026.01.01"
    )
    target.publish(tmp_path / "second", second)
    name = f"leaves/{digest('a river')}.json"
    old, new = (target.directory(tag) / name for tag in ("v2026.01.01", "v2026.01.01.1"))
    assert old.samefile(new)
    assert verify(target, "v2026.01.01.1") == []


def test_a_damaged_release_before_does_not_spoil_the_next(tmp_path: Path, target: Target) -> None:
    publish_first(tmp_path, target)
    damaged = target.directory("v2026.01.01") / f"leaves/{digest('a river')}.json"
    damaged.write_text("spoilt")
    second = build(tmp_path / "second", target, "v2026.01.02", previous="v2026.01.01")
    second = dataclasses.replace(second, input_digest="another")
    target.publish(tmp_path / "second", second)
    assert verify(target, "v2026.01.02") == []
    assert [p for p in verify(target, "v2026.01.01") if damaged.name in p]


def test_tags_of_a_day(tmp_path: Path, target: Target) -> None:
    day, previous = date(2026, 1, 1), None
    for count in range(11):
        tag = target.next_tag(day)
        record = build(
            tmp_path / tag, target, tag, leaves={"knowledge/x": str(count)}, previous=previous
        )
        previous = target.publish(tmp_path / tag, record)
    assert target.tags() == ["v2026.01.01", *(f"v2026.01.01.{n}" for n in range(1, 11))]
    assert target.next_tag(day) == "v2026.01.01.11"
    assert target.next_tag(date(2026, 1, 10)) == "v2026.01.10"


def test_a_directory_that_was_never_the_head_is_no_release(tmp_path: Path, target: Target) -> None:
    publish_first(tmp_path, target)
    (tmp_path / "target" / "v2026.01.02").mkdir()
    assert target.tags() == ["v2026.01.01"]
    with pytest.raises(ReleaseError, match=r"no release v2026.01.02"):
        target.directory("v2026.01.02")


def test_rows_must_be_stored_first(tmp_path: Path, target: Target) -> None:
    record = build(tmp_path / "first", target)
    (tmp_path / "target" / "blobs" / sha256(rows("knowledge/danube", "a river"))).unlink()
    with pytest.raises(ReleaseError, match="the rows of knowledge/danube are not stored"):
        target.publish(tmp_path / "first", record)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("adapter/pytorch_model.bin", "x", "may hold a pickle"),
        ("optimizer.PT", "x", "may hold a pickle"),
        ("rows.pkl", "x", "may hold a pickle"),
        ("config.json", '{"a": [{"auto_map": {}}]}', "names code to run"),
        ("adapter/adapter_config.json", '{"auto_map": {}}', "names code to run"),
        ("tokenizer_config.json", '{"trust_remote_code": true}', "names code to run"),
        ("generation_config.json", "{", "is not JSON"),
    ],
)
def test_nothing_that_runs_code(tmp_path: Path, name: str, text: str, reason: str) -> None:
    write(tmp_path / name, text)
    (problem,) = unsafe_files(tmp_path)
    assert reason in problem


def test_a_base_is_stored_once_under_its_digest(tmp_path: Path, target: Target) -> None:
    write(tmp_path / "base" / "config.json", "{}")
    write(tmp_path / "base" / "stage.json", "{}")
    revision = digest(tree_digests(tmp_path / "base"))
    target.put_base(revision, tmp_path / "base")
    stored = target.base(revision) / "config.json"
    before = stored.stat().st_ino
    target.put_base(revision, tmp_path / "base")
    assert stored.stat().st_ino == before
    assert os.listdir(stored.parent) == ["config.json"]
    stored.write_text("spoilt")
    target.put_base(revision, tmp_path / "base")
    assert stored.read_text() == "{}"
    with pytest.raises(ReleaseError, match="is not of the revision"):
        target.put_base("0" * 64, tmp_path / "base")
    for unknown in ("0" * 64, "", "..", "../blobs"):
        with pytest.raises(ReleaseError, match="is not stored"):
            target.base(unknown)


def test_a_tampered_blob_is_not_read_and_is_mended_by_storing_it_again(
    tmp_path: Path, target: Target
) -> None:
    sha = target.put_blob(b"rows")
    assert target.read_blob(sha) == b"rows"
    (tmp_path / "target" / "blobs" / sha).write_bytes(b"lies")
    with pytest.raises(ReleaseError, match=f"{sha} is damaged"):
        target.read_blob(sha)
    assert target.put_blob(b"rows") == sha
    assert target.read_blob(sha) == b"rows"
    with pytest.raises(ReleaseError, match="is missing"):
        target.read_blob("0" * 64)


def test_a_broken_manifest_names_its_file(tmp_path: Path, target: Target) -> None:
    tag = publish_first(tmp_path, target)
    path = target.directory(tag) / "manifest.json"
    for text in ("{", "[]", "{}", path.read_text().replace('"v2026.01.01"', '"v2026.09.09"')):
        path.write_text(text)
        with pytest.raises(ReleaseError, match=str(path)):
            target.manifest(tag)
    path.unlink()
    with pytest.raises(ReleaseError, match=str(path)):
        target.manifest(tag)


def test_a_broken_head_or_tombstone_file_is_named(tmp_path: Path, target: Target) -> None:
    publish_first(tmp_path, target)
    (tmp_path / "target" / "tombstones.json").write_text('{"a": 1}')
    with pytest.raises(ReleaseError, match=r"tombstones\.json cannot be read"):
        target.tombstones()
    (tmp_path / "target" / "HEAD").write_text("../elsewhere")
    with pytest.raises(ReleaseError, match=r"HEAD holds '../elsewhere', no tag"):
        target.head()


def test_a_busy_target(tmp_path: Path, target: Target) -> None:
    record = build(tmp_path / "first", target)
    with (
        lock(tmp_path / "target" / ".lock", "it"),
        pytest.raises(GraftError, match="Another process is at work on the release target"),
    ):
        target.publish(tmp_path / "first", record)


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """Root writes anywhere, so that it has to lay down that capability for a while (capset(2)).

    Another user id would do as well, but in a user namespace there may be none.
    """
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    effective = sets[0]
    sets[0] = effective & ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = effective
        assert libc.capset(header, sets) == 0


def test_a_folder_that_cannot_be_written() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target = open_target(f"folder:{folder / 'target'}")
        record = build(folder / "first", target)
        folder.chmod(0o755)
        (folder / "target").chmod(0o555)
        (folder / "target" / "blobs").chmod(0o555)
        sentence = "The release target .* cannot be written: Permission denied"
        with without_rights():
            with pytest.raises(ReleaseError, match=sentence):
                target.publish(folder / "first", record)
            with pytest.raises(ReleaseError, match=sentence):
                target.put_blob(b"new")
            with pytest.raises(ReleaseError, match=sentence):
                target.withdraw("a", "0" * 64, "why")
            assert target.head() is None
        (folder / "target").chmod(0o755)
        assert sorted(os.listdir(folder / "target")) == ["blobs"]


def test_a_target_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    target = open_target(f"folder:{tmp_path / 'file'}")
    with pytest.raises(ReleaseError, match=r"file/HEAD cannot be read"):
        target.head()
    with pytest.raises(ReleaseError, match="cannot be written"):
        target.put_blob(b"x")
