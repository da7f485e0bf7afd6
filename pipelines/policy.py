"""What a taxonomy accepts: the values of graft.yaml, frozen; what is left out means the default.

``check.policy`` reads the file. The dataclasses stand this low in the layers because fetching documents
obeys them too.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DocumentPolicy:
    """Where knowledge documents may come from, and how large and slow they may be.

    ``hosts`` () permits every public host; ``allow_hosts`` are ``host`` or ``host:port`` that may also
    have private, loopback or link-local addresses.
    """

    schemes: tuple[str, ...] = ("https",)
    hosts: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    max_megabytes: int = 50
    max_pages: int = 500
    seconds: int = 120


@dataclass(frozen=True, slots=True)
class Policy:
    """``licences``: the SPDX identifiers that an attribution.txt may name."""

    licences: tuple[str, ...] = (
        "CC0-1.0",
        "CDLA-Permissive-2.0",
        "CC-BY-4.0",
        "CC-BY-SA-4.0",
        "Apache-2.0",
        "MIT",
    )
    documents: DocumentPolicy = field(default_factory=DocumentPolicy)
