"""What is wrong with YAML → what a person can do about it.

In: a parser's error and the text, or an event or node that is refused. Out: a ``LeafError`` at the place
that needs mending.
"""

from __future__ import annotations

from typing import Any

import yaml

from pipelines.errors import LeafError

MAX_DEPTH = 50

# (part of the parser's words, what it means to a person, how to mend it); the first that fits.
_MEANINGS = (
    (
        "single document",
        "The file holds more than one YAML document.",
        "Keep one, and delete the line `---` between them.",
    ),
    (
        "mapping values are not allowed",
        "A colon and a space stand where no key can be.",
        "Put text that holds a colon in quotes, and line up keys that belong together.",
    ),
    (
        "unexpected end of stream",
        "The quotation mark that opens here is never closed.",
        "Close it, or write the text as a block after `|`.",
    ),
    (
        "scanning an alias",
        "Text may not start with `*`: YAML reads an alias there.",
        'Put the text in quotes, as in "*.md".',
    ),
    (
        "scanning an anchor",
        "Text may not start with `&`: YAML reads an anchor there.",
        "Put the text in quotes.",
    ),
    (
        "unknown escape character",
        "A backslash inside double quotes starts an escape that YAML does not know.",
        "Write it twice, or use single quotes.",
    ),
    (
        "expected ',' or",
        "A list or mapping in brackets is not closed, or a comma is missing.",
        "Close each `[` and `{`, and put text that holds brackets in quotes.",
    ),
    (
        "sequence entries are not allowed",
        "A list item (`- `) stands where no list can begin.",
        "Start the list on its own line, or put the text in quotes.",
    ),
    (
        "could not find expected ':'",
        "A key has no colon after it, or text runs over lines without being indented.",
        "Write `key: value`, and indent the lines of a longer text.",
    ),
    (
        "expected <document start>",
        "Something follows after the end of the content.",
        "Line up all keys of the top level at the left edge.",
    ),
    (
        "'-' indicator",
        "Something in this list is not an item: its indentation differs, or `- ` is missing.",
        "Line up the items of one list, each with `- ` before it.",
    ),
    (
        "did not find expected key",
        "The indentation is wrong here, or text follows a closing quotation mark.",
        "Line up the keys of one mapping with spaces; put text that holds quotes in other quotes.",
    ),
    (
        "expected <block end>",
        "The indentation is wrong here, or text follows a closing quotation mark.",
        "Line up what belongs together with spaces; put a text that holds quotes in other quotes.",
    ),
    ("tag", "Text that starts with `!` is read as a tag.", "Put the text in quotes."),
)


def explain(error: yaml.YAMLError, text: str, path: str) -> LeafError:
    """The parser's error as a sentence for a person, at the place that needs mending."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return LeafError("A character stands in the file that YAML does not allow.", path=path)
    said = f"{error.context or ''} {error.problem or ''}"
    # An open quotation mark shows at the file's end; where it began is where it is to be mended.
    begun = "end of stream" in said or "scanning an a" in said
    mark = (error.context_mark if begun else None) or error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    lines = text.split("\n")
    content = lines[line - 1] if line <= len(lines) else ""
    indent = content[: len(content) - len(content.lstrip())]
    message = f"This is not valid YAML here ({(error.problem or '')[:80]})."
    hint = "Look for missing quotes or wrong indentation on this line and the one before."
    if "\t" in indent or content[column - 1 : column] == "\t":
        message, hint = "A tab stands where YAML takes only spaces.", "Replace it by spaces."
    elif "cannot start any token" in said:
        message = f"Text may not start with `{content[column - 1 : column]}`."
        hint = "Put the text in quotes."
    else:
        for part, meaning, mend in _MEANINGS:
            if part in said:
                message, hint = meaning, mend
                break
    return LeafError(message, path=path, line=line, column=column, hint=hint)


def size_error(message: str, path: str) -> LeafError:
    """The file is too large to be read."""
    hint = "Move long text into a document beside the leaf, or split the leaf."
    return LeafError(message, rule="size", path=path, hint=hint)


def alias_error(event: Any, path: str) -> LeafError:
    """An anchor or alias, as an event of the parser."""
    line, column = place(event.start_mark)
    word = "An alias (`*" if isinstance(event, yaml.AliasEvent) else "An anchor (`&"
    return LeafError(
        f"{word}{event.anchor[:60]}`) is not allowed.",
        rule="alias",
        path=path,
        line=line,
        column=column,
        hint="Write the text out in each place; quote text that starts with * or &.",
    )


def depth_error(event: Any, path: str) -> LeafError:
    """Nesting that goes too deep, at an event or node."""
    line, column = place(event.start_mark)
    return LeafError(
        f"Lists and mappings are nested more than {MAX_DEPTH} deep.",
        rule="depth",
        path=path,
        line=line,
        column=column,
        hint="A leaf needs fewer than ten levels.",
    )


def place(mark: Any) -> tuple[int, int]:
    """A mark of the parser as line and column, from 1."""
    return mark.line + 1, mark.column + 1
