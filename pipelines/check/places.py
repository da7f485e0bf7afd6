"""Where a character of a value stands in the file: right in block, folded and quoted text too.

In: a ``Source``, the text it was read from (as ``Reading.text``: no BOM, newlines as LF), the path of
a value and an offset into that value. Out: line and column, from 1, as an editor counts them.

YAML may change white space between a file and a value, but no other character is moved, dropped or
invented, once escapes are read. So the n-th character that is no white space is the n-th in both.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import yaml

from pipelines.yaml_source import Source

_SPACE = frozenset(" \t\n")
_PROPERTIES = re.compile(r"(?:[!&]\S*\s+)+")
_HEADER = re.compile(r"[|>][^\n]*\n")
# What a double-quoted text writes in several characters: one character, or none (a joined line).
_PIECE = re.compile(
    r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\n[ \t]*|.)|.", re.DOTALL
)
_BLANK_ESCAPES = frozenset("nt \t\n")


def offset_place(text: str, offset: int) -> tuple[int, int]:
    """Line and column of a character of a text."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def place_in(source: Source, text: str, at: Sequence[str | int], offset: int) -> tuple[int, int]:
    """Line and column of the character ``offset`` of the value at ``at``.

    White space is shown where the word before it ends. Where the value cannot be followed, its
    beginning is shown.
    """
    node = scalar_at(source, at)
    if node is None:
        return source.value_at(at)
    value = str(node.value)
    wanted = sum(char not in _SPACE for char in value[: offset + 1]) - 1
    index = next(itertools.islice(_solid_places(text, node), max(wanted, 0), None), None)
    if index is None:
        return source.value_at(at)
    after_word = wanted >= 0 and (offset >= len(value) or value[offset] in _SPACE)
    return offset_place(text, index + after_word)


def scalars(source: Source) -> Iterator[tuple[tuple[str | int, ...], yaml.ScalarNode]]:
    """Every scalar value with the path to it, in the order of the file."""
    waiting: list[tuple[tuple[str | int, ...], yaml.Node]] = [((), source.root)]
    while waiting:
        at, node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            waiting += [((*at, str(key.value)), value) for key, value in reversed(node.value)]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [((*at, i), value) for i, value in reversed([*enumerate(node.value)])]
        elif isinstance(node, yaml.ScalarNode):
            yield at, node


def scalar_at(source: Source, at: Sequence[str | int]) -> yaml.ScalarNode | None:
    """The scalar node at ``at``, None where there is none."""
    node: yaml.Node = source.root
    for part in at:
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            # The last of duplicate keys is the one whose value was kept.
            found = next((v for k, v in reversed(node.value) if k.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            found = node.value[part] if part < len(node.value) else None
        if found is None:
            return None
        node = found
    return node if isinstance(node, yaml.ScalarNode) else None


def _solid_places(text: str, node: yaml.ScalarNode) -> Iterator[int]:
    """The index in ``text`` of each character of the value that is no white space, in order."""
    start, end = node.start_mark.index, node.end_mark.index
    properties = _PROPERTIES.match(text, start, end)
    start = properties.end() if properties else start
    if node.style in ("|", ">"):
        header = _HEADER.match(text, start)
        yield from _solid(text, header.end() if header else start, end)
    elif node.style == "'":
        index = start + 1
        while index < end - 1:
            if text[index] not in _SPACE:
                yield index
            index += 2 if text.startswith("''", index) else 1
    elif node.style == '"':
        for piece in _PIECE.finditer(text, start + 1, end - 1):
            found = piece[0]
            blank = found in _SPACE if len(found) == 1 else _is_blank_escape(found)
            if not blank:
                yield piece.start()
    else:
        yield from _solid(text, start, end)


def _solid(text: str, start: int, end: int) -> Iterator[int]:
    return (index for index in range(start, end) if text[index] not in _SPACE)


def _is_blank_escape(escape: str) -> bool:
    """Whether an escape stands for a space, a tab, a newline or for nothing at all."""
    kind = escape[1]
    if kind in "xuU":
        return chr(int(escape[2:], 16)) in _SPACE
    return kind in _BLANK_ESCAPES
