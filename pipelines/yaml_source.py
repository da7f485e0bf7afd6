"""YAML bytes → plain values with the place of each one, or findings that say what to mend.

In: the bytes of one file. Out: a ``Reading``: its text, its ``Source`` (values and their lines and
columns, from 1) and everything that YAML alone finds wrong. Contributed YAML is hostile: size,
nesting, anchors, aliases and tags are limited before a single value is built. Speed matters, since
thousands of leaves are read at once: libyaml parses once, and what only a hostile file holds is
looked for with searches that cost next to nothing where it is absent.
"""

from __future__ import annotations

import functools
import gc
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from pipelines.errors import LeafError
from pipelines.findings import Finding
from pipelines.yaml_problems import (
    MAX_DEPTH,
    alias_error,
    depth_error,
    explain,
    place,
    size_error,
)

MAX_KILOBYTES = 256
MAX_KILOBYTES_SLOWLY = 64  # where PyYAML's parser has to read, which takes 20 times as long
MAX_FINDINGS = 100
MAX_NUMBER = 200
BOM = b"\xef\xbb\xbf"

# Characters that cannot be seen; the reference parser takes them, libyaml not all, or otherwise.
_TOLERATED = "\x85\u2028\u2029\ufeff"
_VISIBLE_ASCII = bytes([0x09, 0x0A, 0x0D, *range(0x20, 0x7F)])
# An anchor or alias can only begin so; the same characters inside prose merely cost a closer look.
_ANCHOR = re.compile(r"[&*][0-9A-Za-z_-]")
# A block collection begins within the spaces and indicators that a line starts with.
_DEEP_LINE = re.compile(r"\n[ ?:-]{20}")
_MANY_BRACKETS = 100
_STANDARD = "tag:yaml.org,2002:"
_STR = f"{_STANDARD}str"
_SEQ = f"{_STANDARD}seq"
_MAP = f"{_STANDARD}map"
_MERGE = f"{_STANDARD}merge"
# The tags that a scalar may have; any other is refused before a constructor sees it.
_SCALARS = ("null", "bool", "int", "float", "binary", "timestamp", "str")
_BAD_VALUE = (ValueError, KeyError, AttributeError, OverflowError, TypeError, IndexError)


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
        return place(shown.start_mark)


class Reading(NamedTuple):
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


def read_yaml(data: bytes, path: str, *, compat: bool = False) -> Reading:
    """Read one file. Never raises for what the file holds: ``findings`` tell, rule by rule.

    With ``compat`` PyYAML's own parser has the last word wherever libyaml may differ from it.
    """
    text: str | None = None
    try:
        _check_size(data, path)
        text = _decode(data, path)
        exotic = _check_characters(data, text, path, tolerated=_TOLERATED if compat else "")
        try:
            # libyaml accepts tabs that the reference parser refuses.
            if exotic or "\t" in text or _C_LOADER is None:
                return _read_slowly(text, path)
            return _read_fast(text, path, compat=compat)
        except yaml.YAMLError as error:
            raise explain(error, text, path) from error
    except LeafError as error:
        return Reading(text, None, (as_finding(error),))


def _read_fast(text: str, path: str, *, compat: bool) -> Reading:
    """By libyaml; with ``compat`` again by PyYAML where they may disagree: errors, brackets."""
    try:
        if not _harmless(text):
            _check_events(text, path)
        reading = _build(_C_LOADER(text), text, path)
    except yaml.YAMLError:
        if not compat or len(text) > MAX_KILOBYTES_SLOWLY * 1024:
            raise
    else:
        if not compat or reading.source is None or not _asks_in_brackets(reading.source.root):
            return reading
    return _read_slowly(text, path)


def _read_slowly(text: str, path: str) -> Reading:
    if len(text) > MAX_KILOBYTES_SLOWLY * 1024:
        kilobytes = MAX_KILOBYTES_SLOWLY
        raise size_error(f"The file holds tabs and is larger than {kilobytes} kB.", path)
    return _build(_GuardedLoader(text, path), text, path)


def _asks_in_brackets(node: Any, inside: bool = False) -> bool:
    """Whether plain text in brackets holds a question mark: PyYAML ends it there, libyaml does not."""
    if isinstance(node, yaml.ScalarNode):
        return inside and not node.style and "?" in node.value
    inside = inside or node.flow_style
    if isinstance(node, yaml.SequenceNode):
        return any(_asks_in_brackets(item, inside) for item in node.value)
    return any(_asks_in_brackets(part, inside) for pair in node.value for part in pair)


_C_LOADER: Any = getattr(yaml, "CSafeLoader", None)


def _harmless(text: str) -> bool:
    """Whether the text surely holds no anchor or alias, and no nesting that would tire libyaml.

    Each column opens at most two block collections, each bracket one flow collection: what passes
    here is nested at most 140 deep, which is safe to compose; ``_Builder`` enforces the limit.
    """
    return (
        text.count("[") + text.count("{") <= _MANY_BRACKETS
        and not _DEEP_LINE.search("\n" + text)
        and not (("&" in text or "*" in text) and _ANCHOR.search(text))
    )


def _check_size(data: bytes, path: str) -> None:
    if len(data) > MAX_KILOBYTES * 1024:
        raise size_error(f"The file is larger than {MAX_KILOBYTES} kB.", path)


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


@functools.cache
def _unseen() -> re.Pattern[str]:
    """All but YAML's own printable set, less line breaks that editors do not show and stray BOMs.

    Compiled when the first file holds what cannot be printed: it takes as long as reading ten leaves.
    """
    return re.compile(
        "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    )


def _check_characters(data: bytes, text: str, path: str, *, tolerated: str) -> bool:
    """Refuse what cannot be seen; whether any of ``tolerated`` is there."""
    rare = data.removeprefix(BOM).translate(None, _VISIBLE_ASCII)
    told = rare.decode("utf-8")
    if told.isprintable() or not _unseen().search(told):
        return False
    for found in _unseen().finditer(text):
        start = found.start()
        # PyYAML skips one byte-order mark at the start, which is gone by now.
        if found[0] not in tolerated or (found[0] == "\ufeff" and not start):
            raise LeafError(
                f"The character U+{ord(found[0]):04X}, which cannot be seen, stands in the text.",
                path=path,
                line=text.count("\n", 0, start) + 1,
                column=start - text.rfind("\n", 0, start),
                hint="Delete it; use ordinary spaces and line ends.",
            )
    return True


def _check_events(text: str, path: str) -> None:
    """Refuse, before anything is composed, what could cost much: aliases and deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=_C_LOADER):
        if getattr(event, "anchor", None):
            raise alias_error(event, path)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise depth_error(event, path)


class _GuardedLoader(yaml.SafeLoader):
    """The reference parser, refusing aliases and deep nesting while it composes."""

    def __init__(self, text: str, path: str) -> None:
        super().__init__(text)
        self._path = path
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None):
            raise alias_error(event, self._path)
        self._depth += 1
        if self._depth > MAX_DEPTH and isinstance(event, yaml.CollectionStartEvent):
            raise depth_error(event, self._path)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _build(loader: Any, text: str, path: str) -> Reading:
    # Nothing built here is garbage, and to look for some again and again took a third of a large file's time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        root = loader.get_single_node()
        builder = _Builder(loader, path)
        data = None if root is None else builder.value(root)
    finally:
        loader.dispose()
        if collecting:
            gc.enable()
    if root is None or data is None or data == {}:
        line, column = place(root.start_mark) if root is not None else (1, 1)
        raise LeafError(
            "The file is empty.",
            rule="empty",
            path=path,
            line=line,
            column=column,
            hint="Fill it in, or delete the file.",
        )
    return Reading(text, Source(path, data, root), tuple(builder.duplicates))


class _Builder:
    """Nodes → plain values; duplicate keys are gathered, every other problem stops."""

    def __init__(self, loader: Any, path: str) -> None:
        self._loader = loader
        self._path = path
        self.duplicates: list[Finding] = []

    def value(self, node: yaml.Node, depth: int = 1) -> Any:
        tag = node.tag
        if isinstance(node, yaml.ScalarNode):
            return node.value if tag == _STR else self._scalar(node)
        if depth > MAX_DEPTH:
            raise depth_error(node, self._path)
        if tag == _MAP and isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth + 1)
        if tag == _SEQ and isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        raise self._error(node, f"The tag {_short(tag)} is not allowed.", "Delete it.")

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        seen: set[str] = set()
        odd = False
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "A key must be text, not a list or mapping.", "Quote it.")
            if key.value in seen:
                self._duplicate(key)
            seen.add(key.value)
            odd = odd or key.tag != _STR
        if not odd:
            return {key.value: self.value(item, depth) for key, item in node.value}
        self._loader.flatten_mapping(node)
        for key, _ in node.value:
            if key.tag != _STR:
                self._scalar(key)  # a key that YAML cannot read is an error like any other value
        return {_key_text(key): self.value(item, depth) for key, item in node.value}

    def _duplicate(self, key: yaml.ScalarNode) -> None:
        """Note a second key; merge keys and keys that are not written at all may stand twice."""
        if key.value == "<<" or (not key.value and key.tag != _STR):
            return
        if len(self.duplicates) >= MAX_FINDINGS:
            return
        line, column = place(key.start_mark)
        message = f"The key `{key.value[:60]}` stands twice in the same mapping."
        hint = "Keep one of them."
        self.duplicates.append(
            Finding("duplicate-key", "error", self._path, line, column, message, hint)
        )

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        kind = node.tag.removeprefix(_STANDARD)
        if kind in ("int", "float", "timestamp") and len(node.value) > MAX_NUMBER:
            raise self._error(node, f"A number of {len(node.value)} characters.", "Quote the text.")
        if kind in ("merge", "value"):
            message = f"`{node.value[:60]}` has a meaning of its own in YAML."
            raise self._error(node, message, "Put the text in quotes.")
        if kind not in _SCALARS:
            message = f"The tag {_short(node.tag)} is not allowed."
            raise self._error(node, message, "Put the text in quotes.")
        try:
            return self._loader.construct_object(node)
        except yaml.constructor.ConstructorError as error:
            message = f"This is not what the tag {_short(node.tag)} says."
            raise self._error(node, message, "Put the text in quotes.") from error
        except _BAD_VALUE as error:
            message = f"`{node.value[:60]}` looks like a {kind} but cannot be read as one."
            raise self._error(node, message, "Put the text in quotes.") from error

    def _error(self, node: yaml.Node, message: str, hint: str) -> LeafError:
        line, column = place(node.start_mark)
        return LeafError(message, path=self._path, line=line, column=column, hint=hint)


def _key_text(key: yaml.Node) -> str:
    """A key's name; one that YAML reads as a number or date says so, and fits no schema."""
    if key.tag == f"{_STANDARD}str":
        return str(key.value)
    return f"{key.value} ({key.tag.removeprefix(_STANDARD)})"


def _short(tag: str) -> str:
    return tag.replace(_STANDARD, "!!")[:60]
