"""The texts of a leaf: what stands behind a key or a dash and is moved only as a whole.

In: the node tree of a file whose YAML was read. Out: its ``Atom`` s in the file's order: scalars, and
lists and mappings in brackets, each with the lines that it takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

_HEADER = re.compile(r"[|>](?:[+-]?([1-9])|([1-9])?[+-]?)(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Atom:
    """``indent`` is the column of its key or dash; ``key_line`` the line of that key, for a dash -1."""

    node: yaml.Node
    indent: int
    key_line: int

    @property
    def line(self) -> int:
        """Where it begins; lines and columns count from 0 here."""
        return int(self.node.start_mark.line)

    @property
    def column(self) -> int:
        return int(self.node.start_mark.column)

    @property
    def last_line(self) -> int:
        """The last line that holds a part of it."""
        end = self.node.end_mark
        at_start = end.column == 0 and end.line > self.line
        return int(end.line - 1 if at_start else end.line)

    @property
    def is_block(self) -> bool:
        """Whether it is written after ``|`` or ``>``."""
        return isinstance(self.node, yaml.ScalarNode) and self.node.style in ("|", ">")

    @property
    def is_missing(self) -> bool:
        """Whether nothing at all is written where it would be."""
        return bool(self.node.start_mark.index == self.node.end_mark.index)

    def block_indent(self, lines: Sequence[str]) -> int:
        """The column at which a block's text begins."""
        explicit = self.block_indicator(lines)
        if explicit:
            return self.indent + explicit
        body = [line for line in lines[self.line + 1 : self.last_line + 1] if line.strip(" ")]
        return len(body[0]) - len(body[0].lstrip(" ")) if body else self.indent + 2

    def block_indicator(self, lines: Sequence[str]) -> int:
        """The digit after ``|`` or ``>``, which is relative to ``indent``; 0 where there is none."""
        header = _HEADER.search(lines[self.line], self.column)
        return int(header[1] or header[2] or 0) if header else 0


def is_container(node: yaml.Node) -> bool:
    """Whether a node is a list or mapping of indented lines, without brackets."""
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def atoms(root: yaml.Node) -> Iterator[Atom]:
    """Every text below ``root`` that has something written."""
    for node, indent, key_line in _children(root):
        if is_container(node):
            yield from atoms(node)
        elif not (atom := Atom(node, indent, key_line)).is_missing:
            yield atom


def _children(node: yaml.Node) -> Iterator[tuple[yaml.Node, int, int]]:
    """The values below a container, each with the column of its key or dash and its key's line."""
    if not is_container(node):
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield value, key.start_mark.column, key.start_mark.line
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield item, node.start_mark.column, -1
