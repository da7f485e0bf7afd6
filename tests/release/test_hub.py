"""The Hub as a target: tokens, a cache that is damaged, what it says where the Hub is not as it should be."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.artifacts import digest, sha256, tree_digests
from pipelines.errors import ReleaseError
from pipelines.records import BaseModel
from pipelines.release.targets import Target, open_target
from pipelines.release.targets.hub_repository import HubRepository
from pipelines.release.verify import verify
from tests.release.builders import build, rows, write
from tests.support.hub import Hub, hub, used


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub(tmp_path / "hub") as found:
        used(found, monkeypatch, tmp_path / "home")
        yield found


def target(tmp_path: Path) -> Target:
    return open_target("hub:me/model", tmp_path / "cache")


def publish(tmp_path: Path) -> str:
    found = target(tmp_path)
    write(tmp_path / "base" / "config.json", "{}")
    write(tmp_path / "base" / "model.safetensors", "weights")
    base = BaseModel("graft-tiny", digest(tree_digests(tmp_path / "base")))
    found.put_base(base.revision, tmp_path / "base")
    record = build(tmp_path / "first", found)
    return found.publish(tmp_path / "first", dataclasses.replace(record, base_model=base))


@pytest.mark.parametrize("name", ["model", "me/", "me/mo/del", "../x", "me/m odel"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(ReleaseError, match="names no repository of the Hub; write hub:OWNER/NAME"):
        open_target(f"hub:{name}")


@pytest.mark.parametrize("token", ["", "hf_reader"])
def test_a_token_that_may_not_write(
    stand_in: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    stand_in.tokens["hf_reader"] = "models/someone/else"
    with pytest.raises(ReleaseError, match=r"The Hub does not let this token .* set HF_TOKEN"):
        publish(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    assert target(tmp_path).head() is None


def test_what_graft_makes_is_private(
    stand_in: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path)
    assert stand_in.store.private("models/me/model")
    assert stand_in.store.private("datasets/me/model-data")
    monkeypatch.setenv("HF_TOKEN", "")
    with pytest.raises(ReleaseError, match="does not let this token read the model me/model"):
        target(tmp_path).head()


def test_a_trusted_publisher_needs_no_secret(
    stand_in: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each repository gets the token that is its own; the two exist already, as the Hub wants it then."""
    publish(tmp_path)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_OIDC_RESOURCE", "me/model")
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", "a-workflow")
    second = build(
        tmp_path / "second", target(tmp_path), "v2026.01.02", leaves={"a": "b"},
        previous="v2026.01.01",
    )  # fmt: skip
    found = target(tmp_path)
    found.put_blob(rows("a", "b"))
    assert found.publish(tmp_path / "second", second) == "v2026.01.02"
    given = {scope for token, scope in stand_in.tokens.items() if token != "hf_writer"}
    assert given == {"models/me/model", "datasets/me/model-data"}


def test_what_is_damaged_in_the_cache_is_fetched_again(stand_in: Hub, tmp_path: Path) -> None:
    tag = publish(tmp_path)
    found = target(tmp_path)
    found.directory(tag)
    blob = sha256(rows("knowledge/danube", "a river"))
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            path.write_bytes(b"spoilt")
    again = target(tmp_path)
    assert again.read_blob(blob) == rows("knowledge/danube", "a river")
    assert verify(again, tag) == []
    assert sorted(path.name for path in (tmp_path / "cache").rglob(".*.*")) == []


def test_what_is_in_the_cache_needs_few_requests(stand_in: Hub, tmp_path: Path) -> None:
    tag = publish(tmp_path)
    assert verify(target(tmp_path), tag) == []
    before = len(stand_in.asked)
    assert verify(target(tmp_path), tag) == []
    asked = stand_in.asked[before:]
    read = {path for _, path in asked if "/resolve/" in path}
    assert all(path.endswith("/tombstones.json") for path in read), asked
    assert len([path for _, path in asked if path in read]) <= 1, asked


def test_what_the_hub_holds_is_not_sent_again(stand_in: Hub, tmp_path: Path) -> None:
    """Neither large files nor regular ones: the second commit brings what is new, and no more."""
    publish(tmp_path)
    found = target(tmp_path)
    before = len(stand_in.asked)
    leaves = {"knowledge/danube": "a river", "knowledge/rhine": "another"}
    second = build(tmp_path / "second", found, "v2026.01.02", leaves=leaves, previous="v2026.01.01")
    revision = found.manifest("v2026.01.01").base_model.revision
    base = BaseModel("graft-tiny", revision)
    record = dataclasses.replace(second, base_model=base)
    found.publish(tmp_path / "second", record)
    sent = [path for method, path in stand_in.asked[before:] if method == "PUT"]
    assert sent == [f"/storage/{record.files['adapter/adapter_model.safetensors'].sha256}"]
    again = len(stand_in.asked)
    assert found.publish(tmp_path / "second", record) == "v2026.01.02"
    written = [path for method, path in stand_in.asked[again:] if method != "GET"]
    assert [path for path in written if path != "/api/repos/create"] == []


@pytest.mark.parametrize("many", [500, 1])
def test_the_rows_of_a_release_come_together(
    stand_in: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr("pipelines.release.targets.hub.MANY", many)
    found = target(tmp_path)
    leaves = {f"knowledge/{number}": str(number) for number in range(12)}
    found.publish(tmp_path / "first", build(tmp_path / "first", found, leaves=leaves))
    elsewhere = open_target("hub:me/model", tmp_path / "elsewhere")
    before = len(stand_in.asked)
    for leaf, text in leaves.items():
        assert elsewhere.read_blob(sha256(rows(leaf, text))) == rows(leaf, text)
    listed = [path for _, path in stand_in.asked[before:] if "/tree/" in path]
    assert len(listed) == 2  # what there is, and what to fetch


def test_a_release_that_does_not_hold_what_its_manifest_names(
    stand_in: Hub, tmp_path: Path
) -> None:
    tag = publish(tmp_path)
    stand_in.store.commit("models/me/model", "main", None, {"README.md": b"changed"}, "by hand")
    commit = stand_in.store.resolve("models/me/model", "main")
    stand_in.store.drop_ref("models/me/model", f"tags/{tag}")
    stand_in.store.set_ref("models/me/model", f"tags/{tag}", commit)
    elsewhere = open_target("hub:me/model", tmp_path / "elsewhere")
    with pytest.raises(ReleaseError, match=r"v2026\.01\.01 of me/model is damaged: README\.md"):
        elsewhere.directory(tag)


def test_a_card_that_was_changed_by_hand_is_mended_by_the_next_release(
    stand_in: Hub, tmp_path: Path
) -> None:
    publish(tmp_path)
    stand_in.store.commit("models/me/model", "main", None, {"note.txt": b"hello"}, "by hand")
    found = target(tmp_path)
    second = build(
        tmp_path / "second", found, "v2026.01.02", leaves={"a": "b"}, previous="v2026.01.01"
    )
    assert found.publish(tmp_path / "second", second) == "v2026.01.02"
    assert verify(open_target("hub:me/model", tmp_path / "elsewhere"), "v2026.01.02") == []


def test_a_tree_of_many_pages(stand_in: Hub) -> None:
    files = {f"blobs/{number:02}/{number}.jsonl": b"%d" % number for number in range(1200)}
    commit = stand_in.seed("datasets/me/model-data", files)
    assert HubRepository("me/model-data", "dataset").files(commit).keys() == files.keys()
    assert len([path for _, path in stand_in.asked if "/tree/" in path]) == 3


def test_tombstones_that_cannot_be_read(stand_in: Hub, tmp_path: Path) -> None:
    stand_in.seed("datasets/me/model-data", {"tombstones.json": json.dumps({"a": 1}).encode()})
    with pytest.raises(ReleaseError, match=r"tombstones\.json of me/model-data cannot be read"):
        target(tmp_path).tombstones()


def test_a_hub_that_does_not_answer_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub(tmp_path / "hub") as stand_in:
        used(stand_in, monkeypatch, tmp_path / "home")
    with pytest.raises(ReleaseError, match=r"Graft cannot read the model me/model of the Hub: "):
        target(tmp_path).head()
