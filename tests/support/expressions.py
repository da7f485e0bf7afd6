"""GitHub's expressions: ``${{ … }}`` in a text, or the bare one of an ``if``, over contexts of plain JSON.

As much of the language as the workflows use: paths with ``.*``, literals, ``! && || == !=``, parentheses and
the functions of ``FUNCTIONS``. What it does not know is an error, never a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+)|(?P<op>&&|\|\||==|!=|[!(),\[\]])"
    r"|(?P<name>[A-Za-z_][\w-]*(?:\.(?:[\w-]+|\*))*))"
)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "startsWith": lambda text, start: _text(text).lower().startswith(_text(start).lower()),
    "contains": lambda all_, one: (
        one in all_ if isinstance(all_, list) else _text(one).lower() in _text(all_).lower()
    ),
    "fromJSON": lambda text: json.loads(_text(text)),
    "format": lambda form, *values: re.sub(r"\{(\d)\}", lambda m: _text(values[int(m[1])]), form),
}


def fill(text: Any, contexts: Mapping[str, Any]) -> Any:
    """``text`` with every expression replaced; the value itself where the text is one expression."""
    if not isinstance(text, str):
        return text
    whole = re.fullmatch(r"\s*\$\{\{((?:(?!\}\}).)*)\}\}\s*", text, re.DOTALL)
    if whole:
        return value(whole[1], contexts)
    return re.sub(r"\$\{\{(.*?)\}\}", lambda m: _text(value(m[1], contexts)), text)


def value(expression: str, contexts: Mapping[str, Any]) -> Any:
    """What one expression gives."""
    bare = re.fullmatch(r"\s*\$\{\{(.*)\}\}\s*", expression, re.DOTALL)
    parser = _Parser(_tokens(bare[1] if bare else expression), contexts)
    found = parser.either()
    assert not parser.left, f"not understood: {expression}"
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at, text = [], 0, text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match, f"not understood: {text[at:]}"
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    return found


def _text(found: Any) -> str:
    if found is None:
        return ""
    return str(found).lower() if isinstance(found, bool) else str(found)


class _Parser:
    """Recursive descent; both sides of ``&&`` and ``||`` are read, one is given, as at GitHub."""

    def __init__(self, tokens: list[tuple[str, str]], contexts: Mapping[str, Any]) -> None:
        self.left = tokens
        self._contexts = contexts

    def either(self) -> Any:
        found = self.both()
        while self._take("||"):
            other = self.both()
            found = found or other
        return found

    def both(self) -> Any:
        found = self.equal()
        while self._take("&&"):
            other = self.equal()
            found = found and other
        return found

    def equal(self) -> Any:
        found = self.unary()
        for sign in ("==", "!="):
            if self._take(sign):
                same = _text(found).lower() == _text(self.unary()).lower()
                return same if sign == "==" else not same
        return found

    def unary(self) -> Any:
        if self._take("!"):
            return not self.unary()
        if self._take("("):
            found = self.either()
            assert self._take(")")
            return found
        kind, word = self.left.pop(0)
        if kind == "text":
            return word[1:-1].replace("''", "'")
        if kind == "number":
            return int(word)
        assert kind == "name", word
        if self._take("("):
            return self._call(word)
        constants = {"true": True, "false": False, "null": None}
        return constants[word] if word in constants else self._path(word)

    def _call(self, name: str) -> Any:
        given = []
        while not self._take(")"):
            given.append(self.either())
            self._take(",")
        known = {**FUNCTIONS, **self._contexts["functions"]}
        return known[name](*given)

    def _path(self, path: str) -> Any:
        top, *rest = path.split(".")
        found = self._contexts[top]
        for name in rest:
            if name == "*":
                found = list(found or [])
            elif isinstance(found, list):
                found = [one.get(name) for one in found]
            else:
                found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def _take(self, sign: str) -> bool:
        if self.left and self.left[0] == ("op", sign):
            self.left.pop(0)
            return True
        return False
