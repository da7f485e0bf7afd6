"""A repository of an OCI registry: blobs by digest, manifests, tags. The client is oras.

In: ``HOST[:PORT]/NAME``. Out: what the registry holds, every digest checked; ``ReleaseError`` in one
sentence where it cannot be reached or refuses. Who is who stands where podman and docker keep it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from pipelines.artifacts import canonical_json, file_digest, sha256
from pipelines.errors import ReleaseError
from pipelines.records import FileDigest, Json

PLACE = re.compile(r"(?P<host>[a-z0-9.-]+(:\d{1,5})?)/(?P<name>[a-z0-9]+([._/-]+[a-z0-9]+)*)")
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_BYTES = 4 << 20  # what registries take at least
CHUNK = 64 << 20  # larger blobs are sent in pieces: oras reads a piece into memory
PATIENCE = 60.0  # seconds without a byte


class OciRepository:
    """One repository; nothing is asked of it before the first call."""

    def __init__(self, place: str) -> None:
        found = PLACE.fullmatch(place)
        if found is None:
            raise ReleaseError(
                f"{place!r} names no repository of a registry; write oci:HOST/NAME, in small letters."
            )
        self.place, self.host = place, found["host"]

    @cached_property
    def _registry(self) -> Any:
        try:
            from oras.provider import Registry
        except ImportError as error:
            raise ReleaseError(
                "oci: needs oras; install it with pip install 'graft-taxonomy[oci]'."
            ) from error
        registry = Registry(insecure=is_loopback(self.place))
        registry.session.request = partial(registry.session.request, timeout=PATIENCE)
        registry.auth.load_configs(registry.get_container(self.place), _logins())
        with self._said():  # at once: oras itself asks for two minutes
            registry.session.get(f"{registry.prefix}://{self.host}/v2/")
        return registry

    def _url(self, kind: str, what: str) -> str:
        name = self.place.removeprefix(f"{self.host}/")
        return f"{self._registry.prefix}://{self.host}/v2/{name}/{kind}/{what}"

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        from oras.auth import AuthenticationException
        from requests import RequestException

        try:
            yield
        except (RequestException, ValueError, AuthenticationException) as error:
            reason = " ".join(str(error).split())[:200]
            raise ReleaseError(
                f"The registry {self.host} does not do what is asked of {self.place}: {reason}"
            ) from error

    def _ask(self, method: str, kind: str, what: str, **options: Any) -> Any:
        """The answer; None for what is not there."""
        url = self._url(kind, what)
        with self._said():
            answer = self._registry.do_request(url, method, **options)
            if answer.status_code == 404:
                return None
            answer.raise_for_status()
        return answer

    # --- manifests and tags ---

    def tags(self) -> list[str]:
        if self._ask("GET", "tags", "list") is None:
            return []
        with self._said():
            found: list[str] = self._registry.get_tags(self.place)
        return found

    def manifest(self, reference: str) -> tuple[str, Json] | None:
        """The digest and the manifest that a tag or a digest names."""
        answer = self._ask(
            "GET", "manifests", reference, headers={"Accept": f"{MANIFEST_TYPE}, {INDEX_TYPE}"}
        )
        if answer is None:
            return None
        digest = sha256(answer.content)
        if reference.startswith("sha256:") and reference != f"sha256:{digest}":
            raise ReleaseError(f"{self.place} gave another manifest than {reference}.")
        try:
            data: Json = json.loads(answer.content)
        except ValueError as error:
            raise ReleaseError(f"{self.place}:{reference} is no manifest: {error}.") from error
        if not _is_manifest(data):
            raise ReleaseError(f"{self.place}:{reference} is no manifest: it has another shape.")
        return digest, data

    def put_manifest(self, tag: str, manifest: Json) -> str:
        """Let a tag name ``manifest``, whose blobs are all there; its digest."""
        body = canonical_json(manifest)
        if len(body) > MANIFEST_BYTES:
            raise ReleaseError(
                f"{self.place}:{tag} would name more blobs than a registry's manifest can hold "
                f"({len(body) >> 20} of {MANIFEST_BYTES >> 20} MiB); publish to the Hub or a folder."
            )
        headers = {"Content-Type": MANIFEST_TYPE}
        if self._ask("PUT", "manifests", tag, data=body, headers=headers) is None:
            raise ReleaseError(f"The registry {self.host} knows no repository {self.place}.")
        return sha256(body)

    # --- blobs ---

    def has(self, sha: str) -> bool:
        return self._ask("HEAD", "blobs", f"sha256:{sha}") is not None

    def read(self, sha: str) -> bytes | None:
        """A blob whose digest is right; None where there is none."""
        answer = self._ask("GET", "blobs", f"sha256:{sha}")
        data = None if answer is None else bytes(answer.content)
        if data is not None and sha256(data) != sha:
            raise ReleaseError(f"The blob {sha} of {self.place} is damaged.")
        return data

    def fetch(self, sha: str, place: Path) -> None:
        """A blob as a file."""
        place.parent.mkdir(parents=True, exist_ok=True)
        with self._said():
            self._registry.download_blob(self.place, f"sha256:{sha}", str(place))
        if file_digest(place).sha256 != sha:
            raise ReleaseError(f"The blob {sha} of {self.place} is damaged.")

    def put(self, source: Path, known: FileDigest) -> None:
        """Send a file; what is there already is not sent. The registry checks the digest."""
        layer = {"digest": f"sha256:{known.sha256}", "size": known.size}
        chunked = known.size > CHUNK
        with self._said():
            answer = self._registry.upload_blob(
                str(source), self.place, layer, do_chunked=chunked, chunk_size=CHUNK
            )
            answer.raise_for_status()

    def delete(self, sha: str) -> bool:
        """Whether the blob is gone."""
        with self._said():
            url = self._url("blobs", f"sha256:{sha}")
            code: int = self._registry.do_request(url, "DELETE").status_code
        return code in (202, 404)

    def put_bytes(self, data: bytes) -> FileDigest:
        """Send ``data``."""
        with tempfile.NamedTemporaryFile() as stream:
            stream.write(data)
            stream.flush()
            known = FileDigest(sha256(data), len(data))
            self.put(Path(stream.name), known)
        return known


def is_loopback(reference: str) -> bool:
    """Whether a reference is of a registry on this machine, which needs no TLS."""
    return re.match(r"(localhost|127(\.\d+){3})(:\d+)?/", reference) is not None


def _logins() -> list[str]:
    """Where podman keeps logins; oras itself looks where docker does."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usual = f"{runtime}/containers/auth.json" if runtime else ""
    named = os.environ.get("REGISTRY_AUTH_FILE", usual)
    return [named] if named and Path(named).is_file() else []


def descriptor(kind: str, known: FileDigest, title: str = "") -> Json:
    """How a manifest names a blob."""
    named: Mapping[str, Json] = {"annotations": {"org.opencontainers.image.title": title}}
    found = {"mediaType": kind, "digest": f"sha256:{known.sha256}", "size": known.size}
    return {**found, **(named if title else {})}


def _is_manifest(data: object) -> bool:
    """Whether it is an index, or an image or artifact whose blobs have digests."""
    if not isinstance(data, dict) or not isinstance(data.get("layers", []), list):
        return False
    blobs = [] if "manifests" in data else [data.get("config"), *data.get("layers", [])]
    return all(
        isinstance(blob, dict)
        and isinstance(blob.get("digest"), str)
        and isinstance(blob.get("annotations", {}), dict)
        for blob in blobs
    )


def title(layer: Json) -> str:
    """The path that a descriptor gives its blob; "" for none."""
    return str(layer.get("annotations", {}).get("org.opencontainers.image.title", ""))
