"""A leaf written as no two people would write it: the same values in a random layout.

In: values and a source of random choices. Out: YAML that says exactly these values, with random
indentation, quoting, wrapping, comments, blank lines, spaces at line ends and line ends.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

Value = str | int | list[Any] | dict[str, Any]
Style = Callable[[str, int], str | None]


class Writer:
    """Writes one leaf; ``comments`` holds the comments that it wrote, in their order."""

    def __init__(self, choose: random.Random) -> None:
        self._choose = choose
        self._spaces = choose.random() * 0.3
        self.comments: list[str] = []

    def write(self, data: dict[str, Any]) -> bytes:
        lines = [*self._start(), *self._mapping(data, 0), *self._between(0)]
        end = self._choose.choice(["\n", "\r\n", "\r"])
        text = end.join(self._spaced(line) for line in lines).replace(_HARD, "")
        endings = ["", end, end * 3, f"{end} {end}"]
        self._choose.shuffle(endings)
        # A block may need the newline at the end of the file.
        last = next(e for e in endings if read(text + e) == data)
        bom = b"\xef\xbb\xbf" if self._often(0.2) else b""
        return bom + (text + last).encode()

    def _start(self) -> list[str]:
        return [*self._between(0), "---"] if self._often(0.2) else []

    def _mapping(self, data: dict[str, Any], indent: int) -> Iterator[str]:
        for key, value in data.items():
            yield from self._between(indent)
            yield from self._pair(key, value, indent)

    def _pair(self, key: str, value: Value, indent: int) -> Iterator[str]:
        lead = " " * indent + self._choose.choice([key, key, f'"{key}"', f"{key} "]) + ":"
        if isinstance(value, (str, int)):
            first, *rest = self._scalar(value, indent)
            if self._often(0.1) and first[:1] not in "|>":
                yield lead
                yield " " * (indent + self._choose.randint(1, 4)) + first
            else:
                yield lead + " " * self._choose.choice([1, 1, 1, 3]) + first
            yield from rest
            return
        yield lead + self._aside()
        if isinstance(value, dict):
            yield from self._mapping(value, indent + self._choose.randint(1, 6))
        else:
            yield from self._sequence(value, indent + self._choose.choice([0, 0, 1, 2, 4]))

    def _sequence(self, items: list[Any], indent: int) -> Iterator[str]:
        for item in items:
            yield from self._between(indent)
            if isinstance(item, dict):
                gap = self._choose.choice([1, 1, 3])
                inner = list(self._mapping(item, indent + 1 + gap))
                at = next(n for n, line in enumerate(inner) if _is_content(line))
                if at or self._often(0.1):
                    yield " " * indent + "-"
                    yield from inner
                else:
                    yield " " * indent + "-" + inner[0][indent + 1 :]
                    yield from inner[1:]
            else:
                first, *rest = self._scalar(item, indent)
                yield f"{' ' * indent}- {first}"
                yield from rest

    def _scalar(self, value: str | int, indent: int) -> list[str]:
        if isinstance(value, int):
            return [f"{value}{self._aside()}"]
        styles: list[Style] = [_plain, _single, _double, self._wrapped, self._literal, self._folded]
        self._choose.shuffle(styles)
        for style in styles:
            written = style(value, indent)
            # What the style cannot say is found out by reading it back.
            if written is not None and _says(written, value, indent):
                lines = written.split("\n")
                is_block = written[0] in "|>" and len(lines) > 1
                lines[0 if is_block else -1] += self._aside()
                return lines
        return [json.dumps(value, ensure_ascii=False)]

    def _wrapped(self, value: str, indent: int) -> str | None:
        """Plain or quoted over several lines, broken where single spaces stand."""
        quotes = self._choose.choice(["", '"', "'"])
        if "\n" in value or (quotes and quotes in value) or "\\" in value:
            return None
        lead = "\n" + " " * (indent + self._choose.randint(1, 5))
        words = value.split(" ")
        broken = [lead + word if self._often(0.3) else " " + word for word in words[1:]]
        return quotes + "".join([words[0], *broken]) + quotes

    def _literal(self, value: str, indent: int) -> str | None:
        step = self._choose.randint(1, 6)
        keep = "" if value.endswith("\n") else "-"
        digit = str(step) if value.startswith(" ") or self._often(0.1) else ""
        lead = " " * (indent + step)
        body = value.removesuffix("\n").split("\n")
        # Spaces that are a part of the text are protected from being multiplied.
        lines = [f"{lead}{line}{_HARD}" if line else "" for line in body]
        return "\n".join([f"|{digit}{keep}", *lines])

    def _folded(self, value: str, indent: int) -> str | None:
        if value != " ".join(value.split()):
            return None
        lead = " " * (indent + self._choose.randint(1, 6))
        lines = [lead]
        for word in value.split(" "):
            lines[-1] += word if lines[-1] == lead else f" {word}"
            if self._often(0.2):
                lines.append(lead)
        return "\n".join([">-", *(f"{line}{_HARD}" for line in lines if line != lead)])

    def _between(self, indent: int) -> Iterator[str]:
        """Blank lines and comments before a line."""
        while self._often(0.12):
            yield self._choose.choice(["", "", " "])
        if self._often(0.12):
            yield " " * self._choose.choice([indent, indent, indent, 0]) + self._comment()

    def _aside(self) -> str:
        return "  " + self._comment() if self._often(0.1) else ""

    def _comment(self) -> str:
        self.comments.append(f"# note {len(self.comments)}: mind the gap")
        return self.comments[-1]

    def _spaced(self, line: str) -> str:
        if not line.strip() or line.endswith(_HARD) or not self._often(self._spaces):
            return line
        return line + " " * self._choose.randint(1, 3)

    def _often(self, share: float) -> bool:
        return self._choose.random() < share


_HARD = "\ue000"  # marks a line of a block, whose end is a part of its text


def read(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _plain(value: str, indent: int) -> str | None:
    return value


def _single(value: str, indent: int) -> str | None:
    return "'" + value.replace("'", "''") + "'"


def _double(value: str, indent: int) -> str | None:
    return json.dumps(value, ensure_ascii=max(value, default="") <= "\uffff")


def _says(written: str, value: str, indent: int) -> bool:
    """Whether YAML reads ``value`` from what is written behind a key of this indentation."""
    text = f"{' ' * indent}key: {written.replace(_HARD, '')}\n{' ' * indent}next: x\n"
    try:
        return bool(read(text) == {"key": value, "next": "x"})
    except yaml.YAMLError:
        return False
