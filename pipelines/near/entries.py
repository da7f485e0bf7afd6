"""What a leaf says that other leaves may say too: small and plain, for it crosses processes.

No library is imported here: the start of ``graft check`` pays for this module.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

EntryKind = Literal["question", "grounded", "context"]


class Entry(NamedTuple):
    """A question with its answer, or a knowledge context, and where it stands in qna.yaml.

    ``context`` is filled for the kind "grounded" alone.
    """

    kind: EntryKind
    line: int
    column: int
    text: str
    answer: str = ""
    context: str = ""


class LeafEntries(NamedTuple):
    """What one leaf says. ``path`` is its folder, ``digest`` changes whenever an entry may."""

    path: str
    digest: str
    entries: tuple[Entry, ...]
