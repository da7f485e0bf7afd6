"""The manifest: reading it, and walking the ancestry of the weights.

In: the bytes of a ``manifest.json``, or a tag. Out: a ``Manifest`` whose shape is certain, or the chain
of those on whose weights a release stands. ``schema/manifest.json`` says the shape in full; reading
checks by hand what the pipelines rely on, since a manifest may name 100,000 leaves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import date
from pathlib import Path, PurePosixPath

from pipelines.errors import ReleaseError
from pipelines.records import (
    BaseModel,
    DataSource,
    ExamSplit,
    FileDigest,
    Json,
    LeafChange,
    Manifest,
    ManifestLeaf,
    Retired,
    Taught,
    as_json,
)
from pipelines.release.targets import Target

MANIFEST = "manifest.json"
TAG = re.compile(r"v(\d{4})\.(\d{2})\.(\d{2})(?:\.([1-9]\d*))?", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}")
SIDES = ("base", "previous", "candidate")


def tag_order(tag: str) -> tuple[int, ...]:
    """Sorts tags as they came: by day, then by number within the day."""
    found = TAG.fullmatch(tag)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def next_tag(day: date, taken: Collection[str]) -> str:
    """``vYYYY.MM.DD``, or with ``.N``, one past the highest ``N`` taken on that day.

    A day before that of the last tag counts as the last tag's, so that tags sort as they came whatever a
    machine's clock says.
    """
    last = max((tag_order(tag)[:3] for tag in taken), default=())
    plain = "v{:04}.{:02}.{:02}".format(*max(last, (day.year, day.month, day.day)))
    numbers = [tag_order(tag)[3] for tag in taken if tag == plain or tag.startswith(f"{plain}.")]
    return f"{plain}.{max(numbers) + 1}" if numbers else plain


def tag_message(tag: str, sha256: str) -> str:
    """What the annotated tag of a release says: the digest of its manifest."""
    return f"Release {tag}\n\nmanifest.json: sha256:{sha256}\n"


def leaf_file(content_hash: str) -> str:
    """Where a release keeps a leaf as JSON, from the release's directory."""
    return f"leaves/{content_hash}.json"


def read_manifest(data: bytes, where: str) -> Manifest:
    """The manifest in ``data``. ``ReleaseError`` names ``where`` and what is wrong there."""
    try:
        raw = json.loads(data)
        manifest = _manifest(raw)
    except (ValueError, RecursionError) as error:
        raise ReleaseError(f"The manifest {where} is not JSON: {error}.") from error
    except KeyError as error:
        raise ReleaseError(f"The manifest {where} lacks the key {error}.") from error
    except (AttributeError, TypeError) as error:
        raise ReleaseError(f"The manifest {where} has another shape: {error}.") from error
    wrong = _wrong(manifest)
    if wrong:
        raise ReleaseError(f"The manifest {where} has {wrong}.")
    return manifest


def _manifest(data: Json) -> Manifest:
    """The inverse of ``as_json``; ``KeyError`` or ``TypeError`` where the shape is another."""
    return Manifest(
        release=data["release"],
        previous=data["previous"],
        continues=data["continues"],
        taxonomy_commit=data["taxonomy_commit"],
        recipe=data["recipe"],
        base_model=BaseModel(**data["base_model"]),
        lineage_key=data["lineage_key"],
        input_digest=data["input_digest"],
        leaves={
            leaf: ManifestLeaf(
                entry["content_hash"],
                entry["data_hash"],
                ExamSplit(tuple(entry["exam"]["exam"]), tuple(entry["exam"]["shown"])),
                entry.get("asked_hash", ""),
            )
            for leaf, entry in data["leaves"].items()
        },
        retired=tuple(Retired(**entry) for entry in data["retired"]),
        files={path: FileDigest(**entry) for path, entry in data["files"].items()},
        evaluation=data["evaluation"],
        contributors=tuple(data["contributors"]),
        licences=tuple(data["licences"]),
        demonstration=data["demonstration"],
        created=data["created"],
        data=DataSource(**data["data"]) if data.get("data") else None,
        changes=tuple(LeafChange(**entry) for entry in data.get("changes", ())),
        composition=tuple(Taught(**entry) for entry in data.get("composition", ())),
        allowed=dict(data.get("allowed", {})),
        yanked=dict(data.get("yanked", {})),
        approvers=tuple(data.get("approvers", ())),
        held=dict(data.get("held", {})),
    )


def _wrong(manifest: Manifest) -> str:
    """The first value that would mislead a reader, or "": tags, hashes and paths reach the disk."""
    for name in ("release", "previous", "continues"):
        tag = getattr(manifest, name)
        if tag is None and name != "release":
            continue
        if not isinstance(tag, str) or not TAG.fullmatch(tag):
            return f"no tag under {name}"
    for name in ("lineage_key", "input_digest", "taxonomy_commit"):
        if not isinstance(getattr(manifest, name), str):
            return f"no text under {name}"
    if not _begins_with_a_date(manifest.created):
        return "no date under created"
    if not isinstance(manifest.base_model.id, str) or not isinstance(
        manifest.base_model.revision, str
    ):
        return "no id and revision under base_model"
    for leaf, entry in manifest.leaves.items():
        if not _is_sha(entry.content_hash) or not _is_sha(entry.data_hash):
            return f"no SHA-256 under leaves, {leaf!r}"
    if not _is_evaluation(manifest.evaluation):
        return "no evaluation under evaluation"
    if not all(map(_is_sha, manifest.held.values())):
        return "no SHA-256 under held"
    if not all(_is_sha(entry.content_hash) for entry in manifest.retired):
        return "no SHA-256 under retired"
    for name in ("allowed", "yanked"):
        if not all(isinstance(why, str) for why in getattr(manifest, name).values()):
            return f"no reasons under {name}"
    for path, file in manifest.files.items():
        if not plain_path(path) or path == MANIFEST:
            return f"a path under files that may not stand there, {path!r}"
        if not _is_sha(file.sha256) or type(file.size) is not int:
            return f"no digest under files, {path!r}"
    return ""


def _begins_with_a_date(text: object) -> bool:
    """``2026-01-31``, perhaps with a time behind it."""
    try:
        date.fromisoformat(text[:10] if isinstance(text, str) else "")
    except ValueError:
        return False
    return True


def _is_evaluation(data: object) -> bool:
    """Whether its pooled scores are numbers, where there are any: they are told of each release."""
    if not isinstance(data, dict):
        return False
    pools = [pooled for pooled in (data.get("changed"), data.get("panel")) if pooled]
    try:
        scores = [one[side]["token_f1"] for one in pools for side in SIDES]
    except (KeyError, TypeError):
        return False
    return all(type(score) in (int, float) for score in scores)


def _is_sha(value: object) -> bool:
    return isinstance(value, str) and SHA256.fullmatch(value) is not None


def plain_path(path: str) -> bool:
    """Whether ``path`` is relative, POSIX, in its one spelling, and stays below its directory."""
    pure = PurePosixPath(path)
    return (
        bool(pure.parts)
        and str(pure) == path
        and not pure.is_absolute()
        and ".." not in pure.parts
        and "\\" not in path
        and "\0" not in path
    )


def schema_problem(manifest: Manifest) -> str:
    """Where the manifest leaves ``schema/manifest.json``, or "" where it keeps to it."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    data = json.loads(json.dumps(as_json(manifest)))
    error = best_match(Draft202012Validator(_schema()).iter_errors(data))
    return "" if error is None else f"{error.json_path}: {error.message[:200]}"


def _schema() -> Json:
    """In a checkout the schemas lie beside the package, in a wheel inside it."""
    package = Path(__file__).parents[1]
    for folder in (package / "schema", package.parent / "schema"):
        if (folder / MANIFEST).is_file():
            schema: Json = json.loads((folder / MANIFEST).read_bytes())
            return schema
    raise FileNotFoundError(f"schema/{MANIFEST}")


# --- ancestry --------------------------------------------------------------------------------


def lineage(target: Target, tag: str) -> list[Manifest]:
    """The releases whose weights ``tag`` stands on, itself first, along ``continues``."""
    chain: list[Manifest] = []
    step: str | None = tag
    while step is not None:
        if any(manifest.release == step for manifest in chain):
            raise ReleaseError(f"The release {tag} continues itself by way of {step}.")
        chain.append(target.manifest(step))
        step = chain[-1].continues
    return chain
