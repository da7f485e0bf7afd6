"""Where releases lie, behind one Protocol.

In: a target as the command line names it, ``folder:PATH``, ``hub:OWNER/NAME`` or ``oci:HOST/NAME``. Out: a
``Target``, whose head is what users have now. Rows (``.jsonl``) are content-addressed blobs, shared by
releases; the tiny base is stored once under its revision. Every method may raise
``ReleaseError``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from pipelines.errors import ReleaseError
from pipelines.records import Manifest


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Content that may never be taught again; ``release`` was the head when it was withdrawn."""

    leaf: str
    content_hash: str
    reason: str
    release: str | None


@dataclass(frozen=True, slots=True)
class Loading:
    """What plain transformers and peft are given to load a release, as keyword arguments too."""

    where: str
    base: str
    base_options: Mapping[str, str]
    adapter: str
    adapter_options: Mapping[str, str]


def from_folder(manifest: Manifest) -> Loading:
    """How a release is loaded from its own folder, where bases lie beside it."""
    model, where = manifest.base_model, "From this folder"
    if model.on_hub:
        return Loading(where, model.id, {"revision": model.revision}, "adapter", {})
    return Loading(where, f"../bases/{model.revision}", {}, "adapter", {})


class Target(Protocol):
    """A place that holds releases.

    Tags are CalVer (``v2026.01.31``, ``v2026.01.31.1``) and never move.
    """

    def head(self) -> str | None:
        """The tag that users have now; ``None`` before the first release."""
        ...

    def tags(self) -> list[str]:
        """Every tag that was ever the head, oldest first."""
        ...

    def manifest(self, tag: str) -> Manifest:
        """The manifest of a release."""
        ...

    def directory(self, tag: str) -> Path:
        """The release's files on this machine; not to be written to."""
        ...

    def base(self, revision: str) -> Path:
        """The files of a stored base; not to be written to."""
        ...

    def put_base(self, revision: str, directory: Path) -> None:
        """Store a base. ``revision`` is ``digest(tree_digests(directory))``, which is checked."""
        ...

    def has_blob(self, sha: str) -> bool:
        """Whether a blob of this SHA-256 is stored."""
        ...

    def read_blob(self, sha: str) -> bytes:
        """A blob, its digest checked."""
        ...

    def put_blob(self, data: bytes) -> str:
        """Store ``data``, at the latest with the release that names it; its SHA-256."""
        ...

    def publish(self, built: Path, manifest: Manifest) -> str:
        """Make ``built`` the head, whole or not at all; the tag that users now have.

        Where the head already answers the same input digest nothing is done but return its tag.
        """
        ...

    def rollback(self, tag: str) -> None:
        """Give users an earlier release back, whole or not at all; no tag moves."""
        ...

    def loading(self, manifest: Manifest) -> Loading:
        """How the release will be loaded from here."""
        ...

    def tombstones(self) -> tuple[Tombstone, ...]:
        """All content that was withdrawn."""
        ...

    def withdraw(self, leaf: str, content_hash: str, reason: str) -> None:
        """Record that this content may never be taught again; a second time changes nothing."""
        ...

    def forget(self, blobs: Collection[str]) -> tuple[str, ...]:
        """Delete rows that nobody may be taught; those that cannot be deleted from here."""
        ...

    def signature(self, tag: str) -> bytes | None:
        """What was signed of a release, beside it; ``None`` where nobody signed it."""
        ...

    def sign(self, tag: str, signature: bytes) -> None:
        """Lay a signature beside a release, in place of another; the release stays as it is."""
        ...

    def next_tag(self, day: date) -> str:
        """The first free tag of a day."""
        ...


def _folder(place: str, cache: Path) -> Target:
    from pipelines.release.targets.folder import FolderTarget

    return FolderTarget(Path(place).absolute())


def _hub(place: str, cache: Path) -> Target:
    from pipelines.release.targets.hub import HubTarget

    return HubTarget(place, cache)


def _oci(place: str, cache: Path) -> Target:
    from pipelines.release.targets.oci import OciTarget

    return OciTarget(place, cache)


# What stands before the colon → what stands behind it, and what opens it.
KINDS: Mapping[str, tuple[str, Callable[[str, Path], Target]]] = {
    "folder": ("PATH", _folder),
    "hub": ("OWNER/NAME", _hub),
    "oci": ("HOST/NAME", _oci),
}


def open_target(spec: str, cache: Path = Path(".graft")) -> Target:
    """The target that ``spec`` names; it need not exist yet. ``cache`` keeps what is read from afar."""
    kind, _, place = spec.partition(":")
    if kind not in KINDS or not place:
        known = " or ".join(f"{name}:{form}" for name, (form, _) in KINDS.items())
        raise ReleaseError(f"{spec!r} is not a release target; write {known}.")
    return KINDS[kind][1](place, cache)
