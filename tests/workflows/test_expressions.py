"""The stand-in for GitHub's expressions gives what GitHub's documentation says of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.expressions import fill, value

CONTEXTS: dict[str, Any] = {
    "github": {"event": {"number": 7, "labels": [{"name": "one"}, {"name": "two"}]}, "sha": "abc"},
    "inputs": {},
    "vars": {"RUNNER": '["gpu"]'},
    "functions": {"always": lambda: True},
}


@pytest.mark.parametrize(
    ("expression", "gives"),
    [
        ("inputs.ref || github.sha", "abc"),
        ("inputs.ref != ''", False),
        ("github.event.missing.deeper", None),
        ("contains(github.event.labels.*.name, 'two')", True),
        ("fromJSON(vars.RUNNER || '[]')", ["gpu"]),
        ("!always() || github.event.number == 7", True),
        ("startsWith('/graft preview', '/graft ') && 'it''s'", "it's"),
        ("format('{0}[bot]', github.sha)", "abc[bot]"),
        ("(inputs.target || vars.TARGET) != '' && true", False),
    ],
)
def test_expressions(expression: str, gives: object) -> None:
    assert value(expression, CONTEXTS) == gives


def test_texts_are_filled() -> None:
    assert fill("${{ github.event.number }}:${{ github.sha }}", CONTEXTS) == "7:abc"
    assert fill("plain", CONTEXTS) == "plain"


def test_what_is_not_known_is_an_error() -> None:
    with pytest.raises((AssertionError, KeyError)):
        value("hashFiles('**') + 1", CONTEXTS)
