"""One line of an exported call store → the values of an answer, or what is wrong with it.

The file may come from anywhere, so each value is held to its type and length before it is stored.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pipelines.generate.database import COLUMNS

HEADER = {"format": "graft-answers", "version": 1}
LONGEST = 64 * 1024 * 1024  # bytes of a line: far above any prompt with its answer
_KEY = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("key", "text", "task", "model", "revision")
_NUMBERS = ("prompt_tokens", "completion_tokens", "at")
_ROLES = ("system", "user", "assistant")


def answer_of(line: bytes) -> dict[str, Any] | str:
    """The values by column, or one sentence on what is wrong."""
    if len(line) > LONGEST:
        return "the line is too long."
    if not line.endswith(b"\n"):
        return "the line has no end."
    try:
        # Surrogates can stand in JSON and in no file: the encoding finds them.
        values = json.loads(line)
        json.dumps(values, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return "this is no JSON."
    if not isinstance(values, dict) or values.keys() != COLUMNS.keys():
        return f"an answer has exactly the keys {', '.join(COLUMNS)}."
    for name in _TEXTS:
        if not isinstance(values[name], str):
            return f"{name} must be text."
    if not _KEY.fullmatch(values["key"]):
        return "key must be a SHA-256 in hexadecimal."
    for name in _NUMBERS:
        if type(values[name]) is not int or not 0 <= values[name] < 2**53:
            return f"{name} must be a whole number, not negative."
    return values if _is_prompt(values["prompt"]) else "prompt must be messages, or null."


def _is_prompt(prompt: object) -> bool:
    if prompt is None:
        return True
    return isinstance(prompt, list) and all(
        isinstance(turn, dict)
        and turn.keys() == {"role", "content"}
        and turn["role"] in _ROLES
        and isinstance(turn["content"], str)
        for turn in prompt
    )
