"""Publishing to the Hub while every request is spoilt in turn, while it is killed, and while two race.

A consumer, who knows nothing of Graft but the tags, looks in after every request: no tag may ever point to
something incomplete. Running again ends in exactly one release.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from pipelines.artifacts import digest, pretty_json, sha256, tree_digests
from pipelines.errors import ReleaseError
from pipelines.records import BaseModel, Manifest
from pipelines.release.manifest import MANIFEST, read_manifest
from pipelines.release.targets import Target, open_target
from pipelines.release.verify import verify
from tests.release.builders import build, rows, write
from tests.support.hub import RESET, Hub, hub, used

ROOT = Path(__file__).parents[2]
FIRST = {"knowledge/danube": "a river"}
SECOND = {**FIRST, "knowledge/octopus": "eight arms"}
TAGS = ["v2026.01.01", "v2026.01.02"]
# What goes wrong, and whether it does after the request took effect.
FAULTS = {
    "reset": (RESET, False),
    "429": (429, False),
    "500": (500, False),
    "412": (412, False),
    "answer lost": (RESET, True),
    "500 all the same": (500, True),
}


@dataclass
class Scene:
    """A stand-in whose repository ``me/model`` holds a first release, and a second one, built."""

    hub: Hub
    folder: Path
    second: Manifest
    count: int = 0

    def repository(self) -> str:
        """A fresh copy of the repositories as they were after the first release."""
        self.count += 1
        root, name = self.hub.store.root, f"me/m{self.count}"
        shutil.copytree(root / "models/me/model.git", root / f"models/{name}.git")
        shutil.copytree(root / "datasets/me/model-data.git", root / f"datasets/{name}-data.git")
        return name

    def target(self, repository: str, cache: str = "cache") -> Target:
        """A target as a machine opens it that has never seen it."""
        found = open_target(f"hub:{repository}", self.folder / "caches" / repository / cache)
        for leaf, text in SECOND.items():
            found.put_blob(rows(leaf, text))
        found.put_base(self.second.base_model.revision, self.folder / "base")
        return found

    def publish(self, repository: str) -> str:
        return self.target(repository).publish(self.folder / "second", self.second)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with hub(tmp_path / "hub") as stand_in:
        used(stand_in, monkeypatch, tmp_path / "home")
        write(tmp_path / "base" / "config.json", "{}")
        write(tmp_path / "base" / "model.safetensors", "weights")
        base = BaseModel("graft-tiny", digest(tree_digests(tmp_path / "base")))
        target = open_target("hub:me/model", tmp_path / "cache")
        target.put_base(base.revision, tmp_path / "base")
        first = build(tmp_path / "first", target, leaves=FIRST)
        target.publish(tmp_path / "first", dataclasses.replace(first, base_model=base))
        second = build(
            tmp_path / "second", target, TAGS[1], leaves=SECOND, previous=TAGS[0], continues=TAGS[0]
        )
        second = dataclasses.replace(second, base_model=base)
        (tmp_path / "second.json").write_bytes(pretty_json(second))
        yield Scene(stand_in, tmp_path, second)


def incomplete(stand_in: Hub, repository: str) -> list[str]:
    """What is wrong with what a consumer sees: every tag, and main, as the store holds them."""
    store, repo = stand_in.store, f"models/{repository}"
    points = store.refs(repo, "tags") | {"main": store.refs(repo, "heads")["main"]}
    wrong = []
    for name, commit in points.items():
        files = store.files(repo, commit)
        data = {path: store.read(repo, entry) for path, entry in files.items()}
        manifest = read_manifest(data[MANIFEST], name)
        if name not in ("main", manifest.release):
            wrong.append(f"{name} holds {manifest.release}")
        for path, want in manifest.files.items():
            if sha256(data.get(path, b"")) != want.sha256:
                wrong.append(f"{name} lacks {path}")
        for path in ("base/config.json", "base/model.safetensors"):
            if path not in data:
                wrong.append(f"{name} lacks {path}")
        assert manifest.data is not None
        held = store.files(f"datasets/{repository}-data", manifest.data.revision)
        for leaf in manifest.leaves.values():
            if f"blobs/{leaf.data_hash[:2]}/{leaf.data_hash}.jsonl" not in held:
                wrong.append(f"{name} lacks rows {leaf.data_hash}")
    return wrong


def assert_one_release_more(scene: Scene, repository: str) -> None:
    assert scene.publish(repository) == TAGS[1]  # once more changes nothing
    target = scene.target(repository, "a consumer's")
    assert (target.head(), target.tags()) == (TAGS[1], TAGS)
    assert verify(target, TAGS[1]) == []
    assert incomplete(scene.hub, repository) == []
    assert scene.hub.store.refs(f"models/{repository}", "heads").keys() == {"main"}


def requests_of_a_publish(scene: Scene) -> int:
    """How many requests a publish takes that nothing disturbs."""
    repository = scene.repository()
    before = len(scene.hub.asked)
    assert scene.publish(repository) == TAGS[1]
    count = len(scene.hub.asked) - before
    assert_one_release_more(scene, repository)
    return count


@contextlib.contextmanager
def spoilt(scene: Scene, repository: str, at: int, fault: str) -> Iterator[list[str]]:
    """Spoil the request ``at`` from here; yields what a consumer sees meanwhile that he must not."""
    status, after = FAULTS[fault]
    wanted = len(scene.hub.asked) + at
    seen: list[str] = []

    def hook(number: int, method: str, path: str) -> int | None:
        return status if number == wanted else None

    def look(number: int, method: str, path: str) -> int | None:
        if method != "GET" and method != "HEAD":
            seen.extend(incomplete(scene.hub, repository))
        return hook(number, method, path) if after else None

    scene.hub.before, scene.hub.after = (None if after else hook), look
    try:
        yield seen
    finally:
        scene.hub.before = scene.hub.after = None


def publish_spoilt(scene: Scene, at: int, fault: str) -> None:
    repository = scene.repository()
    with spoilt(scene, repository, at, fault) as seen:
        with contextlib.suppress(ReleaseError):
            scene.publish(repository)
        assert seen == [], (fault, at)
    assert scene.publish(repository) == TAGS[1], (fault, at)
    assert_one_release_more(scene, repository)


@pytest.mark.parametrize("fault", FAULTS)
def test_some_requests_spoilt(scene: Scene, fault: str) -> None:
    """The commit on main and the tag; the rest is in the slow sweep."""
    repository = scene.repository()
    before = len(scene.hub.asked)
    scene.publish(repository)
    for at, (_, path) in enumerate(scene.hub.asked[before:], 1):
        if "/models/" in path and (path.endswith("/commit/main") or "/tag/" in path):
            publish_spoilt(scene, at, fault)


def test_a_signature_whose_commit_was_spoilt_lies_there_in_the_end(scene: Scene) -> None:
    repository = scene.repository()
    target = scene.target(repository)
    before = len(scene.hub.asked)
    target.sign(TAGS[0], b"first")
    paths = [path for _, path in scene.hub.asked[before:]]
    at = next(at for at, path in enumerate(paths, 1) if path.endswith("/commit/main"))
    for fault in FAULTS:
        made = f"after {fault}".encode()
        with spoilt(scene, repository, at, fault) as seen:
            with contextlib.suppress(ReleaseError):
                target.sign(TAGS[0], made)
            assert seen == [], fault
        scene.target(repository, "elsewhere").sign(TAGS[0], made)
        assert target.signature(TAGS[0]) == made
        assert (target.head(), target.tags()) == (TAGS[0], TAGS[:1])


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_every_request_spoilt(scene: Scene, fault: str) -> None:
    count = requests_of_a_publish(scene)
    assert count > 20
    for at in range(1, count + 1):
        publish_spoilt(scene, at, fault)


def start(scene: Scene, repository: str, built: str = "second") -> subprocess.Popen[str]:
    """A process that is about to publish, and waits for a line on its standard input."""
    cache = scene.folder / "caches" / repository / "cache"
    words = [repository, scene.folder / built, scene.folder / f"{built}.json", cache]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.release.hub_crash", *map(str, words)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == f"{process.pid}\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def publish_killed(scene: Scene, due: Callable[[int, str], bool], after: bool) -> bool:
    """Kill the publisher before the request that is due takes effect, or after it did; False where it came
    to its end, since none was."""
    repository = scene.repository()
    scene.target(repository)
    process = start(scene, repository)
    before = len(scene.hub.asked)

    def kill(number: int, method: str, path: str) -> int | None:
        if not due(number - before, path):
            return None
        process.send_signal(signal.SIGKILL)
        process.wait()
        return RESET

    scene.hub.before, scene.hub.after = (None, kill) if after else (kill, None)
    go(process)
    process.communicate()
    scene.hub.before = scene.hub.after = None
    assert process.returncode in (0, -signal.SIGKILL)
    assert incomplete(scene.hub, repository) == []
    assert scene.publish(repository) == TAGS[1]
    assert_one_release_more(scene, repository)
    return process.returncode != 0


def _is(wanted: int, number: int, path: str) -> bool:
    return number == wanted


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_killed_at_every_request(scene: Scene, after: bool) -> None:
    at = 1
    while publish_killed(scene, partial(_is, at), after):
        at += 1
    assert at > 20


@pytest.mark.parametrize(
    ("step", "after"), [("/commit/main", False), ("/commit/main", True), ("/tag/", True)]
)
def test_killed_at_the_steps_that_count(scene: Scene, step: str, after: bool) -> None:
    assert publish_killed(scene, lambda number, path: "/models/" in path and step in path, after)


def test_killed_between_main_and_tag_is_finished_by_whoever_comes_next(scene: Scene) -> None:
    """Here another release comes next: it finds the first finished, and leaves."""
    repository = scene.repository()
    status = {"tag": RESET}
    scene.hub.before = lambda number, method, path: status.get(path.split("/")[-2])
    with pytest.raises(ReleaseError, match="Graft cannot write to the model"):
        scene.publish(repository)
    scene.hub.before = None
    other = scene.target(repository, "elsewhere")
    assert (other.head(), other.tags()) == (TAGS[0], TAGS[:1])  # nobody has it yet
    rival = build(
        scene.folder / "rival", other, "v2026.01.02.1", leaves={"knowledge/x": "x"},
        previous=TAGS[0],
    )  # fmt: skip
    with pytest.raises(ReleaseError, match=r"Someone else published v2026\.01\.02 meanwhile"):
        other.publish(scene.folder / "rival", rival)
    assert (other.head(), other.tags()) == (TAGS[1], TAGS)
    assert_one_release_more(scene, repository)


def test_two_publishers_at_once(scene: Scene) -> None:
    repository = scene.repository()
    target = scene.target(repository)
    rival = build(
        scene.folder / "rival", target, "v2026.01.02.1", leaves={"knowledge/x": "x"},
        previous=TAGS[0],
    )  # fmt: skip
    (scene.folder / "rival.json").write_bytes(pretty_json(rival))
    processes = [start(scene, repository, built) for built in ("second", "rival")]
    for process in processes:
        go(process)
    outputs = [process.communicate()[0].strip() for process in processes]
    codes = [process.returncode for process in processes]
    assert sorted(codes) == [0, 1], outputs
    winner, loser = outputs[codes.index(0)], outputs[codes.index(1)]
    assert "Someone else published" in loser
    found = scene.target(repository, "a consumer's")
    assert (found.head(), found.tags()) == (winner, [TAGS[0], winner])
    assert verify(found, winner) == []
