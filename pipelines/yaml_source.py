"""YAML bytes → plain values with the place of each one, or findings that say what to mend.

In: the bytes of one file. Out: a ``Reading``: its text, its ``Source`` (values and their lines and
columns, from 1) and everything that YAML alone finds wrong. Contributed YAML is hostile: size,
nesting, anchors, aliases and tags are limited before a single value is built.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipelines.errors import LeafError
from pipelines.records import Finding

MAX_KILOBYTES = 256
MAX_DEPTH = 50
MAX_NUMBER = 200
BOM = b"\xef\xbb\xbf"

# YAML's own printable set, less the line breaks that editors do not show: NEL, U+2028 and U+2029.
_UNSEEN = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STANDARD = "tag:yaml.org,2002:"
_BAD_VALUE = (ValueError, KeyError, AttributeError, OverflowError, TypeError, IndexError)

# (part of the parser's words, what it means to a person, how to mend it); the first that fits.
_MEANINGS = (
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


@dataclass(frozen=True, slots=True)
class Source:
    """A YAML file that could be read: plain values in ``data``, and where each one stands."""

    path: str
    data: Any
    root: yaml.Node
    _pairs: dict[int, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    def value_at(self, at: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of the value at ``at``; of its nearest parent where there is none."""
        return self._find(at, key=False)

    def key_at(self, at: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of the key that leads to ``at``; of the item itself in a list."""
        return self._find(at, key=True)

    def _find(self, at: Sequence[str | int], *, key: bool) -> tuple[int, int]:
        node = shown = self.root
        for part in at:
            shown = node
            if isinstance(node, yaml.MappingNode):
                pairs = self._pairs.get(id(node))
                if pairs is None:
                    # The last of duplicate keys is the one whose value was kept.
                    pairs = {_key_text(pair[0]): pair for pair in node.value}
                    self._pairs[id(node)] = pairs
                if part not in pairs:
                    break
                shown, node = pairs[str(part)]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                if part >= len(node.value):
                    break
                shown = node = node.value[part]
            else:
                break
        else:
            shown = shown if key else node
        return _place(shown.start_mark)


@dataclass(frozen=True, slots=True)
class Reading:
    """``text`` where the file is UTF-8, ``source`` where it is YAML, and what was found."""

    text: str | None
    source: Source | None
    findings: tuple[Finding, ...]


def normalise_newlines(data: bytes) -> str:
    """UTF-8 text, byte-order mark dropped, CRLF and CR → LF; ``UnicodeDecodeError`` otherwise."""
    text = data.removeprefix(BOM).decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def as_finding(error: LeafError) -> Finding:
    """A ``LeafError`` as data."""
    return Finding(
        error.rule, "error", error.path, error.line, error.column, error.message, error.hint
    )


def as_error(finding: Finding) -> LeafError:
    """A finding that stops the reader."""
    return LeafError(
        finding.message,
        rule=finding.rule,
        path=finding.path,
        line=finding.line,
        column=finding.column,
        hint=finding.hint,
    )


def read_yaml(data: bytes, path: str) -> Reading:
    """Read one file. Never raises for what the file holds: ``findings`` tell, rule by rule."""
    text: str | None = None
    try:
        _check_size(data, path)
        text = _decode(data, path)
        _check_characters(text, path)
        # libyaml accepts tabs that the reference parser refuses; whoever has a tab gets the latter.
        loader_class = yaml.SafeLoader if "\t" in text else _FAST_LOADER
        try:
            _check_events(text, path, loader_class)
            source, duplicates = _build(text, path, loader_class)
        except yaml.MarkedYAMLError as error:
            raise _explain(error, text, path) from error
    except LeafError as error:
        return Reading(text, None, (as_finding(error),))
    return Reading(text, source, tuple(duplicates))


_FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check_size(data: bytes, path: str) -> None:
    if len(data) > MAX_KILOBYTES * 1024:
        raise LeafError(
            f"The file is larger than {MAX_KILOBYTES} kB.",
            rule="size",
            path=path,
            hint="Move long text into a document beside the leaf, or split the leaf.",
        )


def _decode(data: bytes, path: str) -> str:
    try:
        return normalise_newlines(data)
    except UnicodeDecodeError as error:
        before = normalise_newlines(error.object[: error.start])
        raise LeafError(
            "The file is not UTF-8 text.",
            rule="encoding",
            path=path,
            line=before.count("\n") + 1,
            column=len(before) - before.rfind("\n"),
            hint="Save it again with the encoding UTF-8.",
        ) from error


def _check_characters(text: str, path: str) -> None:
    found = _UNSEEN.search(text)
    if found:
        start = found.start()
        raise LeafError(
            f"The character U+{ord(found[0]):04X}, which cannot be seen, stands in the text.",
            path=path,
            line=text.count("\n", 0, start) + 1,
            column=start - text.rfind("\n", 0, start),
            hint="Delete it; use ordinary spaces and line ends.",
        )


def _check_events(text: str, path: str, loader_class: Any) -> None:
    """Refuse, before anything is built, what could cost much: aliases, nesting, documents."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=loader_class):
        line, column = _place(event.start_mark)
        anchor = getattr(event, "anchor", None)
        if anchor:
            word = "An alias (`*" if isinstance(event, yaml.AliasEvent) else "An anchor (`&"
            raise LeafError(
                f"{word}{anchor}`) is not allowed.",
                rule="alias",
                path=path,
                line=line,
                column=column,
                hint="Write the text out in each place; quote text that starts with * or &.",
            )
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise LeafError(
                    "The file holds more than one YAML document.",
                    path=path,
                    line=line,
                    column=column,
                    hint="Keep one, and delete the line `---` between them.",
                )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise LeafError(
                f"Lists and mappings are nested more than {MAX_DEPTH} deep.",
                rule="depth",
                path=path,
                line=line,
                column=column,
                hint="A leaf needs fewer than ten levels.",
            )


def _build(text: str, path: str, loader_class: Any) -> tuple[Source, list[Finding]]:
    loader = loader_class(text)
    try:
        root = loader.get_single_node()
        builder = _Builder(loader, path)
        data = None if root is None else builder.value(root)
    finally:
        loader.dispose()
    if root is None or data is None or data == {}:
        line, column = _place(root.start_mark) if root is not None else (1, 1)
        raise LeafError(
            "The file is empty.",
            rule="empty",
            path=path,
            line=line,
            column=column,
            hint="Fill it in, or delete the file.",
        )
    return Source(path, data, root), builder.duplicates


class _Builder:
    """Nodes → plain values; duplicate keys are gathered, every other problem stops."""

    def __init__(self, loader: Any, path: str) -> None:
        self._loader = loader
        self._path = path
        self.duplicates: list[Finding] = []

    def value(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.tag == f"{_STANDARD}str" else self._scalar(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_STANDARD}seq":
            return [self.value(item) for item in node.value]
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_STANDARD}map":
            return self._mapping(node)
        raise self._error(node, f"The tag {_short(node.tag)} is not allowed.", "Delete it.")

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "A key must be text, not a list or mapping.", "Quote it.")
            name = _key_text(key)
            if name in seen:
                line, column = _place(key.start_mark)
                self.duplicates.append(
                    Finding(
                        "duplicate-key",
                        "error",
                        self._path,
                        line,
                        column,
                        f"The key `{name[:60]}` stands twice in the same mapping.",
                        "Keep one of them.",
                    )
                )
            seen.add(name)
        self._loader.flatten_mapping(node)
        return {_key_text(key): self.value(item) for key, item in node.value}

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        kind = node.tag.removeprefix(_STANDARD)
        if kind in ("int", "float", "timestamp") and len(node.value) > MAX_NUMBER:
            raise self._error(node, f"A number of {len(node.value)} characters.", "Quote the text.")
        try:
            return self._loader.construct_object(node)
        except yaml.constructor.ConstructorError as error:
            if kind in ("merge", "value"):
                message = f"`{node.value}` has a meaning of its own in YAML."
            else:
                message = f"The tag {_short(node.tag)} is not allowed."
            raise self._error(node, message, "Put the text in quotes.") from error
        except _BAD_VALUE as error:
            message = f"`{node.value[:60]}` looks like a {kind} but cannot be read as one."
            raise self._error(node, message, "Put the text in quotes.") from error

    def _error(self, node: yaml.Node, message: str, hint: str) -> LeafError:
        line, column = _place(node.start_mark)
        return LeafError(message, path=self._path, line=line, column=column, hint=hint)


def _key_text(key: yaml.Node) -> str:
    """A key's name; one that YAML reads as a number or date says so, and fits no schema."""
    if key.tag == f"{_STANDARD}str":
        return str(key.value)
    return f"{key.value} ({key.tag.removeprefix(_STANDARD)})"


def _short(tag: str) -> str:
    return tag.replace(_STANDARD, "!!")[:60]


def _place(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _explain(error: yaml.MarkedYAMLError, text: str, path: str) -> LeafError:
    """The parser's error as a sentence for a person, at the place that needs mending."""
    said = f"{error.context or ''} {error.problem or ''}"
    # An open quotation mark shows at the file's end; where it began is where it is to be mended.
    begun = "end of stream" in said or "scanning an a" in said
    mark = (error.context_mark if begun else None) or error.problem_mark or error.context_mark
    line, column = _place(mark) if mark is not None else (1, 1)
    lines = text.split("\n")
    content = lines[line - 1] if line <= len(lines) else ""
    indent = content[: len(content) - len(content.lstrip())]
    message = f"This is not valid YAML here ({error.problem})."
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
