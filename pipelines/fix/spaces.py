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
    if blocks and blocks[-1].last_line >= _last_content(tidied):
        line, column = blocks[-1].line, blocks[-1].column
        if tidied[-1]:
            # A newline at the block's end would become a part of its text: `|-` says there is none.
            tidied[line] = _clipped(tidied[line], column)
        elif "+" in tidied[line][column:].split(" #")[0]:
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
