"""A target that is a repository of an OCI registry.

    HOST/NAME:latest       the release that users have now
    HOST/NAME:<tag>        each release: config is its manifest.json; layers are its files by their paths,
                           base/ where the base is ours, and, without a path, the rows of its leaves
    HOST/NAME:<tag>.sig    what was signed of a release
    HOST/NAME:tombstones   withdrawn content

In: a directory that a run built. Out: a release, or one ``ReleaseError`` and nothing. A registry takes a
manifest only when it holds every blob that it names; ``latest`` is set, then the release's own tag, last,
and a tag that is there never moves. Whoever finds ``latest`` without its tag sets that, and so finishes for
a publisher that was killed. A registry cannot compare and set: that nobody else was first is looked at just
before and just after, and two publishers at the same instant are for the caller to keep apart.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Collection
from datetime import date
from pathlib import Path

from pipelines.artifacts import pretty_json, tree_digests
from pipelines.errors import ReleaseError
from pipelines.records import FileDigest, Json, Manifest
from pipelines.release.manifest import (
    MANIFEST,
    SHA256,
    TAG,
    next_tag,
    plain_path,
    read_manifest,
    tag_order,
)
from pipelines.release.targets import Loading, Tombstone
from pipelines.release.targets.checks import publishable, refuse, refuse_withdrawn, standing
from pipelines.release.targets.folder import FolderTarget, beside, settle_once
from pipelines.release.targets.oci_repository import OciRepository, descriptor, title
from pipelines.release.verify import wrong_files

RELEASE = "application/vnd.graft.release.v1"
FILE, ROWS = "application/octet-stream", "application/vnd.graft.rows.v1+jsonl"
JSON = "application/json"
LATEST, TOMBSTONES = "latest", "tombstones"
BASE = "base/"
TURNS = 4  # a turn is lost where somebody else was first


class OciTarget:
    """Releases in ``place``, ``HOST/NAME``; the registry makes it with the first one."""

    def __init__(self, place: str, cache: Path) -> None:
        self._repository = OciRepository(place)
        self.place = place
        self._cache = cache.absolute() / "releases" / place.replace("/", "--").replace(":", "-")
        self._local = FolderTarget(self._cache)  # rows and bases, by their digests
        self._pending: set[str] = set()  # stored here, and in the registry with the release
        self._manifests: dict[str, Manifest] = {}
        self._tagged: dict[str, tuple[str, Json]] = {}  # tags never move

    # --- reading ---

    def head(self) -> str | None:
        found = self._repository.manifest(LATEST)
        if found is None:
            return None
        manifest = self._read(found[1])
        # What is not tagged yet, nobody has.
        return manifest.release if manifest.release in self.tags() else manifest.previous

    def tags(self) -> list[str]:
        return sorted(filter(TAG.fullmatch, self._repository.tags()), key=tag_order)

    def next_tag(self, day: date) -> str:
        return next_tag(day, self.tags())

    def manifest(self, tag: str) -> Manifest:
        manifest = self._read(self._at(tag)[1])
        if manifest.release != tag:
            raise ReleaseError(f"{self.place}:{tag} is the release {manifest.release}.")
        return manifest

    def directory(self, tag: str) -> Path:
        digest, artifact = self._at(tag)
        manifest = self._read(artifact)
        place = self._cache / "releases" / digest
        if place.is_dir() and not wrong_files(place, manifest.files):
            return place
        shutil.rmtree(place, ignore_errors=True)
        with beside(place) as temporary:
            for path, want in manifest.files.items():
                self._repository.fetch(want.sha256, temporary / path)
            (temporary / MANIFEST).write_bytes(self._config(artifact))
            refuse(wrong_files(temporary, manifest.files), f"{self.place}:{tag} is damaged")
            settle_once(temporary, place)
        return place

    def loading(self, manifest: Manifest) -> Loading:
        where = f"From the folder that `oras pull {self.place}:{manifest.release}` fills"
        model = manifest.base_model
        if model.on_hub:
            return Loading(where, model.id, {"revision": model.revision}, "adapter", {})
        return Loading(where, BASE.rstrip("/"), {}, "adapter", {})

    def _at(self, tag: str) -> tuple[str, Json]:
        """The digest of a release's artifact, and the artifact."""
        if tag not in self._tagged:
            found = self._repository.manifest(tag) if TAG.fullmatch(tag) else None
            if found is None:
                there = ", ".join(self.tags()) or "none"
                raise ReleaseError(
                    f"There is no release {tag} in {self.place}; there are: {there}."
                )
            self._tagged[tag] = found
        return self._tagged[tag]

    def _config(self, artifact: Json) -> bytes:
        sha = str(artifact["config"]["digest"]).removeprefix("sha256:")
        data = self._repository.read(sha)
        if data is None:
            raise ReleaseError(f"{self.place} lacks the blob {sha}, which a tag names.")
        return data

    def _read(self, artifact: Json) -> Manifest:
        """The manifest of a release, which its artifact's config is."""
        if artifact.get("artifactType") != RELEASE:
            raise ReleaseError(f"{self.place} holds something else than releases of Graft.")
        key = str(artifact["config"]["digest"])
        if key not in self._manifests:
            self._manifests[key] = read_manifest(self._config(artifact), f"of {self.place}")
        return self._manifests[key]

    # --- bases and blobs ---

    def base(self, revision: str) -> Path:
        with contextlib.suppress(ReleaseError):
            return self._local.base(revision)
        for tag in reversed(self.tags()):
            if SHA256.fullmatch(revision) and self.manifest(tag).base_model.revision == revision:
                self._fetch_base(self._at(tag)[1], revision)
                return self._local.base(revision)
        raise ReleaseError(f"The base {revision!r} is not stored in {self.place}.")

    def _fetch_base(self, artifact: Json, revision: str) -> None:
        with beside(self._cache / "fetched" / revision) as temporary:
            for layer in artifact["layers"]:
                path = title(layer).removeprefix(BASE)
                if path != title(layer) and plain_path(path):
                    sha = str(layer["digest"]).removeprefix("sha256:")
                    self._repository.fetch(sha, temporary / path)
            self._local.put_base(revision, temporary)

    def put_base(self, revision: str, directory: Path) -> None:
        self._local.put_base(revision, directory)

    def has_blob(self, sha: str) -> bool:
        if sha in self._pending:
            return True
        return SHA256.fullmatch(sha) is not None and self._repository.has(sha)

    def read_blob(self, sha: str) -> bytes:
        with contextlib.suppress(ReleaseError):  # missing or damaged here: the registry has it
            return self._local.read_blob(sha)
        data = self._repository.read(sha) if SHA256.fullmatch(sha) else None
        if data is None:
            raise ReleaseError(f"The blob {sha} is missing in {self.place}.")
        self._local.put_blob(data)
        return data

    def put_blob(self, data: bytes) -> str:
        sha = self._local.put_blob(data)
        self._pending.add(sha)
        return sha

    # --- publishing ---

    def publish(self, built: Path, manifest: Manifest) -> str:
        for _ in range(TURNS):
            at = self._settle()
            same = standing(self, manifest)
            if same is not None:
                return same
            if manifest.release in self.tags():
                raise ReleaseError(f"The tag {manifest.release} exists, and tags never move.")
            publishable(self, built, manifest)
            artifact = self._send(built, manifest)
            if self._digest(LATEST) == at:
                self._repository.put_manifest(LATEST, artifact)
        raise ReleaseError(
            f"{self.place} could not be brought to {manifest.release}: somebody else was first each "
            "time; run again."
        )

    def rollback(self, tag: str) -> None:
        refuse_withdrawn(self, self.manifest(tag))
        self._settle()
        self._repository.put_manifest(LATEST, self._at(tag)[1])

    def _digest(self, tag: str) -> str | None:
        found = self._repository.manifest(tag)
        return found[0] if found else None

    def _settle(self) -> str | None:
        """The digest of ``latest``. A release there that lacks its tag gets it."""
        found = self._repository.manifest(LATEST)
        if found is None:
            return None
        tag = self._read(found[1]).release
        if tag not in self.tags():
            self._repository.put_manifest(tag, found[1])
            if self._digest(tag) != found[0]:
                raise ReleaseError(
                    f"Someone else published {tag} in {self.place} at the same moment; run again."
                )
        return found[0]

    def _send(self, built: Path, manifest: Manifest) -> Json:
        """Send everything that the release names; its artifact."""
        files = {path: built / path for path in manifest.files}
        known = dict(manifest.files)
        revision = manifest.base_model.revision
        if SHA256.fullmatch(revision):
            base = self.base(revision)
            for path, file in tree_digests(base).items():
                files[BASE + path], known[BASE + path] = base / path, file
        for path, place in files.items():
            self._repository.put(place, known[path])
        config = self._repository.put_bytes(pretty_json(manifest))
        layers = [descriptor(FILE, known[path], path) for path in sorted(files)]
        layers.append(descriptor(JSON, config, MANIFEST))
        return {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": RELEASE,
            "config": descriptor(JSON, config),
            "layers": [*layers, *self._rows(manifest)],
            "annotations": {"org.opencontainers.image.version": manifest.release},
        }

    def _rows(self, manifest: Manifest) -> list[Json]:
        """Rows and exam questions: named by the release, so that the registry's sweep keeps them."""
        found = {
            sha for leaf in manifest.leaves.values() for sha in (leaf.data_hash, leaf.asked_hash)
        }
        layers = []
        for sha in sorted(found - {""}):
            data = self.read_blob(sha)
            if not self._repository.has(sha):
                self._repository.put_bytes(data)
            layers.append(descriptor(ROWS, FileDigest(sha, len(data))))
        return layers

    def _note(self, tag: str, kind: str, name: str, data: bytes) -> None:
        """Let a tag name one JSON file that is no release."""
        config = self._repository.put_bytes(data)
        artifact = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": f"{RELEASE}.{kind}",
            "config": descriptor(JSON, config),
            "layers": [descriptor(JSON, config, name)],
        }
        self._repository.put_manifest(tag, artifact)

    # --- signing ---

    def signature(self, tag: str) -> bytes | None:
        self._at(tag)
        found = self._repository.manifest(f"{tag}.sig")
        return None if found is None else self._config(found[1])

    def sign(self, tag: str, signature: bytes) -> None:
        self._at(tag)
        self._note(f"{tag}.sig", "signature", "model.sig", signature)

    # --- withdrawing ---

    def tombstones(self) -> tuple[Tombstone, ...]:
        found = self._repository.manifest(TOMBSTONES)
        try:
            data = b"[]" if found is None else self._config(found[1])
            return tuple(Tombstone(**entry) for entry in json.loads(data))
        except (TypeError, ValueError) as error:
            raise ReleaseError(
                f"{self.place}:{TOMBSTONES} cannot be read: {error}; mend it by hand."
            ) from error

    def withdraw(self, leaf: str, content_hash: str, reason: str) -> None:
        for _ in range(TURNS):
            known = self.tombstones()
            if any(stone.content_hash == content_hash for stone in known):
                return
            added = Tombstone(leaf, content_hash, reason, self.head())
            data = pretty_json([*known, added])
            self._note(TOMBSTONES, "tombstones", "tombstones.json", data)
        raise ReleaseError(f"{self.place} did not take what was withdrawn; run again.")

    def forget(self, blobs: Collection[str]) -> tuple[str, ...]:
        """Out of the registry, where it lets blobs be deleted: many do not, or only their owner."""
        self._local.forget(blobs)
        self._pending -= set(blobs)
        return tuple(sha for sha in blobs if not self._repository.delete(sha))
