"""What the stand-in OpenAI-compatible server says: text as a function of the messages and nothing else.

In: the request's messages and the number of the variation (0, or what ``seed`` and the choice's index
come to where the temperature is above 0). Out: the answer's text; ``structured`` gives JSON after a JSON
Schema instead. ``ANSWERS`` maps the names that the server is started with to functions; any other
function is named ``module:function``.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Chat = Sequence[Mapping[str, Any]]
Answerer = Callable[[Chat, int], str]

BLOCKS = 3  # in a tagged answer
_SYLLABLES = str.maketrans(
    {
        f"{number:x}": syllable
        for number, syllable in enumerate("ba ce di fo gu ha je ki lo mu na pe ri so tu va".split())
    }
)
_TAG = re.compile(r"^\[([A-Z_]+)\]", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_WORD = re.compile(r"\w+")
_GAP = re.compile(r"\n\s*\n")


def text_of(chat: Chat) -> str:
    """All that was said, as one text."""
    return "\n\n".join(_content(message.get("content")) for message in chat)


def _content(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def tagged(chat: Chat, variation: int) -> str:
    """Blocks in the form that the prompt shows last, or ``[QUESTION] … [ANSWER] … [END]``.

    Answers and contexts are sentences of the longest paragraph between the prompt's first and last,
    which instruct; where there is none, what the form shows stays. A question holds invented words, so
    that no two prompts share one. A tag for a verdict gets the one that lets a row pass.
    """
    prompt = text_of(chat)
    tags = _form(prompt)
    passage = _passage(prompt)
    blocks = []
    for question, sentence in _pairs(prompt, passage, variation):
        lines = [
            f"[{tag}]\n{_filled(tag, shown, question, '' if passage is None else sentence)}"
            for tag, shown in tags
        ]
        blocks.append("\n".join([*lines, "[END]"]))
    passes = any(tag not in ("CONTEXT", "QUESTION", "ANSWER") for tag, _ in tags)
    return "\n\n".join(blocks[:1] if passes else blocks)


def echo(chat: Chat, variation: int) -> str:
    """The last message."""
    return _content(chat[-1].get("content"))


def fixed(chat: Chat, variation: int) -> str:
    """One short answer to all."""
    return "This answer is always the same."


def garbage(text: str, attempt: int) -> str:
    """Text in no form: what a model says that has lost its thread."""
    return " ".join(_invented(f"{text[:200]}{attempt}garbage", 16)) + " [QUESTION] {"


ANSWERS: dict[str, Answerer] = {"tagged": tagged, "echo": echo, "fixed": fixed}


def answerer(name: str) -> Answerer:
    """The function of that name, or at ``module:function``."""
    if name in ANSWERS:
        return ANSWERS[name]
    module, _, function = name.partition(":")
    if not function:
        raise ValueError(f"no answers are called {name}; known: {', '.join(ANSWERS)}")
    found: Answerer = getattr(importlib.import_module(module), function)
    return found


def structured(chat: Chat, variation: int, schema: Mapping[str, Any]) -> str:
    """JSON that follows ``schema``: what ``tagged`` would say, in other clothes."""
    prompt = text_of(chat)
    pairs = _pairs(prompt, _passage(prompt), variation)
    return json.dumps(_instance(schema, schema, "", pairs, 0))


def _form(prompt: str) -> list[tuple[str, str]]:
    """The tags of the last block that is closed by [END], with what stands under each."""
    marks = list(_TAG.finditer(prompt))
    ends = [place for place, mark in enumerate(marks) if mark.group(1) == "END"]
    for end in reversed(ends):
        start = end
        while start and marks[start - 1].group(1) != "END":
            start -= 1
        if start < end:
            return [
                (marks[at].group(1), prompt[marks[at].end() : marks[at + 1].start()])
                for at in range(start, end)
            ]
    return [("QUESTION", ""), ("ANSWER", "")]


def _passage(prompt: str) -> str | None:
    """The text that the prompt is about; None where it shows a block in its form and nothing else."""
    parts = _GAP.split(prompt.strip())
    plain = [part for part in parts if not _TAG.search(part)]
    if len(plain) == len(parts):
        return max(parts[1:-1] or parts, key=len)
    inner = [part for part in parts[1:-1] if not _TAG.search(part)]
    return max(inner, key=len) if inner else None


def _pairs(prompt: str, passage: str | None, variation: int) -> list[tuple[str, str]]:
    """A few questions with sentences that stand in the prompt."""
    passage = passage or prompt
    sentences = [found for found in _SENTENCE.split(passage.strip()) if len(found) > 3]
    words = _invented(f"{prompt}\0{variation}", 4 * BLOCKS)
    found = []
    for number in range(BLOCKS):
        at = number + variation * BLOCKS
        sentence = sentences[at % len(sentences)].strip() if sentences else passage.strip() or "-"
        about = max(_WORD.findall(sentence) or ["it"], key=len)
        asking = " ".join(words[4 * number : 4 * number + 4])
        found.append((f"What did {asking} read about {about}?", sentence))
    return found


def _invented(seed: str, count: int) -> list[str]:
    """At most sixteen words of four syllables that follow from ``seed``."""
    drawn = hashlib.blake2b(seed.encode(), digest_size=2 * count).hexdigest()
    text = drawn.translate(_SYLLABLES)
    return [text[at : at + 8].capitalize() for at in range(0, 8 * count, 8)]


def _filled(tag: str, shown: str, question: str, sentence: str) -> str:
    if tag == "QUESTION":
        return question
    if tag in ("ANSWER", "CONTEXT"):
        return sentence or shown.strip()
    numbers = [int(digits) for digits in re.findall(r"\b\d\b", shown)]
    return str(max(numbers)) if numbers else "YES"


def _instance(
    schema: Mapping[str, Any],
    root: Mapping[str, Any],
    name: str,
    pairs: Sequence[tuple[str, str]],
    at: int,
) -> Any:
    """A value of ``schema``; ``at`` says which pair its texts come from."""
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].lstrip("#/").split("/"):
            target = target[part]
        return _instance(target, root, name, pairs, at)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        wanted = [value for value in schema["enum"] if str(value).upper() in ("YES", "TRUE")]
        return (wanted or list(schema["enum"])[-1:])[0]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _instance(schema[several][0], root, name, pairs, at)
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {
            key: _instance(part, root, key, pairs, at)
            for key, part in schema.get("properties", {}).items()
        }
    if kind == "array":
        count = min(max(schema.get("minItems", 0), len(pairs)), schema.get("maxItems", 99))
        return [
            _instance(schema.get("items", {}), root, name, pairs, number) for number in range(count)
        ]
    if kind in ("integer", "number"):
        return schema.get("maximum", schema.get("minimum", 1))
    if kind in ("boolean", "null"):
        return True if kind == "boolean" else None
    question, sentence = pairs[at % len(pairs)]
    return question if "question" in name.lower() else sentence
