"""The layout of a leaf: indentation of two, dashes indented below their key, one space after a colon.

In: a leaf's text and its nodes. Out: the text laid out anew, or None where that would lose a comment.
ruamel.yaml lays out keys, dashes and comments. Texts are held back meanwhile and put back letter by
letter, so that nothing rewraps, unescapes or respells what an author wrote.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import yaml

from pipelines.fix.atoms import Atom, atoms, is_container

STEP = 2
_COMMENT = re.compile(r"(?<!\S)#.*")
_MARK = re.compile(r"(?:---|\.\.\.)(?:\s|$)")
_LEAD = re.compile(r" *(?:- )*")


@dataclass(frozen=True, slots=True)
class Held:
    """A text held back: its lines, the first from where it begins; ``base`` is the old column that
    becomes two columns to the right of its key or dash. ``own_line``: it begins below its key."""

    lines: tuple[str, ...]
    base: int
    own_line: bool

    def put_back(self, before: str) -> list[str]:
        """The lines to write after ``before``, which ends where the text belongs."""
        lead = _LEAD.match(before)
        start = lead.end() if lead else 0
        column = start if start == len(before) else start + STEP
        first = self.lines[0]
        least = column if self.own_line else 0
        rest = [_shifted(line, column - self.base, least) for line in self.lines[1:]]
        if self.own_line:
            return [before.rstrip(" "), " " * column + first, *rest]
        return [before + first, *rest]


def is_laid_out(text: str, root: yaml.Node) -> bool:
    """Whether every key, dash and text stands in its column already."""
    lines = text.split("\n")
    blocks = [atom for atom in atoms(root) if atom.is_block]
    return _in_place(root, 0, lines) and all(
        atom.block_indicator(lines) or atom.block_indent(lines) == atom.indent + STEP
        for atom in blocks
    )


def lay_out(text: str, root: yaml.Node) -> str | None:
    """``text`` with every key and dash in its column; None where comments would not all be kept."""
    if not is_container(root):
        return None
    word = "held"
    while word in text:
        word += "x"
    skeleton, held = _hold_back(text, root, word)
    laid = _round_trip(skeleton)
    if laid is None or _comments(laid) != _comments(skeleton):
        return None
    lines: list[str] = []
    placeholder = re.compile(rf"{word}(\d+)$")
    for line in _with_comments_in_line(skeleton, laid):
        found = placeholder.search(line)
        if found:
            lines += held[int(found[1])].put_back(line[: found.start()])
        else:
            lines.append(line)
    return "\n".join(lines)


def _in_place(node: yaml.Node, column: int, lines: Sequence[str]) -> bool:
    """Whether a container and all below it stand where the layout wants them."""
    if not is_container(node):
        return True
    if node.start_mark.column != column:
        return False
    if isinstance(node, yaml.MappingNode):
        return all(_pair_in_place(key, value, column, lines) for key, value in node.value)
    return all(
        item.start_mark.column == column + STEP
        and lines[item.start_mark.line][column : column + STEP] == "- "
        and _in_place(item, column + STEP, lines)
        for item in node.value
        if item.start_mark.index < item.end_mark.index
    )


def _pair_in_place(key: yaml.Node, value: yaml.Node, column: int, lines: Sequence[str]) -> bool:
    if key.start_mark.column != column:
        return False
    line, start = key.end_mark.line, key.end_mark.column
    if value.start_mark.line == line:
        missing = value.start_mark.index == value.end_mark.index
        gap = lines[line][start : value.start_mark.column]
        return gap == (":" if missing else ": ")
    after = _COMMENT.sub("", lines[line][start:]).rstrip(" ")
    if is_container(value):
        return after == ":" and _in_place(value, column + STEP, lines)
    return (
        lines[line][start:] == ":"
        and value.start_mark.line == line + 1
        and value.start_mark.column == column + STEP
    )


def _hold_back(text: str, root: yaml.Node, word: str) -> tuple[list[str], list[Held]]:
    """The lines with a word in place of each of its texts, and what the words stand for."""
    lines = text.split("\n")
    skeleton: list[str] = []
    held: list[Held] = []
    done = 0
    for number, atom in enumerate(atoms(root)):
        held.append(_held(atom, lines))
        skeleton += lines[done : atom.line]
        skeleton.append(f"{lines[atom.line][: atom.column]}{word}{number}")
        done = atom.line + len(held[-1].lines)
    return skeleton + lines[done:], held


def _held(atom: Atom, lines: Sequence[str]) -> Held:
    last = atom.last_line
    own_line = atom.key_line >= 0 and atom.line > atom.key_line
    base = atom.column if own_line else atom.indent + STEP
    if atom.is_block:
        if not atom.block_indicator(lines):
            base = atom.block_indent(lines)
        keeps = "+" in lines[atom.line][atom.column :].split(" #")[0]
        while not keeps and last > atom.line and not lines[last]:
            last -= 1  # blank lines after it are no part of it
    taken = (lines[atom.line][atom.column :], *lines[atom.line + 1 : last + 1])
    below_key = own_line and atom.line == atom.key_line + 1
    return Held(taken, base, below_key)


def _shifted(line: str, by: int, least: int) -> str:
    """A line moved to the right or left, but to no column below ``least``."""
    return line and " " * max(_column(line) + by, least) + line.lstrip(" ")


def _round_trip(skeleton: Sequence[str]) -> list[str] | None:
    """What ruamel.yaml makes of it; None where it cannot read it, for then nothing is laid out."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    trip = YAML()
    trip.preserve_quotes = True
    trip.width = 2**31
    trip.indent(mapping=STEP, sequence=2 * STEP, offset=STEP)
    written = io.StringIO()
    # The lines around the document, `---` and what stands before it, stay as they are.
    marks = [at for at, line in enumerate(skeleton) if _MARK.match(line)]
    start = max((at + 1 for at in marks if skeleton[at].startswith("---")), default=0)
    end = min((at for at in marks if skeleton[at].startswith("...")), default=len(skeleton))
    try:
        trip.dump(trip.load("\n".join(skeleton[start:end])), written)
    except (YAMLError, ValueError, AttributeError, TypeError, KeyError, IndexError):
        return None
    laid = written.getvalue().split("\n")
    return [*skeleton[:start], *(laid[:-1] if end < len(skeleton) else laid), *skeleton[end:]]


def _comments(skeleton: Sequence[str]) -> list[str]:
    found = [_COMMENT.search(line) for line in skeleton]
    return [match[0] for match in found if match]


def _with_comments_in_line(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Put each comment at the distance or in the column that it had from or with its neighbours.

    ruamel.yaml leaves comments in the column that they had before everything else was moved.
    """
    moved = list(new)
    for (was, before, stood), (now, after, stands) in zip(
        _comment_places(old), _comment_places(new), strict=True
    ):
        if before and after:  # behind a key: as far from it as before
            moved[now] = new[now][:after] + old[was][before:]
        elif not before and not after:
            column = _column(old[was])
            beside = [new for old, new in zip(stood, stands, strict=True) if old == column]
            if beside:
                moved[now] = " " * beside[0] + new[now].lstrip(" ")
    return moved


def _comment_places(lines: Sequence[str]) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Of each comment: its line; where content ends before it, 0 where there is none; the columns of
    the nearest lines of content below and above, -1 where there is none."""
    columns = [-1 if _is_idle(line) else _column(line) for line in lines]
    above = list(accumulate(columns, _nearest, initial=-1))
    below = list(accumulate(reversed(columns), _nearest, initial=-1))[::-1]
    for at, line in enumerate(lines):
        found = _COMMENT.search(line)
        if found:
            yield at, len(line[: found.start()].rstrip()), (below[at + 1], above[at])


def _nearest(before: int, column: int) -> int:
    return before if column < 0 else column


def _is_idle(line: str) -> bool:
    return not line.strip() or line.lstrip(" ").startswith("#")


def _column(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
