"""What makes a release trustworthy: digests, stored rows, ancestry, and nothing that runs code.

In: a target and a tag, or a directory about to be published. Out: sentences, each saying one thing
that is wrong; an empty list is a sound release.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipelines.artifacts import MARKER, digest, file_digest, tree_digests
from pipelines.errors import ReleaseError
from pipelines.records import FileDigest, Manifest
from pipelines.release.manifest import MANIFEST, SHA256, leaf_file, lineage, schema_problem
from pipelines.release.targets import Target
from pipelines.release.yanked import YANKED, withdrawn, yanked

PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
CODE_KEYS = ("auto_map", "trust_remote_code")


def verify(target: Target, tag: str) -> list[str]:
    """Check all that a release holds and refers to; raises only where there is no such release."""
    manifest = target.manifest(tag)
    directory = target.directory(tag)
    problem = schema_problem(manifest)
    against = yanked(target, manifest)
    stray = (directory / YANKED).is_file() and not against
    return [
        *([f"{MANIFEST} leaves its schema at {problem}"] if problem else []),
        *wrong_files(directory, manifest.files),
        *unsafe_files(directory),
        *missing_leaves(target, manifest, thorough=True),
        *wrong_base(target, manifest),
        *_wrong_ancestry(target, manifest),
        *(f"{tag} is yanked: {reason}" for reason in against),
        *([f"{YANKED} is there, though nothing that it has seen is withdrawn"] if stray else []),
    ]


def wrong_files(
    directory: Path, listed: Mapping[str, FileDigest], *, read: bool = True
) -> list[str]:
    """Files that are missing, changed (found by reading them), or not in the manifest."""
    there = {path: want for path, want in listed.items() if (directory / path).is_file()}
    problems = [f"{path} is missing" for path in listed if path not in there]
    if read:
        # Hashing lets other threads run; one core alone is slower than most disks.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = pool.map(lambda path: file_digest(directory / path), there)
            pairs = zip(there.items(), found, strict=True)
            problems += [other_file(path) for (path, want), one in pairs if one != want]
    present = {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if (path.is_file() or path.is_symlink()) and path.name != MARKER
    }
    extra = present - listed.keys() - {MANIFEST, YANKED}
    return problems + [f"{path} is not in the manifest" for path in sorted(extra)]


def other_file(path: str) -> str:
    """What is said of a file whose digest is another."""
    return f"{path} is not the file that the manifest names"


def unsafe_files(directory: Path) -> list[str]:
    """Files that could run code when loaded, and symlinks: only safetensors may hold weights."""
    problems = []
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_symlink():
            problems.append(f"{name} is a symlink; put the file itself there")
        elif path.suffix.lower() in PICKLES:
            problems.append(f"{name} may hold a pickle; save weights as safetensors")
        elif path.name.lower().endswith("config.json") and path.is_file():
            problems.extend(f"{name} {reason}" for reason in _code_in_config(path))
    return problems


def _code_in_config(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
        pending: list[object] = [json.loads(text)]
    except (ValueError, RecursionError):
        return ["is not JSON"]
    keys: set[str] = set()
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            keys.update(value)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return [f"names code to run ({key}); remove the key" for key in CODE_KEYS if key in keys]


def missing_leaves(target: Target, manifest: Manifest, *, thorough: bool) -> list[str]:
    """Leaves whose JSON or rows the release lacks; ``thorough`` reads all rows again."""
    problems = []
    gone = withdrawn(target)
    for leaf, entry in manifest.leaves.items():
        if leaf_file(entry.content_hash) not in manifest.files:
            problems.append(f"{leaf_file(entry.content_hash)} is not in the manifest, for {leaf}")
        if entry.content_hash in gone:  # its rows were deleted on purpose
            continue
        if not target.has_blob(entry.data_hash):
            problems.append(f"the rows of {leaf} are not stored: no blob {entry.data_hash}")
        elif thorough:
            problems.extend(_broken_blob(target, entry.data_hash))
        if entry.asked_hash and not target.has_blob(entry.asked_hash):
            problems.append(f"exam questions of {leaf} are not stored: no blob {entry.asked_hash}")
        elif entry.asked_hash and thorough:
            problems.extend(_broken_blob(target, entry.asked_hash))
    return problems


def _broken_blob(target: Target, sha: str) -> list[str]:
    try:
        target.read_blob(sha)
    except ReleaseError as error:
        return [str(error)]
    return []


def wrong_base(target: Target, manifest: Manifest) -> list[str]:
    """A base named by a digest travels with the target; any other is fetched by its revision."""
    revision = manifest.base_model.revision
    if not SHA256.fullmatch(revision):
        return []
    try:
        directory = target.base(revision)
    except ReleaseError as error:
        return [str(error)]
    if digest(tree_digests(directory)) != revision:
        return [f"the base {revision} is not what its revision says"]
    return [f"the base's {problem}" for problem in unsafe_files(directory)]


def _wrong_ancestry(target: Target, manifest: Manifest) -> list[str]:
    problems = []
    try:
        chain = lineage(target, manifest.release)
    except ReleaseError as error:
        return [str(error)]
    for ancestor in chain[1:]:
        if ancestor.lineage_key != manifest.lineage_key:
            problems.append(f"it continues {ancestor.release}, which has another lineage key")
        if yanked(target, ancestor):
            problems.append(f"it continues {ancestor.release}, which is yanked")
    earlier, visited = manifest.previous, {manifest.release}
    while earlier is not None and earlier not in visited:
        visited.add(earlier)
        try:
            earlier = target.manifest(earlier).previous
        except ReleaseError as error:
            return [*problems, str(error)]
    if earlier is not None:
        problems.append(f"its history comes back to {earlier}")
    return problems
