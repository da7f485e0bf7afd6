"""Where releases lie, behind one Protocol.

In: a target as the recipe or the command line names it, ``folder:PATH``. Out: a ``Target``, whose
head is what users have now. Rows (``.jsonl``) are content-addressed blobs, shared by releases; the
tiny base is stored once under its revision. Every method may raise ``ReleaseError``.
"""

from __future__ import annotations

from collections.abc import Collection
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
        """Store ``data``; its SHA-256."""
        ...

    def publish(self, built: Path, manifest: Manifest) -> str:
        """Make ``built`` the head, whole or not at all; the tag that users now have.

        Where the head already answers the same input digest nothing is done but return its tag.
        """
        ...

    def rollback(self, tag: str) -> None:
        """Give users an earlier release back, whole or not at all; no tag moves."""
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

    def next_tag(self, day: date) -> str:
        """The first free tag of a day."""
        ...


def open_target(spec: str) -> Target:
    """The target that ``folder:PATH`` names; the folder need not exist yet."""
    from pipelines.release.targets.folder import FolderTarget

    kind, _, place = spec.partition(":")
    if kind != "folder" or not place:
        raise ReleaseError(f"{spec!r} is not a release target; write folder:PATH.")
    return FolderTarget(Path(place).absolute())
