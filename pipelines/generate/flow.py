"""Flows: what is asked of a teacher about a leaf, and which of its answers become rows.

A flow is a folder of ``pipelines/generate/flows``: ``flow.yaml`` and the prompts that it names. In the
YAML a step is an *ask* (render, call, parse), a *keep* (a filter of ``filters.py``, or a comparison), a
*distinct* or a *near*. ``FLOWS`` says which flows a kind of leaf goes through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import yaml

from pipelines.artifacts import digest
from pipelines.backends import tagged
from pipelines.errors import RecipeError
from pipelines.generate.filters import FILTERS
from pipelines.generate.steps import Ask, Distinct, Flow, Keep, Near, Step
from pipelines.records import Json, Kind, Message

FLOWS: dict[Kind, tuple[str, ...]] = {
    "knowledge": ("knowledge", "seeds"),
    "grounded_skill": ("grounded",),
    "freeform_skill": ("seeds",),
}
# What an exam is enlarged by, apart from training rows.
EXAM_FLOWS: dict[Kind, tuple[str, ...]] = {
    "knowledge": ("exam_knowledge",),
    "grounded_skill": (),
    "freeform_skill": (),
}
# What a first row holds, by the kind of rows that a flow starts from.
COLUMNS = {
    "chunk": {"title", "heading", "chunk", "questions"},
    "chunk_and_seed": {"title", "heading", "chunk", "question", "answer", "phrasings"},
    "question": {"context", "question", "answer", "phrasings"},
}
_FOLDER = Path(__file__).parent / "flows"
_SLOT = re.compile(r"\{\{ (\w+) \}\}")


def load_flow(name: str) -> Flow:
    """The flow of that name; ``RecipeError`` where its prompt and its variables disagree."""
    folder = _FOLDER / name
    data = yaml.safe_load((folder / "flow.yaml").read_text(encoding="utf-8"))
    prompts: dict[str, str] = {}
    steps = tuple(_step(folder, entry, prompts) for entry in data["steps"])
    return Flow(name, data["phase"], data["rows"], steps, digest([data, prompts]))


def _step(folder: Path, entry: Json, prompts: dict[str, str]) -> Step:
    if "keep" in entry:
        return Keep(entry["keep"], FILTERS[entry["keep"]])
    if "distinct" in entry:
        columns = entry["distinct"].split("_and_")
        return Distinct(entry["distinct"], tuple(columns))
    if "near" in entry:
        columns = entry["near"].split("_and_")
        return Near(f"near_{entry['near']}", tuple(columns), float(entry.get("threshold", 0.7)))
    prompt = (folder / entry["prompt"]).read_text(encoding="utf-8")
    prompts[entry["prompt"]] = prompt
    slots = set(_SLOT.findall(prompt))
    if slots != set(entry["variables"]):
        raise RecipeError(
            f"{folder}: the prompt {entry['prompt']} has the slots {sorted(slots)} and the step the "
            f"variables {sorted(entry['variables'])}; they must be the same."
        )
    return Ask(
        name=entry["ask"],
        variables=tuple(entry["variables"]),
        render=partial(filled, prompt),
        parse=partial(tagged.parse, tags=tuple(entry["parse"])),
    )


def filled(prompt: str, values: Mapping[str, str]) -> tuple[Message, ...]:
    """The prompt with its slots filled; text put in is never read as a slot again."""
    return (Message("user", _SLOT.sub(lambda slot: values[slot.group(1)], prompt)),)
