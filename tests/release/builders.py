"""Small real releases: leaves, their rows, and a built directory with its manifest."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from pipelines.artifacts import digest, sha256, tree_digests
from pipelines.records import BaseModel, ExamSplit, FileDigest, Manifest, ManifestLeaf, Retired
from pipelines.release.manifest import leaf_file
from pipelines.release.targets import Target


def rows(leaf: str, text: str = "") -> bytes:
    """The rows of a leaf as JSON lines."""
    return json.dumps({"leaf": leaf, "text": text}).encode() + b"\n"


def manifest(
    tag: str = "v2026.01.01",
    *,
    leaves: Mapping[str, str] | None = None,
    files: Mapping[str, FileDigest] | None = None,
    previous: str | None = None,
    continues: str | None = None,
) -> Manifest:
    """A manifest of ``leaves`` (path → text); content hash and data hash follow from the text."""
    wanted = {"knowledge/danube": "a river"} if leaves is None else leaves
    return Manifest(
        release=tag,
        previous=previous,
        continues=continues,
        taxonomy_commit="c" * 40,
        recipe={"name": "tiny"},
        base_model=BaseModel("example/base", "r" * 40),
        lineage_key="lineage",
        input_digest=digest([wanted, continues]),
        leaves={
            leaf: ManifestLeaf(digest(text), sha256(rows(leaf, text)), ExamSplit((), ("seed",)))
            for leaf, text in wanted.items()
        },
        retired=(),
        files=files or {},
        evaluation={"verdict": "PASS"},
        contributors=("Ada",),
        licences=("CC-BY-4.0",),
        demonstration=True,
        created="2026-01-01T00:00:00Z",
    )


def build(
    directory: Path,
    target: Target,
    tag: str = "v2026.01.01",
    *,
    leaves: Mapping[str, str] | None = None,
    previous: str | None = None,
    continues: str | None = None,
) -> Manifest:
    """Write a release's files into ``directory`` and its rows to ``target``; its manifest."""
    wanted = {"knowledge/danube": "a river"} if leaves is None else dict(leaves)
    for leaf, text in wanted.items():
        target.put_blob(rows(leaf, text))
        write(directory / leaf_file(digest(text)), json.dumps({"path": leaf, "text": text}))
    write(directory / "README.md", f"# {tag}\n")
    write(directory / "adapter/adapter_config.json", '{"peft_type": "LORA"}')
    (directory / "adapter/adapter_model.safetensors").write_bytes(tag.encode() * 4096)
    return manifest(
        tag,
        leaves=wanted,
        files=tree_digests(directory),
        previous=previous,
        continues=continues,
    )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def retire(record: Manifest, *contents: str) -> Manifest:
    """``record`` with content (hashes) that its weights have seen and the taxonomy lost."""
    retired = tuple(Retired("knowledge/old", content, "deleted") for content in contents)
    return dataclasses.replace(record, retired=retired)
