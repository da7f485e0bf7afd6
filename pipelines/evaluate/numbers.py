"""The numbers that a text names: text in any script in, values with their units out.

Digits of every script, full width too; signs; thousands apart by comma, full stop, apostrophe or
any space, in threes or as in India; decimal comma, full stop or the Arabic separator; powers of ten.
Words for numbers ("five", "三千") are not read, except thousand, million and billion after digits.
Digits within a word are part of a name ("CO2", "km²") and no number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, DecimalException

MOST_DIGITS = 60  # longer runs are noise, and costly to compute with
SIGNS = "-\N{MINUS SIGN}"
_APART = " '\u2019_\u066c"  # separates thousands and nothing else; NFKC leaves one kind of space
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_RAISED = re.compile(f"[{''.join(map(chr, _SUPERSCRIPTS))}]+")

_NUMBER = re.compile(
    rf"(?<![\w^])(?P<sign>[{SIGNS}+])?"
    r"(?P<body>\d+(?:[.,\u066b'\u2019_\u066c]\d+| \d{3}(?!\d))*)"
    r"(?:\s?[×x*·]\s?10\^(?P<power>[-+]?\d{1,2})|[eE](?P<exponent>[-+]?\d{1,2})(?!\w)"
    r"|\^(?P<raised>[-+]?\d{1,2}))?"
    r"(?P<scale>\s?(?:thousand|millions?|billions?)\b)?"
    r"\s?(?P<unit>%|per\s?cent\b|°\s?[CF]\b|[^\W\d_]+)?",
)
_SCALES = {"thousand": 3, "million": 6, "billion": 9}

# Unit → what it measures, and how many of the first unit of its kind it is.
UNITS: dict[str, tuple[str, Decimal]] = {
    "%": ("share", Decimal(1)), "percent": ("share", Decimal(1)),
    "m": ("length", Decimal(1)), "mm": ("length", Decimal("0.001")),
    "cm": ("length", Decimal("0.01")), "km": ("length", Decimal(1000)),
    "g": ("mass", Decimal(1)), "mg": ("mass", Decimal("0.001")),
    "kg": ("mass", Decimal(1000)), "t": ("mass", Decimal(1_000_000)),
    "s": ("time", Decimal(1)), "ms": ("time", Decimal("0.001")),
    "min": ("time", Decimal(60)), "h": ("time", Decimal(3600)),
    "l": ("volume", Decimal(1)), "L": ("volume", Decimal(1)), "ml": ("volume", Decimal("0.001")),
    "°C": ("Celsius", Decimal(1)), "°F": ("Fahrenheit", Decimal(1)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Number:
    """``readings``: what the digits may mean, two for "1,234"; ``unit``: of ``UNITS``, else ""."""

    readings: frozenset[Decimal]
    unit: str = ""


def numbers(text: str) -> list[Number]:
    """The numbers of ``text``, in order."""
    return [number for match in _NUMBER.finditer(_plain(text)) for number in _read(match)]


def same(one: Number, other: Number) -> bool:
    """Whether both may mean the same amount; without a unit on either side the digits decide."""
    if not one.unit or not other.unit:
        return bool(one.readings & other.readings)
    kind, size = UNITS[one.unit]
    other_kind, other_size = UNITS[other.unit]
    amounts = {value * size for value in one.readings}
    return kind == other_kind and any(value * other_size in amounts for value in other.readings)


def _plain(text: str) -> str:
    """NFKC with digits of ASCII; what is raised stands behind a ``^``."""
    text = _RAISED.sub(lambda match: "^" + match[0].translate(_SUPERSCRIPTS), text)
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in unicodedata.normalize("NFKC", text)
    )


def _read(match: re.Match[str]) -> list[Number]:
    readings = _readings(match["body"])
    if not readings:  # a date, a version, a list: each part is a number
        parts = [part for part in re.split(r"\D", match["body"]) if len(part) <= MOST_DIGITS]
        return [Number(frozenset({Decimal(part)})) for part in parts]
    try:
        return [Number(frozenset(map(_scaling(match), readings)), _unit(match))]
    except DecimalException:  # zero to the power of less than one
        return []


def _scaling(match: re.Match[str]) -> Callable[[Decimal], Decimal]:
    """What sign, power and a word such as "million" make of the digits."""
    sign = -1 if match["sign"] and match["sign"] in SIGNS else 1
    raised = int(match["raised"] or 1)
    shift = int(match["power"] or match["exponent"] or 0)
    if match["scale"]:
        shift += _SCALES[match["scale"].strip().removesuffix("s")]
    return lambda value: sign * (value**raised).scaleb(shift)


def _unit(match: re.Match[str]) -> str:
    """The unit, where it is known and not the first part of another such as km² or km/h."""
    unit = re.sub(r"\s", "", match["unit"] or "")
    follows = match.string[match.end() : match.end() + 1]
    return unit if unit in UNITS and not (follows.isdecimal() or follows in ("^", "/")) else ""


def _readings(body: str) -> set[Decimal]:
    """What digits with separators may mean; empty where they are several numbers."""
    if len(body) > MOST_DIGITS:
        return set()
    parts, marks = re.split(r"\D", body), re.findall(r"\D", body)
    if not marks:
        return {Decimal(body)}
    grouped = _grouped(parts) and len(set(marks)) == 1 and marks[0] != "\u066b"
    if len(marks) == 1 and marks[0] not in _APART:
        decimal = Decimal(f"{parts[0]}.{parts[1]}")
        return {decimal, Decimal("".join(parts))} if grouped else {decimal}
    if grouped:
        return {Decimal("".join(parts))}
    whole, last = parts[:-1], marks[-1]
    if len(set(marks[:-1])) == 1 and last not in _APART and last != marks[0] and _grouped(whole):
        return {Decimal(f"{''.join(whole)}.{parts[-1]}")}
    return set()


def _grouped(parts: list[str]) -> bool:
    """Whether the parts are thousands: the last of three digits, those before of three or two."""
    first, *middle, last = parts
    return (
        first[0] != "0"
        and len(first) <= 3
        and len(last) == 3
        and len({len(part) for part in middle} | {3}) <= 2
        and all(len(part) in (2, 3) for part in middle)
    )
