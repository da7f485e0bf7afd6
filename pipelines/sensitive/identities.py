"""Numbers that name a person: known by their check digits, telephone numbers by their form.

In: a text. Out: kind, start and end of each. One number in eleven would pass some of the tests by chance, so
each form has to stand alone, neither inside a longer number nor beside a unit or a currency.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

# Neither a longer number or word before or after, nor a decimal part, nor a currency sign.
_ALONE = r"(?<![\w$€£¥#+/=%])(?<!\d[.,-])(?:{0})(?![\w%€$£¥/=])(?![.,-]\d)"

_BETWEEN = r"[ .\-/\u00a0\u2010\u2011]?"
_PHONE = re.compile(
    r"(?<![\w.+$€£])(?:"
    rf"(?:[+＋]\d{{1,3}}|00[1-9]\d{{0,2}}){_BETWEEN}(?:\(0?\d{{1,4}}\)|\d{{1,4}}){_BETWEEN}\d{{2,4}}(?:{_BETWEEN}\d{{2,4}}){{1,3}}"
    rf"|\(\d{{2,5}}\) ?\d{{2,4}}(?:{_BETWEEN}\d{{2,4}}){{1,3}}"
    r"|(?:1[ .-])?\d{3}([.-])\d{3}\1\d{4}"
    r"|(?!\d{5}-\d{4}(?!\d))0[1-9]\d{0,3}[ /-]\d{2,4}(?:[ -]?\d{2,4}){1,3}"
    r")(?![\w%€$£])(?![.,/-]\d)"
)
# Numbers kept for fiction: +1 … 555 01xx, London 7946 0xxx, Britain 01632 96….
_FICTION = re.compile(r"555\D?01\d\d$|7946\D?0\d\d\d$|01632\D?96")
_PHONE_DIGITS = range(7, 16)


def find_numbers(text: str) -> Iterator[tuple[str, int, int]]:
    """Every number of a person, with where it begins and ends."""
    taken: list[tuple[int, int]] = []
    for kind, start, end in (*_identities(text), *_phones(text)):
        if not any(start < other_end and other_start < end for other_start, other_end in taken):
            taken.append((start, end))
            yield kind, start, end


def _identities(text: str) -> Iterator[tuple[str, int, int]]:
    for kind, pattern, valid in _KINDS:
        for match in pattern.finditer(text):
            compact = re.sub(r"[\s.\-]", "", match[0]).upper()
            if len(set(compact)) > 1 and valid(_plain(compact)):
                yield kind, match.start(), match.end()


def _phones(text: str) -> Iterator[tuple[str, int, int]]:
    for match in _PHONE.finditer(text):
        digits = sum(char.isdigit() for char in match[0])
        if digits in _PHONE_DIGITS and not _FICTION.search(match[0]):
            yield "a telephone number", match.start(), match.end()


def luhn(digits: str) -> bool:
    """The test of payment cards."""
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _plain(compact: str) -> str:
    """Digits of every script as ASCII ones."""
    return "".join(str(int(c)) if c.isdecimal() else c for c in compact)


_CARD_LENGTHS = {
    "2": (16,),
    "3": (14, 15, 16),
    "4": (13, 16, 19),
    "5": (16,),
    "6": (16, 17, 18, 19),
}


def _card(digits: str) -> bool:
    return len(digits) in _CARD_LENGTHS.get(digits[0], ()) and luhn(digits)


def _iban(text: str) -> bool:
    turned = text[4:] + text[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def _dni(text: str) -> bool:
    number = text[:-1].replace("X", "0", 1).replace("Y", "1", 1).replace("Z", "2", 1)
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[-1]


def _bsn(digits: str) -> bool:
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    if digits.endswith("000"):  # a round number, not a person's
        return False
    return sum(w * int(d) for w, d in zip(weights, digits, strict=True)) % 11 == 0


def _resident(text: str) -> bool:
    total = sum(int(d) * pow(2, 17 - i, 11) for i, d in enumerate(text[:17]))
    month, day = int(text[10:12]), int(text[12:14])
    return "10X98765432"[total % 11] == text[17] and 1 <= month <= 12 and 1 <= day <= 31


def _ssn(digits: str) -> bool:
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _cpf(digits: str) -> bool:
    for length in (9, 10):
        total = sum(int(d) * (length + 1 - i) for i, d in enumerate(digits[:length]))
        if total * 10 % 11 % 10 != int(digits[length]):
            return False
    return True


def _weighted(weights: tuple[int, ...], modulus: int, digits: str) -> bool:
    return sum(w * int(d) for w, d in zip(weights, digits, strict=True)) % modulus == 0


def _nir(digits: str) -> bool:
    return int(digits[:13]) % 97 + int(digits[13:]) == 97


_KINDS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = tuple(
    (kind, re.compile(_ALONE.format(pattern)), valid)
    for kind, pattern, valid in (
        (
            "a payment card number",
            r"\d{4}([ -]?)\d{4}\1\d{4}\1\d{1,7}|3\d{3}([ -]?)\d{6}\2\d{5}",
            _card,
        ),
        (
            "a bank account number (IBAN)",
            r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?",
            _iban,
        ),
        ("a Spanish identity number", r"(?:\d{8}|[XYZ]-?\d{7})-?[A-Za-z]", _dni),
        ("a Dutch citizen number", r"\d{9}|\d{4}\.\d{2}\.\d{3}", _bsn),
        ("a Chinese resident number", r"[1-9]\d{5}(?:19|20)\d{9}[\dXx]", _resident),
        ("a US social security number", r"\d{3}-\d{2}-\d{4}", _ssn),
        ("a Brazilian taxpayer number", r"\d{3}\.\d{3}\.\d{3}-\d{2}", _cpf),
        (
            "a Polish identity number",
            r"\d{2}(?:[02468][1-9]|[13579][0-2])(?:0[1-9]|[12]\d|3[01])\d{5}",
            partial(_weighted, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10),
        ),
        (
            "a French social security number",
            r"[12] ?\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{3} ?\d{2}",
            _nir,
        ),
    )
)
