"""Addresses and numbers of people in a text: e-mail, telephone, cards, accounts, identity numbers.

In: a text. Out: kind, start and end of each, addresses first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_EMAIL = re.compile(r"(?<![\w.+/:-])[\w.+-]+@((?:[\w-]+\.)+[^\W\d_]{2,})(?![\w@])")
# Domains that are kept for examples (RFC 2606), code forges' sign-ins and no-reply addresses.
_NOBODY = re.compile(
    r"(?:.*\.)?(?:example(?:\.\w+)?|test|invalid|localhost|local)|users\.noreply\.github\.com"
)
_FORGES = re.compile(r"(?:git|noreply|no-reply)@", re.IGNORECASE)
# Seven digits or more with what people put between them: nothing else can be a number of a person.
_DIGITS = re.compile(r"\d(?:[ ().\-/\u00a0\u2010-\u2013]*\d){6,}")


def may_hold_people(text: str) -> bool:
    """Whether looking closer is worth it: nearly every text can be told apart at once."""
    return "@" in text or _DIGITS.search(text) is not None


def find_personal(text: str) -> Iterator[tuple[str, int, int]]:
    """Every address and number of a person."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            nobody = _NOBODY.fullmatch(match[1].lower()) or _FORGES.match(match[0])
            if not nobody:
                yield "an e-mail address", match.start(), match.end()
    if not _DIGITS.search(text):
        return
    # Loaded where there is a reason to: its patterns take a while to be made ready.
    from pipelines.sensitive.identities import find_numbers

    yield from find_numbers(text)
