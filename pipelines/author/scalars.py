"""Text → a YAML scalar that every parser reads back as exactly that text.

In: any text. Out: plain where that is safe, a block after ``|`` for lines, quotes for what YAML would
misread. Text that no leaf may hold is refused with a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from textwrap import wrap

from yaml import SafeLoader, ScalarNode

from pipelines.errors import GraftError

LINE = 94  # characters of a wrapped line: about a hundred with its indentation

# What `graft check` refuses to meet in a leaf; a tab is written as an escape.
_UNWRITABLE = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010fffd]"
)
_INDICATORS = "-?:,[]{}#&*!|>'\"%@`="
# Words and figures that some YAML version or other reads as something else than text.
_WORD = re.compile(r"y|n|yes|no|on|off|true|false|null|~|\.nan|[-+]?\.inf", re.IGNORECASE)
_FIGURE = re.compile(r"[-+]?\.?\d[\da-f_xo.:,te+%-]*", re.IGNORECASE)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\ufeff": "\\uFEFF"}
_RESOLVER = SafeLoader("")


def refuse_unwritable(text: str, what: str) -> None:
    """``GraftError`` where a character that cannot be seen stands in ``text``."""
    found = _UNWRITABLE.search(text)
    if found:
        raise GraftError(
            f"{what} holds the character U+{ord(found[0]):04X}, which cannot be seen and which no "
            "leaf may hold; delete it."
        )


def on_one_line(text: str) -> str:
    """Text of a stranger as a terminal may show it: what would steer the terminal becomes a sign."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def tidy(text: str) -> str:
    """Text as leaves hold it: NFC, line ends as LF, no spaces at line ends or around the whole."""
    lines = unicodedata.normalize("NFC", text.removeprefix("\ufeff"))
    lines = lines.replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(line.rstrip(" \t") for line in lines.split("\n")).strip("\n \t")


def laid_out(text: str) -> str:
    """A context as this repository's leaves show it: long lines broken at spaces, a newline last.

    Scripts without spaces keep their long lines: a break between characters would be a new space.
    """
    lines: list[str] = []
    for line in text.split("\n"):
        parts = wrap(line, LINE, break_long_words=False, break_on_hyphens=False)
        lines += [line] if len(line) <= LINE + 8 or not parts else parts
    return "\n".join(lines) + "\n"


def scalar(text: str, indent: int, what: str = "A text") -> str:
    """What stands behind ``key: `` for ``text``; the lines of a block begin at ``indent``."""
    refuse_unwritable(text, what)
    if _fits_block(text):
        head = "|" if text.endswith("\n") else "|-"
        lines = text.removesuffix("\n").split("\n")
        return "\n".join([head, *(" " * indent + line if line else "" for line in lines)])
    if _is_plain(text):
        return text
    escapes = any(escaped in text for escaped in "\n\t\ufeff")
    if ('"' in text or "\\" in text) and not escapes:
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_ESCAPES.get(character, character) for character in text) + '"'


def _fits_block(text: str) -> bool:
    """Whether a block holds the text without an indicator of indentation or of line ends."""
    if "\n" not in text or "\t" in text or "\ufeff" in text:
        return False
    lines = text.removesuffix("\n").split("\n")
    sound = all(line == line.rstrip() for line in lines)
    return sound and bool(lines[0]) and bool(lines[-1]) and not lines[0].startswith(" ")


def _is_plain(text: str) -> bool:
    if not text or text != text.strip() or any(found in text for found in "\n\t\ufeff"):
        return False
    if text[0] in _INDICATORS or text.startswith(("...", "<<")) or text.endswith(":"):
        return False
    if ": " in text or " #" in text or _WORD.fullmatch(text) or _FIGURE.fullmatch(text):
        return False
    tag = _RESOLVER.resolve(ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return bool(tag == "tag:yaml.org,2002:str")
