"""What the stand-in of an OCI registry keeps, on disk.

    DIR/blobs/<sha256>      DIR/uploads/<id>      DIR/repositories/NAME/{_blobs,_manifests,_tags}/…

In: blobs, sent at once or in pieces; manifests; tags. Out: the same, by digest or tag. A digest is verified
before anything is kept under it, and a manifest is taken only when all that it names is there. ``Refused``
carries what a registry would answer instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST_BYTES = 4 << 20
IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
TYPES = (IMAGE, INDEX)


class Refused(Exception):
    """A status, the specification's code for it, a sentence."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.status, self.code, self.message = status, code, message or code.lower()


@dataclass(frozen=True, slots=True)
class Kept:
    """A manifest as it was sent."""

    digest: str
    kind: str
    data: bytes


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("blobs", "uploads", "repositories"):
            (root / name).mkdir(parents=True, exist_ok=True)

    def _of(self, name: str, kind: str) -> Path:
        """A repository's folder of ``blobs``, ``manifests`` or ``tags``; no part of a name begins with _."""
        return self.root / "repositories" / name / f"_{kind}"

    # --- blobs ---

    def blob(self, name: str, digest: str) -> Path:
        sha = _sha(digest)
        if not (self._of(name, "blobs") / sha).is_file():
            raise Refused(404, "BLOB_UNKNOWN")
        return self.root / "blobs" / sha

    def begin(self) -> str:
        """A new upload; its id."""
        number = str(uuid.uuid4())
        (self.root / "uploads" / number).touch()
        return number

    def upload(self, number: str) -> Path:
        place = self.root / "uploads" / number
        if not place.is_file():
            raise Refused(404, "BLOB_UPLOAD_UNKNOWN")
        return place

    def append(self, number: str, pieces: Iterable[bytes]) -> int:
        """Add to an upload; how many bytes it has then."""
        with self.upload(number).open("ab") as stream:
            for piece in pieces:
                stream.write(piece)
            return stream.tell()

    def complete(self, name: str, number: str, digest: str) -> None:
        """Keep an upload as the blob that it is said to be."""
        place, sha = self.upload(number), _sha(digest)
        with place.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha:
            place.unlink()
            raise Refused(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        place.replace(self.root / "blobs" / sha)
        self._link(name, sha)

    def mount(self, name: str, digest: str, source: str) -> bool:
        """Give a repository another's blob, without sending it; whether there is one."""
        try:
            self.blob(source, digest)
        except Refused:
            return False
        self._link(name, _sha(digest))
        return True

    def _link(self, name: str, sha: str) -> None:
        place = self._of(name, "blobs") / sha
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()

    def delete_blob(self, name: str, digest: str) -> None:
        self.blob(name, digest)
        (self._of(name, "blobs") / _sha(digest)).unlink()

    # --- manifests and tags ---

    def manifest(self, name: str, reference: str) -> Kept:
        """What a tag or a digest names."""
        digest = reference
        if ":" not in reference:
            tag = self._of(name, "tags") / reference
            digest = tag.read_text() if tag.is_file() else "sha256:" + "0" * 64
        place = self._of(name, "manifests") / _sha(digest)
        if not place.is_file():
            raise Refused(404, "MANIFEST_UNKNOWN", f"no manifest {reference}")
        data = place.read_bytes()
        return Kept(digest, str(json.loads(data)["mediaType"]), data)

    def put_manifest(self, name: str, reference: str, kind: str, data: bytes) -> str:
        """Keep a manifest and let a tag name it; its digest."""
        if len(data) > MANIFEST_BYTES:
            raise Refused(413, "SIZE_INVALID", "the manifest is too large")
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if ":" in reference and reference != digest:
            raise Refused(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self._whole(name, kind, data)
        _write(self._of(name, "manifests") / _sha(digest), data)
        if ":" not in reference:
            _write(self._of(name, "tags") / reference, digest.encode())
        return digest

    def _whole(self, name: str, kind: str, data: bytes) -> None:
        """Refuse what is no manifest, and one that names what is not there."""
        try:
            found: dict[str, Any] = json.loads(data)
            told = found["schemaVersion"], found["mediaType"]
            parts = found["manifests"] if kind == INDEX else [found["config"], *found["layers"]]
            digests = [str(part["digest"]) for part in parts]
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(400, "MANIFEST_INVALID", f"no manifest: {error}") from error
        if kind not in TYPES or told != (2, kind):
            raise Refused(400, "MANIFEST_INVALID", f"no manifest of the type {kind}")
        there = self._of(name, "manifests" if kind == INDEX else "blobs")
        lacking = [digest for digest in digests if not (there / _sha(digest)).is_file()]
        if lacking:
            raise Refused(400, "MANIFEST_BLOB_UNKNOWN", f"unknown to this repository: {lacking[0]}")

    def delete_manifest(self, name: str, reference: str) -> None:
        """By digest alone; the tags that name it go as well."""
        place = self._of(name, "manifests") / _sha(reference)
        if not place.is_file():
            raise Refused(404, "MANIFEST_UNKNOWN", f"no manifest {reference}")
        for tag in self._of(name, "tags").iterdir():
            if tag.read_text() == reference:
                tag.unlink()
        place.unlink()

    def tags(self, name: str) -> list[str]:
        place = self._of(name, "tags")
        if not place.is_dir():
            raise Refused(404, "NAME_UNKNOWN", f"repository name not known to registry: {name}")
        return sorted(path.name for path in place.iterdir() if not path.name.startswith("."))


def _sha(digest: str) -> str:
    kind, _, sha = digest.partition(":")
    if kind != "sha256" or len(sha) != 64 or set(sha) - set("0123456789abcdef"):
        raise Refused(400, "DIGEST_INVALID", f"no digest: {digest[:80]}")
    return sha


def _write(place: Path, data: bytes) -> None:
    """In one step: who reads meanwhile sees the old or the new."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.parent / f".{os.urandom(8).hex()}"
    beside.write_bytes(data)
    beside.replace(place)
