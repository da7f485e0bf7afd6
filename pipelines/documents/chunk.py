"""A document's text → its chunks: cut along Markdown's own joints, with exact character offsets."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from pipelines import text
from pipelines.records import Chunk

CHUNKER_VERSION = 2

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_BREAK = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}")
_FENCE = re.compile(r"[ \t]*(`{3,}(?=[^`]*$)|~{3,})")
_DELIMITERS = re.compile(r" {0,3}(?=[^\n]*\|)[ \t:|-]*-[ \t:|-]*")
_NEXT_ITEM = re.compile(r"\n(?=[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t])")
_NOT_A_TITLE = re.compile(r"[ \t]*(?:[-*+>|]|\d{1,9}[.)][ \t])")
_RUN = re.compile(r"\S+")
_SENTENCE_END = re.compile(
    r"[.!?\u2026\u061f\u06d4\u0964\u0965]+[\"'”’»)\]*_]*(?=\s)|[。！？｡]+[」』”’）]*"
)
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:[^\W\d_]|e\.g|i\.e|Mr|Mrs|Ms|Dr|St|No|vs|cf|ca)\.$")


@dataclass(frozen=True, slots=True)
class Document:
    """A document as Markdown, newlines as LF.

    ``path`` is from the taxonomy root; of one in another repository it is "REPO@COMMIT:path".

    ``title`` is the first heading of level one; without any, the file's name without its ending.
    """

    path: str
    text: str
    title: str


# How long a piece is, 1 being as long as a chunk may get.
_Size = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class _Block:
    """Characters ``start:end`` of a text. ``whole`` is code or a table; only ``prose`` is split."""

    kind: Literal["prose", "whole", "heading", "break"]
    start: int
    end: int
    heading: str = ""
    level: int = 0


def chunks(document: Document, words: int, tokens: float = math.inf) -> list[Chunk]:
    """``document`` in pieces of at most ``words`` words and ``tokens`` tokens, each below one heading.

    Paragraphs are kept whole, and joined while they fit; a longer one is split at the ends of its
    sentences. Tables, code and single sentences stay whole, so that a piece with one may be longer;
    only a sentence of more than twice as much is cut between words. Each character of a script
    without spaces counts as half a word; tokens are estimated, rather too high. Nothing but headings
    and rules is left out, and ``document.text[chunk.start:chunk.end] == chunk.text``.
    """

    def size(piece: str) -> float:
        return max(text.count_words(piece) / words, text.estimate_tokens(piece) / tokens)

    found: list[Chunk] = []
    for heading, start, end in _spans(document.text, size):
        piece = document.text[start:end]
        chunk = Chunk(document.path, len(found), start, end, heading, piece, document.title)
        found.append(chunk)
    return found


def title_of(content: str, path: str) -> str:
    titles = (block.heading for block in _blocks(content) if block.level == 1 and block.heading)
    return next(titles, posixpath.splitext(posixpath.basename(path))[0])


def _spans(content: str, size: _Size) -> Iterator[tuple[str, int, int]]:
    """(heading, start, end) of each chunk."""
    heading = ""
    open_at: tuple[int, int] | None = None
    for block in _blocks(content):
        if block.kind in ("heading", "break"):
            if open_at:
                yield heading, *open_at
            open_at = None
            heading = block.heading if block.kind == "heading" else heading
            continue
        for start, end in _pieces(content, block, size):
            if open_at and size(content[open_at[0] : end]) <= 1:
                open_at = open_at[0], end
                continue
            if open_at:
                yield heading, *open_at
            open_at = start, end
    if open_at:
        yield heading, *open_at


def _pieces(content: str, block: _Block, size: _Size) -> Iterator[tuple[int, int]]:
    """The block itself, or a long paragraph's sentences, or parts of a sentence without end."""
    if block.kind == "whole" or size(content[block.start : block.end]) <= 1:
        yield block.start, block.end
        return
    for start, end in _sentences(content, block.start, block.end):
        if size(content[start:end]) <= 2:
            yield start, end
        else:
            yield from _parts(content, start, end, size)


def _sentences(content: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of sentences and list items, without the white space between them."""
    ends = {
        match.end()
        for match in _SENTENCE_END.finditer(content, start, end)
        if not _ABBREVIATION.search(content[max(start, match.end() - 8) : match.end()])
        and not content[match.end() : min(end, match.end() + 20)].lstrip()[:1].islower()
    }
    ends |= {match.end() for match in _NEXT_ITEM.finditer(content, start, end)}
    for stop in sorted({*ends, end}):
        yield from _stripped(content, start, stop)
        start = stop


def _parts(content: str, start: int, end: int, size: _Size) -> Iterator[tuple[int, int]]:
    """Spans that are no longer than a chunk (of one word at least), cut at spaces, or between
    characters where a script has none."""
    opened = start
    reached = start
    for match in _RUN.finditer(content, start, end):
        for stop in _steps(content, match.start(), match.end()):
            if reached > opened and size(content[opened:stop]) > 1:
                yield from _stripped(content, opened, reached)
                opened = reached
            reached = stop
    yield from _stripped(content, opened, end)


def _steps(content: str, start: int, end: int) -> Iterator[int]:
    """Where a run without spaces may be cut: at its end, in a script without spaces anywhere."""
    if text.spaceless(content[start:end]):
        yield from range(start + 1, end)
    yield end


def _stripped(content: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span without white space at its ends; nothing where there is nothing else."""
    piece = content[start:end]
    if piece.strip():
        yield start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _blocks(content: str) -> Iterator[_Block]:
    """Headings, rules, code, tables and paragraphs, in order; blank lines lie between them."""
    lines = [(match.start(), match.end()) for match in re.finditer(r"(?m)^[^\n]*", content)]
    texts = [content[start:end] for start, end in lines]
    at = 0
    while at < len(texts):
        line = texts[at]
        after = at + 1
        if heading := _HEADING.fullmatch(line):
            name = re.sub(r"(?:^|[ \t])#+$", "", (heading[2] or "").strip()).strip()
            yield _Block("heading", *lines[at], name, len(heading[1]))
        elif _BREAK.fullmatch(line):
            yield _Block("break", *lines[at])
        elif fence := _FENCE.match(line):
            after = _after_code(texts, at, fence[1])
            yield _Block("whole", lines[at][0], lines[after - 1][1])
        elif _begins_table(texts, at):
            after = _after_table(texts, at)
            yield _Block("whole", lines[at][0], lines[after - 1][1])
        elif line.strip():
            after = _after_prose(texts, at)
            level = _underlined(texts, at, after)
            if level:
                yield _Block("heading", *lines[at], line.strip(), level)
                after += 1
            else:
                yield _Block("prose", lines[at][0], lines[after - 1][1])
        at = after


def _after_code(texts: list[str], at: int, fence: str) -> int:
    """The line after the closing fence; code that is never closed takes all that follows."""
    closing = re.compile(rf"[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*")
    last = at
    for after in range(at + 1, len(texts)):
        if closing.fullmatch(texts[after]):
            return after + 1
        last = after if texts[after].strip() else last
    return last + 1


def _begins_table(texts: list[str], at: int) -> bool:
    following = texts[at + 1] if at + 1 < len(texts) else ""
    return "|" in texts[at] and bool(_DELIMITERS.fullmatch(following))


def _after_table(texts: list[str], at: int) -> int:
    after = at + 2
    while after < len(texts) and "|" in texts[after] and not _begins_other(texts, after):
        after += 1
    return after


def _after_prose(texts: list[str], at: int) -> int:
    after = at + 1
    while after < len(texts) and texts[after].strip() and not _begins_other(texts, after):
        if _UNDERLINE.fullmatch(texts[after]) and _underlined(texts, at, after):
            break
        after += 1
    return after


def _begins_other(texts: list[str], at: int) -> bool:
    """Whether a paragraph ends before this line."""
    line = texts[at]
    return bool(
        _HEADING.fullmatch(line) or _BREAK.fullmatch(line) or _FENCE.match(line)
    ) or _begins_table(texts, at)


def _underlined(texts: list[str], at: int, after: int) -> int:
    """The level of a heading that is underlined, 0 where the lines are a paragraph.

    Only one line may be a heading here: a rule set close below a paragraph must not swallow it.
    """
    following = texts[after] if after < len(texts) else ""
    line = _UNDERLINE.fullmatch(following)
    if after != at + 1 or not line or _NOT_A_TITLE.match(texts[at]):
        return 0
    return 1 if "=" in line[1] else 2
