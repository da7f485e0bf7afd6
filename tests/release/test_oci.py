"""The OCI target: killed at every request, swept, pulled by others, out of reach."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pipelines.artifacts import digest, tree_digests
from pipelines.errors import ReleaseError
from pipelines.records import BaseModel
from pipelines.release.targets import open_target
from pipelines.release.targets.oci import OciTarget
from pipelines.release.targets.oci_repository import OciRepository
from pipelines.release.verify import verify
from tests.release.builders import build, write
from tests.support.debian_registry import debian_registry, registry_program
from tests.support.registry import registry
from tests.support.serving import Quiet, served


class Killed(BaseException):
    """What no handler catches, as no handler catches SIGKILL."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as stand_in:
        yield stand_in.host


def dies(monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> Callable[[], int]:
    """Die at the request of that number, before it is sent or once it is done; how many there were."""
    sent = 0
    real = requests.Session.request

    def request(self: requests.Session, *words: Any, **options: Any) -> requests.Response:
        nonlocal sent
        sent += 1
        if sent == at and not after:
            raise Killed
        answer = real(self, *words, **options)
        if sent == at:
            raise Killed
        return answer

    monkeypatch.setattr(requests.Session, "request", request)
    return lambda: sent


def with_base(tmp_path: Path, target: OciTarget) -> Any:
    """A release that brings its base along."""
    write(tmp_path / "base" / "config.json", "{}")
    revision = digest(tree_digests(tmp_path / "base"))
    target.put_base(revision, tmp_path / "base")
    record = build(tmp_path / "built", target)
    return dataclasses.replace(record, base_model=BaseModel("graft-tiny", revision))


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_whoever_dies_at_any_request_is_finished_by_the_next(
    tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    at, alive = 0, False
    while not alive:
        at += 1
        place, folder = f"{host}/kill/{'after' if after else 'before'}{at}", tmp_path / str(at)
        first = OciTarget(place, folder / "one")
        record = with_base(folder, first)
        with monkeypatch.context() as patch:
            dies(patch, at, after=after)
            try:
                first.publish(folder / "built", record)
                alive = True
            except Killed:
                pass
        consumer = OciTarget(place, folder / "consumer")
        assert [problem for tag in consumer.tags() for problem in verify(consumer, tag)] == []
        assert consumer.head() in (None, record.release)
        second = OciTarget(place, folder / "two")
        assert second.publish(folder / "built", with_base(folder, second)) == record.release
        assert OciRepository(place).tags().count(record.release) == 1
        assert len(OciRepository(place).tags()) == 2
        assert verify(OciTarget(place, folder / "three"), record.release) == []
    assert at > 15


def test_of_two_publishers_one_wins_and_the_other_says_so(
    tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{host}/race"
    first, second = OciTarget(place, tmp_path / "one"), OciTarget(place, tmp_path / "two")
    ours = build(tmp_path / "ours", first)
    theirs = build(tmp_path / "theirs", second, leaves={"knowledge/rhine": "another"})
    real = first._send

    def meanwhile(*words: Any) -> Any:
        second.publish(tmp_path / "theirs", theirs)
        return real(*words)

    monkeypatch.setattr(first, "_send", meanwhile)
    with pytest.raises(ReleaseError, match=r"Someone else published v2026\.01\.01 meanwhile"):
        first.publish(tmp_path / "ours", ours)
    assert OciTarget(place, tmp_path / "three").manifest("v2026.01.01") == theirs


@pytest.mark.slow
def test_the_sweep_of_a_registry_leaves_a_release_whole(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    with debian_registry(folder) as host:
        target = OciTarget(f"{host}/swept", tmp_path / "one")
        target.publish(tmp_path / "built", with_base(tmp_path, target))
        OciRepository(f"{host}/swept").put_bytes(b"named by nothing")
    swept = subprocess.run(
        [registry_program(), "garbage-collect", folder / "config.yml"],
        capture_output=True,
        text=True,
    )
    assert swept.returncode == 0, swept.stderr
    assert "1 blobs" in swept.stdout + swept.stderr
    with debian_registry(folder) as host:
        target = OciTarget(f"{host}/swept", tmp_path / "two")
        assert verify(target, "v2026.01.01") == []
        assert target.base(target.manifest("v2026.01.01").base_model.revision).is_dir()


def test_oras_alone_pulls_the_files(
    tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oras.client import OrasClient

    target = OciTarget(f"{host}/pulled", tmp_path / "one")
    record = with_base(tmp_path, target)
    target.publish(tmp_path / "built", record)
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    rows = [leaf.data_hash for leaf in record.leaves.values()]
    OrasClient(insecure=True).pull(f"{host}/pulled:{record.release}", outdir=str(tmp_path / "out"))
    found = tree_digests(tmp_path / "out")
    assert {path: found[path] for path in record.files} == record.files
    assert {"manifest.json", "base/config.json"} <= found.keys()
    told = target.loading(record)
    assert (tmp_path / "out" / told.base / "config.json").is_file()
    assert (tmp_path / "out" / told.adapter / "adapter_config.json").is_file()
    assert all(OciRepository(f"{host}/pulled").read(sha) for sha in rows)


def test_unchanged_blobs_are_not_sent_again(
    tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = OciTarget(f"{host}/again", tmp_path / "one")
    target.publish(tmp_path / "built", with_base(tmp_path, target))
    leaves = {"knowledge/danube": "a river", "knowledge/rhine": "another"}
    later = OciTarget(f"{host}/again", tmp_path / "two")
    record = build(tmp_path / "next", later, "v2026.01.02", leaves=leaves, previous="v2026.01.01")
    before = tree_digests(tmp_path / "built")
    new = {file.sha256 for path, file in record.files.items() if before.get(path) != file}
    sent: list[str] = []
    real = requests.Session.request

    def request(self: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        if method == "PUT" and "/blobs/" in url:
            sent.append(url.rsplit("sha256%3A", 1)[-1].rsplit("sha256:", 1)[-1])
        return real(self, method, url, **options)

    monkeypatch.setattr(requests.Session, "request", request)
    later.publish(tmp_path / "next", record)
    rhine = record.leaves["knowledge/rhine"].data_hash
    assert len(sent) == len(new) + 2  # the new leaf's rows and the manifest
    assert {*new, rhine} <= set(sent)


def test_rows_that_were_withdrawn_leave_the_registry(tmp_path: Path, host: str) -> None:
    target = OciTarget(f"{host}/forgotten", tmp_path / "one")
    record = with_base(tmp_path, target)
    target.publish(tmp_path / "built", record)
    (entry,) = record.leaves.values()
    assert target.forget([entry.data_hash]) == ()
    assert target.forget([entry.data_hash]) == ()
    for other in (target, OciTarget(f"{host}/forgotten", tmp_path / "two")):
        assert not other.has_blob(entry.data_hash)
        with pytest.raises(ReleaseError, match="is missing in"):
            other.read_blob(entry.data_hash)


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"config": 1}', '{"config": {"digest": "sha256:a"}, "layers": [{}]}']
)
def test_a_manifest_of_another_shape_is_one_sentence(tmp_path: Path, body: str) -> None:
    """No sound registry takes one; this one answers so whatever it is asked for."""

    class Odd(Quiet):
        def do_GET(self) -> None:
            self.begin(200, {"Content-Type": "application/json"}, len(body))
            self.wfile.write(body.encode())

    with served(Odd) as host:
        target = open_target(f"oci:{host}/team/odd", tmp_path)
        with pytest.raises(ReleaseError, match=r" is no manifest: it has another shape\."):
            target.manifest("v2026.01.01")


def test_a_registry_out_of_reach_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        ReleaseError, match=r"The registry 127\.0\.0\.1:1 does not do what is asked"
    ):
        open_target("oci:127.0.0.1:1/me/model", tmp_path).head()


@pytest.mark.parametrize(
    "place", ["quay.io", "Quay.io/me", "quay.io/Me", "quay.io/me:tag", "a b/c"]
)
def test_a_place_that_is_no_repository(tmp_path: Path, place: str) -> None:
    with pytest.raises(ReleaseError, match="write oci:HOST/NAME"):
        open_target(f"oci:{place}", tmp_path)
