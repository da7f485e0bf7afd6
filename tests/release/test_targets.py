"""The contract of every release target: what it stores, publishes, refuses, and gives back."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path

import pytest

from pipelines.artifacts import digest, file_digest, sha256, tree_digests
from pipelines.errors import ReleaseError
from pipelines.records import BaseModel, Manifest
from pipelines.release.targets import KINDS, Target, open_target
from pipelines.release.verify import verify
from tests.release.builders import build, rows, write
from tests.release.places import PLACES, Place


@pytest.fixture
def target(place: Place) -> Target:
    return place.open()


def without_data(manifest: Manifest) -> Manifest:
    """A target may add where it keeps the rows, and nothing else."""
    return dataclasses.replace(manifest, data=None)


def publish_first(tmp_path: Path, target: Target) -> str:
    return target.publish(tmp_path / "first", build(tmp_path / "first", target))


def publish_second(tmp_path: Path, target: Target) -> str:
    leaves = {"knowledge/danube": "a river", "knowledge/rhine": "another"}
    second = build(
        tmp_path / "second",
        target,
        "v2026.01.02",
        leaves=leaves,
        previous="v2026.01.01",
        continues="v2026.01.01",
    )
    return target.publish(tmp_path / "second", second)


def test_every_kind_keeps_the_contract() -> None:
    assert PLACES.keys() == KINDS.keys()


@pytest.mark.parametrize("spec", ["", "folder:", "folder", "ftp:me/model", "/tmp/releases"])
def test_the_kinds_are_named_where_there_is_no_such_target(spec: str) -> None:
    known = " or ".join(f"{kind}:{form}" for kind, (form, _) in KINDS.items())
    with pytest.raises(ReleaseError, match=f"is not a release target; write {known}"):
        open_target(spec)


def test_a_new_target_is_empty(target: Target) -> None:
    assert target.head() is None
    assert target.tags() == []
    assert target.tombstones() == ()
    assert not target.has_blob("0" * 64)
    assert target.next_tag(date(2026, 1, 1)) == "v2026.01.01"
    with pytest.raises(ReleaseError, match=r"There is no release v2026.01.01 in .*there are: none"):
        target.manifest("v2026.01.01")


def test_a_release_is_what_was_built_for_whoever_opens_the_target(
    tmp_path: Path, place: Place
) -> None:
    target = place.open()
    record = build(tmp_path / "first", target)
    (tmp_path / "first" / "stage.json").write_text("{}")
    assert target.publish(tmp_path / "first", record) == "v2026.01.01"
    for other in (target, place.open("elsewhere")):
        assert other.head() == "v2026.01.01"
        assert without_data(other.manifest("v2026.01.01")) == record
        directory = other.directory("v2026.01.01")
        assert tree_digests(directory).keys() == record.files.keys() | {"manifest.json"}
        assert {path: file_digest(directory / path) for path in record.files} == record.files
        assert verify(other, "v2026.01.01") == []
        blob = sha256(rows("knowledge/danube", "a river"))
        assert other.has_blob(blob)
        assert other.read_blob(blob) == rows("knowledge/danube", "a river")


def test_releases_follow_each_other(tmp_path: Path, place: Place) -> None:
    publish_first(tmp_path, place.open())
    assert publish_second(tmp_path, place.open("second")) == "v2026.01.02"
    target = place.open("third")
    assert target.head() == "v2026.01.02"
    assert target.tags() == ["v2026.01.01", "v2026.01.02"]
    assert [problem for tag in target.tags() for problem in verify(target, tag)] == []


def test_the_same_inputs_are_published_once(tmp_path: Path, target: Target) -> None:
    publish_first(tmp_path, target)
    again = build(tmp_path / "again", target, "v2026.01.05")
    assert target.publish(tmp_path / "again", again) == "v2026.01.01"
    assert target.tags() == ["v2026.01.01"]


def test_the_head_moved_meanwhile(tmp_path: Path, target: Target) -> None:
    late = build(tmp_path / "late", target, "v2026.01.01.1", leaves={"knowledge/x": "x"})
    publish_first(tmp_path, target)
    with pytest.raises(ReleaseError, match=r"Someone else published v2026.01.01 .* run again"):
        target.publish(tmp_path / "late", late)
    assert target.tags() == ["v2026.01.01"]


def test_tags_never_move(tmp_path: Path, target: Target) -> None:
    publish_first(tmp_path, target)
    again = build(tmp_path / "again", target, leaves={"knowledge/x": "x"}, previous="v2026.01.01")
    with pytest.raises(ReleaseError, match="tags never move"):
        target.publish(tmp_path / "again", again)


def test_tags_of_a_day(tmp_path: Path, target: Target) -> None:
    day, previous = date(2026, 1, 1), None
    for count in range(3):
        tag = target.next_tag(day)
        record = build(
            tmp_path / tag, target, tag, leaves={"knowledge/x": str(count)}, previous=previous
        )
        previous = target.publish(tmp_path / tag, record)
    assert target.tags() == ["v2026.01.01", "v2026.01.01.1", "v2026.01.01.2"]
    assert target.next_tag(day) == "v2026.01.01.3"
    assert target.next_tag(date(2026, 1, 10)) == "v2026.01.10"
    assert target.next_tag(date(2025, 12, 24)) == "v2026.01.01.3"  # a clock that is late


def test_a_changed_file_is_not_published(tmp_path: Path, target: Target) -> None:
    record = build(tmp_path / "first", target)
    (tmp_path / "first" / "README.md").write_text("changed")
    with pytest.raises(ReleaseError, match=r"README\.md is not the file that the manifest names"):
        target.publish(tmp_path / "first", record)
    assert target.tags() == []
    assert target.head() is None


def test_a_file_that_the_manifest_does_not_list(tmp_path: Path, target: Target) -> None:
    record = build(tmp_path / "first", target)
    (tmp_path / "first" / "notes.txt").write_text("forgotten")
    with pytest.raises(ReleaseError, match=r"notes\.txt is not in the manifest"):
        target.publish(tmp_path / "first", record)


def test_rows_must_be_stored_first(tmp_path: Path, place: Place) -> None:
    record = build(tmp_path / "first", open_target(f"folder:{tmp_path / 'other'}"))
    with pytest.raises(ReleaseError, match="the rows of knowledge/danube are not stored"):
        place.open().publish(tmp_path / "first", record)


@pytest.mark.parametrize("path", ["../escape", "/etc/passwd", "a/../b", "manifest.json", "a\\b"])
def test_paths_stay_inside_the_release(tmp_path: Path, target: Target, path: str) -> None:
    record = build(tmp_path / "first", target)
    files = {**record.files, path: record.files["README.md"]}
    with pytest.raises(ReleaseError, match="a path under files that may not stand there"):
        target.publish(tmp_path / "first", dataclasses.replace(record, files=files))
    assert not (tmp_path / "escape").exists()


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("adapter/pytorch_model.bin", "x", "may hold a pickle"),
        ("config.json", '{"a": [{"auto_map": {}}]}', "names code to run"),
        ("generation_config.json", "{", "is not JSON"),
    ],
)
def test_nothing_that_runs_code(
    tmp_path: Path, target: Target, name: str, text: str, reason: str
) -> None:
    record = build(tmp_path / "first", target)
    write(tmp_path / "first" / name, text)
    record = dataclasses.replace(record, files=tree_digests(tmp_path / "first"))
    with pytest.raises(ReleaseError, match=reason):
        target.publish(tmp_path / "first", record)
    base = tmp_path / "first"
    with pytest.raises(ReleaseError, match=reason):
        target.put_base(digest(tree_digests(base)), base)


def test_symlinks_are_refused(tmp_path: Path, target: Target) -> None:
    record = build(tmp_path / "first", target)
    (tmp_path / "first" / "link.txt").symlink_to("/etc/hostname")
    with pytest.raises(ReleaseError, match=r"link\.txt is a symlink"):
        target.publish(tmp_path / "first", record)


def test_a_base_travels_with_the_release_that_names_it(tmp_path: Path, place: Place) -> None:
    write(tmp_path / "base" / "config.json", "{}")
    write(tmp_path / "base" / "model.safetensors", "weights")
    write(tmp_path / "base" / "stage.json", "{}")
    revision = digest(tree_digests(tmp_path / "base"))
    target = place.open()
    with pytest.raises(ReleaseError, match="is not of the revision"):
        target.put_base("0" * 64, tmp_path / "base")
    target.put_base(revision, tmp_path / "base")
    record = build(tmp_path / "first", target)
    record = dataclasses.replace(record, base_model=BaseModel("graft-tiny", revision))
    target.publish(tmp_path / "first", record)
    publish_second(tmp_path, target)  # of another base
    other = place.open("elsewhere")
    assert tree_digests(other.base(revision)) == tree_digests(tmp_path / "base")
    assert verify(other, "v2026.01.01") == []
    for unknown in ("0" * 64, "", "..", "../blobs"):
        with pytest.raises(ReleaseError, match="is not stored"):
            other.base(unknown)


def test_withdrawn_content_is_not_published(tmp_path: Path, place: Place) -> None:
    target = place.open()
    publish_first(tmp_path, target)
    content = digest("a river")
    target.withdraw("knowledge/danube", content, "licence revoked")
    target.withdraw("knowledge/danube", content, "again")
    (tombstone,) = place.open("elsewhere").tombstones()
    assert (tombstone.leaf, tombstone.content_hash) == ("knowledge/danube", content)
    assert (tombstone.reason, tombstone.release) == ("licence revoked", "v2026.01.01")
    with pytest.raises(ReleaseError, match="has seen withdrawn content"):
        publish_second(tmp_path, target)
    clean = build(
        tmp_path / "clean", target, "v2026.01.02", leaves={"a": "x"}, previous="v2026.01.01"
    )
    assert target.publish(tmp_path / "clean", clean) == "v2026.01.02"
    with pytest.raises(ReleaseError, match="has seen withdrawn content"):
        target.rollback("v2026.01.01")
    assert target.head() == "v2026.01.02"


def test_a_release_that_has_seen_withdrawn_content_is_yanked_and_its_rows_go(
    tmp_path: Path, place: Place
) -> None:
    target = place.open()
    publish_first(tmp_path, target)
    entry = target.manifest("v2026.01.01").leaves["knowledge/danube"]
    target.withdraw("knowledge/danube", entry.content_hash, "licence revoked")
    left = target.forget([entry.data_hash])
    assert set(left) <= {entry.data_hash}  # where a history keeps them, that is said
    elsewhere = place.open("elsewhere")
    assert verify(elsewhere, "v2026.01.01") == [
        "v2026.01.01 is yanked: it has seen knowledge/danube, which is withdrawn: licence revoked"
    ]
    assert target.tags() == ["v2026.01.01"]
    target.forget([entry.data_hash])  # a second time changes nothing


def test_a_rollback_gives_an_earlier_release_back(tmp_path: Path, place: Place) -> None:
    target = place.open()
    publish_first(tmp_path, target)
    publish_second(tmp_path, target)
    target.rollback("v2026.01.01")
    target.rollback("v2026.01.01")
    other = place.open("elsewhere")
    assert other.head() == "v2026.01.01"
    assert other.tags() == ["v2026.01.01", "v2026.01.02"]
    assert verify(other, "v2026.01.02") == []
    with pytest.raises(ReleaseError, match=r"There is no release v2026\.09\.09"):
        target.rollback("v2026.09.09")
    leaves = {"knowledge/danube": "a river", "knowledge/rhine": "another"}
    again = build(
        tmp_path / "again", target, "v2026.01.03", leaves=leaves,
        previous="v2026.01.01", continues="v2026.01.01",
    )  # fmt: skip
    with pytest.raises(ReleaseError, match=r"are the release v2026\.01\.02 already.*rollback"):
        target.publish(tmp_path / "again", again)
    new = build(tmp_path / "new", target, "v2026.01.03", leaves={"a": "x"}, previous="v2026.01.01")
    assert target.publish(tmp_path / "new", new) == "v2026.01.03"
    assert verify(place.open("third"), "v2026.01.03") == []
