"""Contributed and generated text made harmless, for Markdown on GitHub and for HTML.

In: any string, however hostile. Out: text that shows what was written and does nothing: it opens no
element, link, mention or reference, hides no direction change, and ends no code block early.
"""

from __future__ import annotations

import html
import re
import unicodedata

ELLIPSIS = "…"
# A zero-width space: GitHub links rendered text, where an entity would not stop it.
BREAK = "\u200b"

_KEPT_FORMAT = frozenset("\u200c\u200d")  # joiners, which Persian, Indic scripts and emoji need
_PUNCTUATION = re.compile(r"([\\`*_\[\]#|~$]|^[-+=:])")
_NUMBERED = re.compile(r"^(\d+)([.)])")
_REFERENCES = re.compile(r"(?:@|#|\bGH-)(?=\S)", re.IGNORECASE)
# Broken before the end: GitHub takes a zero-width space for a letter of the host's name.
_ADDRESSES = re.compile(r":(?=//)|\bwww(?=\.)|\b(?:mailto|xmpp)(?=:)", re.IGNORECASE)

# What a runner of GitHub Actions would obey in a log, to which a report is printed too.
_COMMANDS = re.compile(r"^\s*::|##\[", re.MULTILINE)


def clean(text: str) -> str:
    """Newlines as LF; no control, bidi, invisible or invalid characters."""
    if text.isprintable():
        return text
    text = re.sub(r"\r\n?|[\u0085\u2028\u2029]", "\n", text)
    return text.translate(_SHOWN)


class _Shown(dict[int, str]):
    """A table for ``str.translate`` that decides about each character once, by its category."""

    def __missing__(self, point: int) -> str:
        self[point] = shown = _shown(chr(point))
        return shown


_SHOWN = _Shown()


def _shown(character: str) -> str:
    if character in "\n\t" or character in _KEPT_FORMAT:
        return character
    category = unicodedata.category(character)
    if category in ("Cc", "Cf"):
        return ""
    return "\N{REPLACEMENT CHARACTER}" if category in ("Cs", "Cn") else character


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters, an ellipsis where some were dropped."""
    return text if len(text) <= limit else text[: max(0, limit - 1)] + ELLIPSIS


def cut(text: str, limit: int = 4000) -> str:
    """Clean text of at most ``limit`` characters; not yet escaped."""
    return shorten(clean(_start(text, limit)), limit)


def _start(text: str, limit: int) -> str:
    """What cannot be shown need not be cleaned: an answer may have a megabyte."""
    return text[: 8 * limit + 1000]


def one_line(text: str, limit: int = 200) -> str:
    """Clean text on one line, at most ``limit`` characters; not yet escaped."""
    return shorten(" ".join(clean(_start(text, limit)).split()), limit)


def _unlinked(text: str) -> str:
    text = _ADDRESSES.sub(lambda found: found.group() + BREAK, text)
    return _REFERENCES.sub(lambda found: found.group() + BREAK, text)


def markdown_inline(text: str, limit: int = 200) -> str:
    """For a sentence, list item or table cell."""
    escaped = _PUNCTUATION.sub(r"\\\1", _unlinked(one_line(text, limit)))
    escaped = _NUMBERED.sub(r"\1\\\2", escaped)
    return html.escape(escaped, quote=True).replace("&#x27;", "'")


def markdown_code(text: str, limit: int = 200) -> str:
    """As code within a sentence or cell; an element: a pipe ends a cell's backticks."""
    return f"<code>{markdown_inline(text, limit)}</code>" if text else ""


def markdown_summary(text: str, limit: int = 200) -> str:
    """For the line of a ``<summary>``, which GitHub reads as HTML."""
    return html.escape(_unlinked(one_line(text, limit)), quote=True)


def markdown_fence(text: str, limit: int = 4000) -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    body = cut(text, limit).replace("<!--", f"<!{BREAK}--").strip("\n")
    body = _COMMANDS.sub(lambda found: found.group()[:-1] + BREAK + found.group()[-1], body)
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{body}\n{fence}"
