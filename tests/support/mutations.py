"""Leaves, broken at random and in the same way each time: for holding two checkers against each other.

    for mutation in mutations(leaves, seed=1, count=200): mutation.path, mutation.data

In: the bytes of real leaves. Out: each with one to three edits of bytes, tokens, lines or structure.
Most edits are the slips of people; some are what only an attacker would write.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.repositories import knowledge_seeds, skill_seeds

ROOT = Path(__file__).resolve().parents[2]
_Edit = Callable[[bytes, random.Random], bytes]

_BYTES = [
    *(bytes([number]) for number in (0, 7, 9, 10, 13, 27, 32, 0x7F, 0x80, 0xE9, 0xFF)),
    *(text.encode() for text in "\x85\u2028\u2029\ufeff\ufffe\ufffdé漢🎵\xa0\u200b\u0301"),
]
_TOKENS = (
    ": ¦:¦- ¦-¦# ¦ # ¦#¦'¦\"¦''¦[¦]¦{¦}¦,¦&a ¦*a¦*¦&¦!x ¦!!str ¦!!int ¦!!binary ¦!!set ¦!!map ¦!¦"
    "---¦...¦%YAML 1.1\n¦%TAG ! x\n¦? ¦?¦<<: ¦=¦@¦`¦%¦~¦\\¦\\u0041¦\\ud800¦\\'¦>¦>-¦>2¦  ¦\t¦ \n¦"
    "\n\n¦|¦|-¦|+2¦|\n¦\n---\n¦\n...\n¦# yaml\n"
).split("¦")
_VALUES = (
    "Yes|no|on|~|null||42|3.0|0x3|0_3|1e3|1_000|.nan|.inf|-.inf|2024-01-01|2024-13-45|12:30:45|"
    '1234567|0123456|1234.5e+6|12345e6|true|[]|{}|[a, b]|{a: b}|\'\'|""|"   "|C #1|a: b|*.md|'
    "@you|!!binary aGVsbG8=|!!float 3|!!str 5|'3'|\"3\"|abc|[3]|0|1|2|3|4|-1|=|<<|?|- a|"
    '2024-01-01 12:00:00|0b11|0o7|1:1|+1|.5|5.|\'a\'\'b\'|"a\\tb"|"\\ud83d"|"a\\\n  b"'
).split("|")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One broken leaf, where it lies, and the names of the edits."""

    path: str
    data: bytes
    edits: tuple[str, ...]


def base_leaves() -> dict[str, bytes]:
    """The leaves of taxonomy/, and small ones of every version; path of the file → its bytes."""
    taxonomy = ROOT / "taxonomy"
    found = {
        file.relative_to(taxonomy).as_posix(): file.read_bytes()
        for file in sorted(taxonomy.rglob("qna.yaml"))
    }
    for version in (1, 2, 3):
        for style in ("block", "quoted", "json"):
            found[f"compositional_skills/v{version}/{style}/qna.yaml"] = _skill(version, style)
    for style in ("block", "quoted", "json"):
        found[f"knowledge/v3/{style}/qna.yaml"] = _knowledge(style)
    found["foundational_skills/v1/qna.yaml"] = _skill(1, "block")
    found["elsewhere/knowledge_like/qna.yaml"] = _knowledge("block")
    return found


def mutations(leaves: Mapping[str, bytes], *, seed: int, count: int) -> Iterator[Mutation]:
    """``count`` mutations of ``leaves``, the same for the same seed on every machine."""
    draw = random.Random(seed)
    paths = sorted(leaves)
    # Real leaves are many and long, the small ones reach more of the rules: half of each.
    small = [path for path in paths if len(leaves[path]) < 2000]
    for _ in range(count):
        path = draw.choice(small if small and draw.random() < 0.5 else paths)
        data, names = leaves[path], []
        for _ in range(draw.choice((1, 1, 1, 1, 2, 3))):
            edit = draw.choice(EDITS)
            names.append(edit.__name__)
            data = edit(data, draw)
        yield Mutation(path, data, tuple(names))


def change_byte(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(_BYTES) + data[at + draw.choice((0, 0, 1)) :]


def flip_bit(data: bytes, draw: random.Random) -> bytes:
    if not data:
        return data
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]


def cut(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + data[at + draw.choice((1, 1, 2, 5, 40)) :]


def insert_token(data: bytes, draw: random.Random) -> bytes:
    """A piece of YAML's grammar, at the edge of a word more often than not."""
    at = draw.randrange(len(data) + 1)
    if draw.random() < 0.7:
        at = max(data.rfind(draw.choice((b" ", b"\n", b": ", b"- ")), 0, at) + 1, 0)
    return data[:at] + draw.choice(_TOKENS).encode() + data[at:]


def change_value(data: bytes, draw: random.Random) -> bytes:
    """What follows the colon on one line becomes something that YAML reads in its own way."""
    lines = data.split(b"\n")
    with_colon = [number for number, line in enumerate(lines) if b":" in line]
    if not with_colon:
        return data
    number = draw.choice(with_colon)
    key = lines[number].partition(b":")[0]
    lines[number] = key + b": " + draw.choice(_VALUES).encode("utf-8")
    return b"\n".join(lines)


def change_version(data: bytes, draw: random.Random) -> bytes:
    """The version on the first line becomes another."""
    value = draw.choice([*_VALUES[-50:], "1", "2", "3", "3.0", "2.0", "1.0", "3 # three"])
    line = b"version: " + value.encode() + b"\n"
    if data.startswith(b"version:"):
        return line + data.partition(b"\n")[2]
    return line + data


def change_line(data: bytes, draw: random.Random) -> bytes:
    """Delete, double, move, join or comment out a line, or open a gap."""
    lines = data.split(b"\n")
    at, to = draw.randrange(len(lines)), draw.randrange(len(lines))
    kind = draw.randrange(6)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[at])
    elif kind == 2:
        lines.insert(to, lines.pop(at))
    elif kind == 3:
        lines[at : at + 2] = [b" ".join(lines[at : at + 2])]
    elif kind == 4:
        lines[at] = b"# " + lines[at]
    else:
        lines.insert(at, b"" if draw.random() < 0.5 else b"   ")
    return b"\n".join(lines)


def change_indent(data: bytes, draw: random.Random) -> bytes:
    """Push some lines to the right or to the left, with spaces or a tab."""
    lines = data.split(b"\n")
    at = draw.randrange(len(lines))
    for number in range(at, min(at + draw.choice((1, 1, 3, 20)), len(lines))):
        kind = draw.randrange(4)
        if kind == 0 and lines[number].startswith(b" "):
            lines[number] = lines[number][1:]
        else:
            lines[number] = (b" ", b"  ", b"\t", b" ")[kind] + lines[number]
    return b"\n".join(lines)


def change_line_end(data: bytes, draw: random.Random) -> bytes:
    """Spaces or tabs at a line's end, other line ends, or none at the end of the file."""
    kind = draw.randrange(6)
    if kind < 2:
        lines = data.split(b"\n")
        at = draw.randrange(len(lines))
        lines[at] += draw.choice((b" ", b"  ", b"\t", b" \t "))
        return b"\n".join(lines)
    if kind == 2:
        return data.rstrip(b"\n")
    if kind == 3:
        return data + draw.choice((b"\n", b" ", b"\t\n", b"# end", b"...\n", b"---\n", b"\n\n \n"))
    if kind == 4:
        return data.replace(b"\n", draw.choice((b"\r\n", b"\r")))
    return draw.choice((b"\xef\xbb\xbf", b"---\n", b"# top\n", b"\n", b"%YAML 1.2\n---\n")) + data


def change_structure(data: bytes, draw: random.Random) -> bytes:
    """Parse, alter one mapping or list, and write it out again in some other style."""
    try:
        content = yaml.load(data, Loader=yaml.CSafeLoader)
        _alter(content, draw)
        return _dump(content, draw)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return data


def _alter(content: Any, draw: random.Random) -> None:
    places = list(_containers(content))
    if not places:
        return
    place = draw.choice(places)
    if isinstance(place, list):
        kind = draw.randrange(4)
        if not place or kind == 0:
            place.append(draw.choice(("x", None, 5, {}, [])))
        elif kind == 1:
            place.append(place[draw.randrange(len(place))])
        elif kind == 2:
            del place[draw.randrange(len(place))]
        else:
            del place[draw.randrange(1, 6) :]
        return
    kind = draw.randrange(5)
    if not place or kind == 0:
        place[draw.choice(("extra", "context", "document", "version", 5, None, True))] = "x"
        return
    key = draw.choice(list(place))
    if kind == 1:
        del place[key]
    elif kind == 2:
        place[f"{key}s"] = place.pop(key)
    elif kind == 3:
        place[key] = draw.choice(("", " ", None, 3, 1.5, True, [], {}, ["a"], {"a": "b"}, "x: y"))
    else:
        place[key] = str(place[key]) + draw.choice((" ", "\n", "\t", " #x", "\x85", "é"))


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from _containers(item)


class _PlainDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _dump(content: Any, draw: random.Random) -> bytes:
    kind = draw.randrange(5)
    if kind == 0:
        return json.dumps(content, default=str).encode() + b"\n"
    return yaml.dump(
        content,
        Dumper=_PlainDumper if kind < 4 else yaml.SafeDumper,
        allow_unicode=draw.random() < 0.5,
        sort_keys=draw.random() < 0.3,
        width=draw.choice((20, 80, 1000)),
        indent=draw.choice((2, 4)),
        default_flow_style=draw.choice((False, False, False, None, True)),
        default_style=draw.choice((None, None, None, '"', "|", ">")),
    ).encode()


EDITS: tuple[_Edit, ...] = (
    change_byte,
    flip_bit,
    cut,
    insert_token,
    insert_token,
    change_value,
    change_value,
    change_version,
    change_line,
    change_indent,
    change_line_end,
    change_structure,
    change_structure,
)


def _skill(version: int, style: str) -> bytes:
    data: dict[str, Any] = {"version": version} if version > 1 else {}
    data |= {"created_by": "ada", "task_description": "Describe an object"}
    data["seed_examples"] = [
        ({"context": context} if context else {}) | {"question": question, "answer": answer}
        for context, question, answer in skill_seeds(grounded=version == 3)
    ]
    return _styled(data, style)


def _knowledge(style: str) -> bytes:
    seeds = [
        {
            "context": context,
            "questions_and_answers": [{"question": q, "answer": a} for q, a in pairs],
        }
        for context, pairs in knowledge_seeds()
    ]
    document = {"repo": "https://example.org/x.git", "commit": "a" * 40, "patterns": ["*.md"]}
    head = {"version": 3, "created_by": "ada", "domain": "science", "seed_examples": seeds}
    return _styled({**head, "document": document, "document_outline": "Things"}, style)


def _styled(data: dict[str, Any], style: str) -> bytes:
    if style == "json":
        return json.dumps(data, indent=1).encode() + b"\n"
    version = data.pop("version", None)
    quotes = '"' if style == "quoted" else None
    text = yaml.safe_dump(data, sort_keys=False, width=100, default_style=quotes)
    return (f"version: {version}\n{text}" if version else text).encode()
