"""``verify`` finds whatever was changed behind a release's back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.artifacts import digest, pretty_json, sha256, tree_digests
from pipelines.errors import ReleaseError
from pipelines.records import BaseModel, as_json
from pipelines.release.targets import Target, open_target
from pipelines.release.verify import verify
from tests.release.builders import build, rows, write

FIRST, SECOND = "v2026.01.01", "v2026.01.02"


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """Two releases on a base that the target stores."""
    target = open_target(f"folder:{tmp_path / 'target'}")
    write(tmp_path / "base" / "config.json", "{}")
    revision = digest(tree_digests(tmp_path / "base"))
    target.put_base(revision, tmp_path / "base")
    previous = None
    for tag in (FIRST, SECOND):
        record = build(
            tmp_path / tag,
            target,
            tag,
            leaves={"knowledge/x": tag},
            previous=previous,
            continues=previous,
        )
        record = dataclasses.replace(record, base_model=BaseModel("graft-tiny", revision))
        previous = target.publish(tmp_path / tag, record)
    assert verify(target, FIRST) == verify(target, SECOND) == []
    return target


def change_manifest(root: Path, tag: str, **changes: object) -> None:
    path = root / tag / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


def blob(tag: str) -> str:
    return sha256(rows("knowledge/x", tag))


def leaf(tag: str) -> str:
    return f"leaves/{digest(tag)}.json"


FAULTS: dict[str, Callable[[Path], object]] = {
    "README.md is not the file": lambda root: (root / SECOND / "README.md").write_text("lies"),
    "README.md is missing": lambda root: (root / SECOND / "README.md").unlink(),
    f"{leaf(SECOND)} is missing": lambda root: (root / SECOND / leaf(SECOND)).unlink(),
    "more.md is not in the manifest": lambda root: (root / SECOND / "more.md").write_text("x"),
    "x.pt may hold a pickle": lambda root: (root / SECOND / "x.pt").write_text("x"),
    "is a symlink": lambda root: (root / SECOND / "x").symlink_to("README.md"),
    "is damaged": lambda root: (root / "blobs" / blob(SECOND)).write_text("lies"),
    "are not stored": lambda root: (root / "blobs" / blob(SECOND)).unlink(),
    "is not what its revision says": lambda root: write(
        next((root / "bases").iterdir()) / "config.json", '{"x": 1}'
    ),
    "is not stored in": lambda root: next((root / "bases").iterdir()).rename(root / "elsewhere"),
    "continues v2026.01.01, which has another": lambda root: change_manifest(
        root, FIRST, lineage_key="other"
    ),
    f"{FIRST}/manifest.json is not JSON": lambda root: write(root / FIRST / "manifest.json", "{"),
    "comes back to": lambda root: change_manifest(root, FIRST, previous=SECOND),
    "leaves its schema at $.contributors": lambda root: change_manifest(
        root, SECOND, contributors=[1]
    ),
    "is not in the manifest, for knowledge/y": lambda root: change_manifest(
        root,
        SECOND,
        leaves={
            "knowledge/y": {
                "content_hash": "0" * 64,
                "data_hash": blob(SECOND),
                "exam": {"exam": [], "shown": []},
            }
        },
    ),
}


@pytest.mark.parametrize("sentence", FAULTS)
def test_a_fault_is_found(tmp_path: Path, target: Target, sentence: str) -> None:
    FAULTS[sentence](tmp_path / "target")
    problems = verify(target, SECOND)
    assert [problem for problem in problems if sentence in problem], problems


def test_an_unknown_release_is_an_error(target: Target) -> None:
    with pytest.raises(ReleaseError, match="There is no release"):
        verify(target, "v1999.01.01")


def test_a_base_from_the_hub_is_not_looked_for(tmp_path: Path, target: Target) -> None:
    record = target.manifest(SECOND)
    record = dataclasses.replace(record, base_model=BaseModel("someone/model", "a" * 40))
    (tmp_path / "target" / SECOND / "manifest.json").write_bytes(pretty_json(as_json(record)))
    assert verify(target, SECOND) == []
