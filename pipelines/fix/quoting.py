"""Quoting what YAML reads as something other than text, though text belongs there.

In: a leaf's text and its nodes. Out: the same text in which ``Yes``, ``0123``, ``12:30`` or a date that
answers a question stands in double quotes, letter by letter as the author wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import yaml

_STANDARD = "tag:yaml.org,2002:"
_QUOTED = ("bool", "int", "float", "timestamp")
# Text for our reader and for YAML 1.1, a number for YAML 1.2: quotes say the same to both.
_ELSEWHERE = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)[eE][-+]?\d+|0o[0-7]+")
# Where text belongs; what an author adds to a question under another key is left alone.
_TEXTS = (
    "created_by",
    "task_description",
    "domain",
    "document_outline",
    "context",
    "question",
    "answer",
    "repo",
    "commit",
    "patterns",
)


def quote(text: str, root: yaml.Node) -> str:
    """``text`` with each such value in double quotes."""
    lines = text.split("\n")
    meant = [n for n in _plain(lines, root) if _is_other(n) or _ELSEWHERE.fullmatch(n.value)]
    for node in reversed(meant):
        line, start = node.start_mark.line, node.start_mark.column
        end = node.end_mark.column
        lines[line] = f'{lines[line][:start]}"{node.value}"{lines[line][end:]}'
    return "\n".join(lines)


def unquoted(text: str, root: yaml.Node) -> list[yaml.ScalarNode]:
    """The values that should be text and are not; never null, which nobody can have meant as text."""
    return [node for node in _plain(text.split("\n"), root) if _is_other(node)]


def only_quotes_added(before: yaml.Node, after: yaml.Node) -> bool:
    """Whether every value has kept its spelling, and at most become text where text belongs."""
    first, second = list(_spelled(before, "")), list(_spelled(after, ""))
    return len(first) == len(second) and all(
        a == b or (a.key in _TEXTS and b == a.as_text()) for a, b in zip(first, second, strict=True)
    )


def _is_other(node: yaml.ScalarNode) -> bool:
    return node.tag.removeprefix(_STANDARD) in _QUOTED


class _Spelling(NamedTuple):
    """The key that a node stands under, its tag, and its letters where it is a scalar."""

    key: str
    tag: str
    letters: str

    def as_text(self) -> _Spelling:
        return self._replace(tag=f"{_STANDARD}str")


def _spelled(node: yaml.Node, key: str) -> Iterator[_Spelling]:
    yield _Spelling(key, node.tag, node.value if isinstance(node, yaml.ScalarNode) else "")
    for child, name in _below(node, key):
        yield from _spelled(child, name)


def _texts(node: yaml.Node, key: str) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode) and key in _TEXTS:
        yield node
    for child, name in _below(node, key):
        yield from _texts(child, name)


def _plain(lines: Sequence[str], root: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """The texts that are written without quotes, block or tag, on one line."""
    for node in _texts(root, ""):
        written = lines[node.start_mark.line][node.start_mark.column : node.end_mark.column]
        if node.value and written == node.value and node.start_mark.line == node.end_mark.line:
            yield node


def _below(node: yaml.Node, key: str) -> Iterator[tuple[yaml.Node, str]]:
    """What a node holds, each with the key nearest to it; only patterns are a list of texts."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield value, str(name.value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield item, key if key == "patterns" else ""
