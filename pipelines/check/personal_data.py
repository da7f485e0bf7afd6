"""Rule `personal-data`: addresses and numbers of people are marked for a person to look at.

E-mail, telephone, payment cards, bank accounts and identity numbers, the latter by their check digits
(``identities``). What is found is named by kind and place, not quoted.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.identities import find_identities
from pipelines.check.passages import MOST, Passage, everything, place
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.records import Finding

_EMAIL = re.compile(r"(?<![\w.+/:-])[\w.+-]+@((?:[\w-]+\.)+[^\W\d_]{2,})(?![\w@])")
# Domains that are kept for examples (RFC 2606), code forges' sign-ins and no-reply addresses.
_NOBODY = re.compile(
    r"(?:.*\.)?(?:example(?:\.\w+)?|test|invalid|localhost|local)|users\.noreply\.github\.com"
)
_FORGES = re.compile(r"(?:git|noreply|no-reply)@", re.IGNORECASE)
# Seven digits or more with what people put between them: nothing else can be a number of a person.
_DIGITS = re.compile(r"\d(?:[ ().\-/\u00a0\u2010-\u2013]*\d){6,}")
_BETWEEN = r"[ .\-/\u00a0\u2010\u2011]?"
_PHONE = re.compile(
    r"(?<![\w.+$€£])(?:"
    rf"(?:[+＋]\d{{1,3}}|00[1-9]\d{{0,2}}){_BETWEEN}(?:\(0?\d{{1,4}}\)|\d{{1,4}}){_BETWEEN}\d{{2,4}}(?:{_BETWEEN}\d{{2,4}}){{1,3}}"
    rf"|\(\d{{2,5}}\) ?\d{{2,4}}(?:{_BETWEEN}\d{{2,4}}){{1,3}}"
    r"|(?:1[ .-])?\d{3}([.-])\d{3}\1\d{4}"
    r"|0[1-9]\d{0,3}[ /-]\d{2,4}(?:[ -]?\d{2,4}){1,3}"
    r")(?![\w%€$£])(?![.,/-]\d)"
)
# Numbers kept for fiction: +1 … 555 01xx, London 7946 0xxx, Britain 01632 96….
_FICTION = re.compile(r"555\D?01\d\d$|7946\D?0\d\d\d$|01632\D?96")
_PHONE_DIGITS = range(7, 16)


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each; an address in `created_by` is a rule of its own."""
    yield from itertools.islice(_people(leaf), MOST)


def _people(leaf: LeafSubject) -> Iterator[Finding]:
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
    taken: list[tuple[int, int]] = []
    for kind, start, end in find_identities(text):
        if not _overlaps(start, end, taken):
            taken.append((start, end))
            yield kind, start
    for match in _PHONE.finditer(text):
        digits = sum(char.isdigit() for char in match[0])
        fiction = digits not in _PHONE_DIGITS or _FICTION.search(match[0])
        if not fiction and not _overlaps(match.start(), match.end(), taken):
            yield "a telephone number", match.start()


def _overlaps(start: int, end: int, taken: list[tuple[int, int]]) -> bool:
    return any(start < other_end and other_start < end for other_start, other_end in taken)


RULE = LeafRule(
    check,
    About(
        "warning",
        "E-mail addresses, telephone, card, account and identity numbers (by check digit) in leaves "
        "and documents are marked for a person to look at.",
        "Delete them, or use ones that are kept for examples.",
    ),
)
