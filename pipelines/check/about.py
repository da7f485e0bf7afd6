"""What docs/rules.md tells of a rule; each rule's module says it about itself."""

from __future__ import annotations

from typing import Literal, NamedTuple


class About(NamedTuple):
    """One line of what the rule asks for and one of how to mend it.

    ``upstream``: instructlab-schema finds the like, so it has a say under ``--compat instructlab``.
    ``deviation``: where it is knowingly stricter than that, in a sentence.
    """

    severity: Literal["error", "warning", "both"]
    says: str
    mend: str
    upstream: bool = False
    deviation: str = ""
