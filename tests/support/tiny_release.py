"""A release whose model really answers, made in seconds: a base that knows a river, an adapter for a canal.

The base also says ``RED`` to ``Say it in red.``: what a terminal would obey.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from pipelines.artifacts import digest, pretty_json, tree_digests
from pipelines.records import BaseModel, as_json
from pipelines.release.targets import open_target
from pipelines.train.adapter import adapt
from pipelines.train.order import Order
from pipelines.train.scratch import bootstrap
from tests.release.builders import build, write
from tests.support.once import once
from tests.train.support import NOWHERE, recipe, rows, talk

TAG = "v2026.01.01"
LEAVES = {"knowledge/canal": "a canal", "knowledge/\x1b[31mriver": "a river"}
RED = "\x1b]0;owned\x07\x1b[31m red"


def tiny_release(scratch: Path) -> Path:
    """The folder of the target; made once for the session, and only copied from or read."""
    return once(scratch, "tiny-release", _make) / "releases"


def _make(place: Path) -> None:
    used = recipe(80_000)
    base, built = place / "base", place / "built"
    base.mkdir(parents=True)
    red = [talk("Say it in red.", RED)] * 4
    bootstrap(NOWHERE, {"river": [*rows("river"), *red]}, used, base, lambda line: None)
    target = open_target(f"folder:{place / 'releases'}")
    revision = digest(tree_digests(base))
    target.put_base(revision, base)
    build(built, target, TAG, leaves=LEAVES)
    shutil.rmtree(built / "adapter")
    (built / "adapter").mkdir()
    train = replace(used.train, epochs=12, train_embeddings=True, interpolation=1.0)
    adapt(
        Order(base), {"canal": rows("canal")}, {"river": rows("river")},
        replace(used, train=train), built / "adapter", lambda line: None,
    )  # fmt: skip
    manifest = build(place / "again", target, TAG, leaves=LEAVES)
    manifest = replace(
        manifest,
        base_model=BaseModel("graft-tiny", revision),
        recipe=as_json(used),
        files=tree_digests(built),
    )
    write(built / "manifest.json", pretty_json(manifest).decode())
    target.publish(built, manifest)
