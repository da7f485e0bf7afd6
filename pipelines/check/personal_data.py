"""Rule `personal-data`: addresses and numbers of people are marked for a person to look at.

E-mail, telephone, payment cards, bank accounts and identity numbers, the latter by their check digits
(``sensitive``). What is found is named by kind and place, not quoted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import MOST, all_text, everything, place
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.sensitive.personal import find_personal, may_hold_people


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each; an address in `created_by` is a rule of its own."""
    yield from itertools.islice(_people(leaf), MOST)


def _people(leaf: LeafSubject) -> Iterator[Finding]:
    if not may_hold_people(all_text(leaf)):
        return
    for passage in everything(leaf):
        if passage.at == ("created_by",):
            continue
        for kind, offset, _ in sorted(find_personal(passage.text), key=lambda found: found[1]):
            where = place(leaf, passage, offset)
            message = f"This may be {kind}: a person should look whether it may stand here."
            hint = "Delete it, or use one that is kept for examples, such as ada@example.org."
            yield Finding("personal-data", "warning", passage.path, *where, message, hint)


RULE = LeafRule(
    check,
    About(
        "warning",
        "E-mail addresses, telephone, card, account and identity numbers (by check digit) in leaves "
        "and documents are marked for a person to look at.",
        "Delete them, or use ones that are kept for examples.",
    ),
)
