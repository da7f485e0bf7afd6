"""One file's bytes → what `graft fix` would write, and what it leaves to a person.

In: the bytes of a qna.yaml or attribution.txt. Out: ``Mended``. Each step is taken only where the
values that our own reader finds afterwards are the ones it found before, the repairs of ``Repairs``
excepted, which change exactly what they name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.attribution import parse_attribution
from pipelines.findings import Finding
from pipelines.fix.layout import is_laid_out, lay_out
from pipelines.fix.quoting import only_quotes_added, quote, unquoted
from pipelines.fix.spaces import spaces_in_texts, tidy
from pipelines.yaml_source import Source, normalise_newlines, read_yaml


@dataclass(frozen=True, slots=True)
class Repairs:
    """Repairs that change values, each switched on by name: spaces at line ends inside blocks are
    deleted (``strip``); ``Yes``, ``No``, numbers and dates become text as they are spelled (``quote``)."""

    strip: bool = False
    quote: bool = False


@dataclass(frozen=True, slots=True)
class Mended:
    """What the file should hold, and what was found: errors stop its mending, warnings do not."""

    data: bytes
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _State:
    """The text so far, as read."""

    text: str
    source: Source

    def then(self, text: str | None, same: Callable[[Source, Source], bool]) -> _State:
        """The state after a step; this one where the step would change what it must not."""
        if text is None or text == self.text:
            return self
        reading = read_yaml(text.encode(), self.source.path)
        if reading.source is None or reading.findings or not same(self.source, reading.source):
            return self
        return _State(text, reading.source)


def mend_leaf(data: bytes, path: str, repairs: Repairs) -> Mended:
    """A qna.yaml, mended; as it is, with the reader's findings, where its YAML cannot be read."""
    reading = read_yaml(data, path)
    if reading.text is None or reading.source is None or reading.findings:
        return Mended(data, reading.findings)
    state = _State(reading.text, reading.source)
    if repairs.quote:
        quoted = quote(state.text, state.source.root)
        state = state.then(quoted, lambda old, new: only_quotes_added(old.root, new.root))
    state = state.then(tidy(state.text, state.source.root), _same)
    if repairs.strip:
        state = state.then(tidy(state.text, state.source.root, strip=True), _same_but_for_spaces)
    if not is_laid_out(state.text, state.source.root):
        laid = lay_out(state.text, state.source.root)
        state = state.then(
            laid, lambda old, new: _same(old, new) and is_laid_out(laid or "", new.root)
        )
    return Mended(state.text.encode(), tuple(_left(state)))


def mend_attribution(data: bytes, path: str) -> Mended:
    """An attribution.txt without spaces at line ends and blank lines at the end."""
    try:
        text = normalise_newlines(data)
    except UnicodeDecodeError:
        message, hint = (
            "attribution.txt is not UTF-8 text.",
            "Save it again with the encoding UTF-8.",
        )
        return Mended(data, (Finding("attribution", "error", path, 1, 1, message, hint),))
    lines = [line.rstrip(" \t") for line in text.split("\n")]
    tidied = ("\n".join(lines).rstrip("\n") + "\n").encode()
    if not text.strip() or not same_attribution(data, tidied, path):
        return Mended(data)
    return Mended(tidied)


def same_leaf(before: bytes, after: bytes, path: str) -> bool:
    """Whether two texts of a qna.yaml can both be read and have the same values."""
    old, new = (read_yaml(data, path) for data in (before, after))
    if old.source is None or new.source is None or old.findings or new.findings:
        return False
    return _same(old.source, new.source)


def same_attribution(before: bytes, after: bytes, path: str) -> bool:
    """Whether two texts of an attribution.txt can both be read and name the same."""
    try:
        old, new = (parse_attribution(normalise_newlines(data), path) for data in (before, after))
    except UnicodeDecodeError:
        return False
    return old == new


def _same(before: Source, after: Source) -> bool:
    """Whether the values are the same; ``repr`` tells 1, 1.0 and true apart and knows NaN."""
    return repr(before.data) == repr(after.data)


def _same_but_for_spaces(before: Source, after: Source) -> bool:
    return repr(_collapsed(before.data)) == repr(_collapsed(after.data))


def _collapsed(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub(r"\s+", " ", value).strip()
    if isinstance(value, list):
        return [_collapsed(item) for item in value]
    if isinstance(value, dict):
        return {key: _collapsed(item) for key, item in value.items()}
    return value


def _left(state: _State) -> Iterator[Finding]:
    """What only a switch or a person can mend."""
    path = state.source.path
    spaced = spaces_in_texts(state.text)
    if spaced:
        line = state.text.split("\n")[spaced[0]]
        message = f"Spaces at the end of {_count(len(spaced), 'line')} belong to a text."
        place = (spaced[0] + 1, len(line.rstrip(" \t")) + 1)
        yield Finding("whitespace", "warning", path, *place, message, "`--strip` deletes them.")
    bare = list(unquoted(state.text, state.source.root))
    if bare:
        verb = "is" if len(bare) == 1 else "are"
        message = f"{_count(len(bare), 'value')} that should be text {verb} not, such as this one."
        mark = bare[0].start_mark
        hint = "`--quote` puts what is written there in quotes."
        yield Finding("schema", "warning", path, mark.line + 1, mark.column + 1, message, hint)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
