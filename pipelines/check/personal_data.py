"""Rule `personal-data`: addresses and numbers of people are marked for a person to look at.

E-mail, telephone, payment cards, bank accounts and identity numbers, the latter by their check digits
(``identities``). What is found is named by kind and place, not quoted.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import MOST, Passage, all_text, everything, place
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding

_EMAIL = re.compile(r"(?<![\w.+/:-])[\w.+-]+@((?:[\w-]+\.)+[^\W\d_]{2,})(?![\w@])")
# Domains that are kept for examples (RFC 2606), code forges' sign-ins and no-reply addresses.
_NOBODY = re.compile(
    r"(?:.*\.)?(?:example(?:\.\w+)?|test|invalid|localhost|local)|users\.noreply\.github\.com"
)
_FORGES = re.compile(r"(?:git|noreply|no-reply)@", re.IGNORECASE)
# Seven digits or more with what people put between them: nothing else can be a number of a person.
_DIGITS = re.compile(r"\d(?:[ ().\-/\u00a0\u2010-\u2013]*\d){6,}")


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each; an address in `created_by` is a rule of its own."""
    yield from itertools.islice(_people(leaf), MOST)


def _people(leaf: LeafSubject) -> Iterator[Finding]:
    text = all_text(leaf)
    if "@" not in text and not _DIGITS.search(text):
        return
    for passage in everything(leaf):
        if passage.at == ("created_by",):
            continue
        for kind, offset in sorted(_found(passage), key=lambda found: found[1]):
            where = place(leaf, passage, offset)
            message = f"This may be {kind}: a person should look whether it may stand here."
            hint = "Delete it, or use one that is kept for examples, such as ada@example.org."
            yield Finding("personal-data", "warning", passage.path, *where, message, hint)


def _found(passage: Passage) -> Iterator[tuple[str, int]]:
    text = passage.text
    if "@" in text:
        for match in _EMAIL.finditer(text):
            nobody = _NOBODY.fullmatch(match[1].lower()) or _FORGES.match(match[0])
            if not nobody:
                yield "an e-mail address", match.start()
    if not _DIGITS.search(text):
        return
    # Loaded where there is a reason to: its patterns take a while to be made ready.
    from pipelines.check.identities import find_numbers

    yield from find_numbers(text)


RULE = LeafRule(
    check,
    About(
        "warning",
        "E-mail addresses, telephone, card, account and identity numbers (by check digit) in leaves "
        "and documents are marked for a person to look at.",
        "Delete them, or use ones that are kept for examples.",
    ),
)
