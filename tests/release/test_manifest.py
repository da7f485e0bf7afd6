"""Manifests: reading, tags, ancestry, and where a run may start."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.artifacts import pretty_json
from pipelines.errors import ReleaseError
from pipelines.records import DataSource, LeafChange, Manifest, Taught, as_json
from pipelines.release.manifest import (
    lineage,
    next_tag,
    plain_path,
    read_manifest,
    schema_problem,
    tag_order,
)
from pipelines.release.targets import open_target
from tests.release.builders import build, manifest, retire

SCHEMA = json.loads((Path(__file__).parents[2] / "schema" / "manifest.json").read_bytes())


def test_round_trip() -> None:
    record = retire(manifest(previous="v2025.12.31.2", continues="v2025.12.31"), "0" * 64)
    assert read_manifest(pretty_json(record), "here") == record
    assert schema_problem(record) == ""


def test_the_schema_knows_every_field() -> None:
    fields = dataclasses.fields(Manifest)
    assert set(SCHEMA["properties"]) == {field.name for field in fields}
    missing = dataclasses.MISSING
    given = {f.name for f in fields if f.default is missing and f.default_factory is missing}
    assert set(SCHEMA["required"]) == given


def test_what_was_overruled_or_approved_and_what_is_yanked_comes_back_and_may_be_left_out() -> None:
    record = dataclasses.replace(
        manifest("v2026.01.02"),
        allowed={"verdict": "the verdict is INCONCLUSIVE"},
        yanked={"v2026.01.01": "it has seen knowledge/a, which is withdrawn: no licence"},
        approvers=("Ada", "Grace"),
    )
    assert schema_problem(record) == ""
    data = as_json(record)
    assert read_manifest(json.dumps(data).encode(), "x") == record
    with pytest.raises(ReleaseError, match="no reasons under yanked"):
        read_manifest(json.dumps({**data, "yanked": {"v2026.01.01": 3}}).encode(), "x")
    del data["allowed"], data["yanked"], data["approvers"]
    found = read_manifest(json.dumps(data).encode(), "x")
    assert (found.allowed, found.yanked, found.approvers) == ({}, {}, ())


def test_a_manifest_of_the_first_releases_is_read() -> None:
    record = manifest()
    data = as_json(record)
    for key in ("data", "changes", "composition"):
        del data[key]
    assert read_manifest(json.dumps(data).encode(), "x") == record


def test_what_a_release_tells_of_its_data_comes_back() -> None:
    record = dataclasses.replace(
        manifest(),
        data=DataSource("me/model-data", "c" * 40),
        changes=(LeafChange("knowledge/a", "renamed", "knowledge/b"),),
        composition=(Taught("knowledge", 3, 40, 5, 7),),
    )
    assert schema_problem(record) == ""
    assert read_manifest(json.dumps(as_json(record)).encode(), "x") == record


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("release", None, "no tag under release"),
        ("release", "../x", "no tag under release"),
        ("previous", "latest", "no tag under previous"),
        ("continues", 5, "no tag under continues"),
        ("lineage_key", 5, "no text under lineage_key"),
        ("input_digest", None, "no text under input_digest"),
        ("created", "yesterday", "no date under created"),
        ("created", None, "no date under created"),
        ("base_model", {"id": "x", "revision": None}, "no id and revision"),
        ("base_model", {"id": "x"}, "another shape"),
        ("leaves", [], "another shape"),
        ("leaves", {"a": {"content_hash": "x"}}, "lacks the key 'data_hash'"),
        ("retired", [{"leaf": "a", "content_hash": "..", "reason": "edited"}], "under retired"),
        ("files", {"a": {"sha256": "x", "size": 1}}, "no digest under files"),
        ("files", {"../a": {"sha256": "0" * 64, "size": 1}}, "may not stand there"),
    ],
)
def test_a_broken_manifest_says_where_and_what(key: str, value: object, sentence: str) -> None:
    data = as_json(manifest()) | {key: value}
    with pytest.raises(ReleaseError, match=r"The manifest some/manifest\.json ") as caught:
        read_manifest(json.dumps(data).encode(), "some/manifest.json")
    assert sentence in str(caught.value)


@pytest.mark.parametrize("key", sorted(SCHEMA["required"]))
def test_no_key_may_be_missing(key: str) -> None:
    data = as_json(manifest())
    del data[key]
    with pytest.raises(ReleaseError, match=f"lacks the key '{key}'"):
        read_manifest(json.dumps(data).encode(), "x")


def test_no_other_error_than_ours_on_strange_bytes() -> None:
    for data in (b"", b"\xff", b"null", b"3", b"[" * 100_000):
        with pytest.raises(ReleaseError, match="The manifest x"):
            read_manifest(data, "x")


def test_the_schema_finds_what_reading_lets_pass() -> None:
    record = dataclasses.replace(manifest(), evaluation=[])
    assert schema_problem(record).startswith("$.evaluation")


@given(st.text())
def test_a_plain_path_never_leaves_its_directory(path: str) -> None:
    if plain_path(path):
        root = Path("/release")
        assert (root / path).is_relative_to(root)
        assert ".." not in (root / path).parts
        assert (root / path) != root


@given(st.lists(st.dates(date(2000, 1, 1), date(2099, 12, 31)), max_size=30))
def test_tags_are_new_and_sort_as_they_came(days: list[date]) -> None:
    taken: list[str] = []
    for day in days:
        tag = next_tag(day, taken)
        assert tag not in taken
        taken.append(tag)
    assert taken == sorted(taken, key=tag_order)
    latest = [f"{max(days[:count]):%Y.%m.%d}" for count in range(1, len(days) + 1)]
    assert [tag[1:11] for tag in taken] == latest


# --- ancestry --------------------------------------------------------------------------------


def test_lineage_follows_the_weights_not_the_history(tmp_path: Path) -> None:
    target = open_target(f"folder:{tmp_path / 'target'}")
    previous: str | None = None
    for day, continues in ((1, None), (2, "v2026.01.01"), (3, "v2026.01.01")):
        tag = f"v2026.01.0{day}"
        record = build(
            tmp_path / tag,
            target,
            tag,
            leaves={"knowledge/x": tag},
            previous=previous,
            continues=continues,
        )
        previous = target.publish(tmp_path / tag, record)
    tags = [record.release for record in lineage(target, "v2026.01.03")]
    assert tags == ["v2026.01.03", "v2026.01.01"]
    with pytest.raises(ReleaseError, match="There is no release"):
        lineage(target, "v2026.01.09")
    path = target.directory("v2026.01.01") / "manifest.json"
    looped = as_json(target.manifest("v2026.01.01")) | {"continues": "v2026.01.03"}
    path.write_text(json.dumps(looped))
    with pytest.raises(ReleaseError, match="continues itself"):
        lineage(target, "v2026.01.03")
