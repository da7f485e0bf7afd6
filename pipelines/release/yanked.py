"""Releases that nobody should use any more, since their weights have seen what was withdrawn.

In: a target and a manifest. Out: why it is yanked, a sentence a piece of content; none for a sound one. It
follows from the target's tombstones alone: tag, files and digests stay as they were published.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.records import Manifest
from pipelines.release.card import escape
from pipelines.release.targets import Target

YANKED = "YANKED.md"  # beside the card of a release that lies in a folder, for people alone


def withdrawn(target: Target) -> frozenset[str]:
    """The content hashes of all that was withdrawn."""
    return frozenset(stone.content_hash for stone in target.tombstones())


def yanked(target: Target, manifest: Manifest) -> list[str]:
    """Why nobody should use this release; empty where nothing speaks against it."""
    seen = manifest.seen
    return [
        f"it has seen {stone.leaf}, which is withdrawn: {stone.reason}"
        for stone in target.tombstones()
        if stone.content_hash in seen
    ]


def yanked_note(tag: str, why: Sequence[str]) -> bytes:
    """``YANKED.md``: what whoever opens the release's folder should know."""
    lines = "\n".join(f"- {escape(reason)}" for reason in why)
    return (
        f"# {escape(tag)} is yanked\n\nDo not use this release:\n\n{lines}\n\n"
        "Its tag and files stay as they were published. `graft log` names the release to use.\n"
    ).encode()
