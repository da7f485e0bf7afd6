"""Spaces at line ends and the end of the file, and which of them belong to a text.

In: a leaf's text with LF and its nodes. Out: the text without the spaces that mean nothing; with
``strip`` also without those that stand at line ends inside ``|`` and ``>`` blocks.
"""

from __future__ import annotations

import re

import yaml

from pipelines.fix.atoms import Atom, atoms

_KEEPS = re.compile(r"([|>])([1-9]?)\+?([1-9]?)(?=\s|$)")


def tidy(text: str, root: yaml.Node, *, strip: bool = False) -> str:
    """Delete spaces and tabs at line ends, and blank lines at the end; end with one newline."""
    lines = text.split("\n")
    blocks = [atom for atom in atoms(root) if atom.is_block]
    kept = {} if strip else _kept_lines(lines, blocks)
    tidied = [kept.get(at, line.rstrip(" \t")) for at, line in enumerate(lines)]
    last = blocks[-1] if blocks else None
    if last is None or last.last_line < _last_content(tidied):
        return "\n".join(tidied).rstrip("\n") + "\n"
    if not text.endswith("\n"):
        # YAML takes the newline of a block's last line for a part of its text: `|-` says there is none.
        tidied[last.line] = _clipped(tidied[last.line], last.column)
        return "\n".join(tidied) + "\n"
    if "+" in tidied[last.line][last.column :].split(" #")[0]:
        return "\n".join(tidied)  # each blank line at the end is a part of its text
    return "\n".join(tidied).rstrip("\n") + "\n"


def spaces_in_texts(text: str) -> list[int]:
    """The lines, from 0, that end with spaces or tabs."""
    return [at for at, line in enumerate(text.split("\n")) if line != line.rstrip(" \t")]


def _kept_lines(lines: list[str], blocks: list[Atom]) -> dict[int, str]:
    """The lines whose spaces at the end are a part of what a block says."""
    kept: dict[int, str] = {}
    for atom in blocks:
        indent = atom.block_indent(lines)
        for at in range(atom.line + 1, min(atom.last_line + 1, len(lines))):
            line = lines[at]
            if line.strip(" ") or len(line) > indent:
                kept[at] = line
    return kept


def _last_content(lines: list[str]) -> int:
    """The last line that is not blank."""
    return max((at for at, line in enumerate(lines) if line), default=0)


def _clipped(line: str, column: int) -> str:
    """A block's first line with ``-``, so that its text ends without a newline."""
    return line[:column] + _KEEPS.sub(r"\1\2\3-", line[column:], count=1)
