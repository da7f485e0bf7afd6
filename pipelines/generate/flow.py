"""Flows: what is asked of a teacher about a leaf, and which of its answers become rows.

A flow is a folder of ``pipelines/generate/flows``: ``flow.yaml`` and the prompts that it names. Steps
are of three types: *ask* (render, call, parse), *keep* (a filter of ``steps.py``, with a reason) and
*distinct*. ``FLOWS`` says which flows a kind of leaf goes through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from pipelines.artifacts import digest
from pipelines.errors import RecipeError
from pipelines.records import Kind, Message

FLOWS: dict[Kind, tuple[str, ...]] = {
    "knowledge": ("knowledge", "seeds"),
    "grounded_skill": ("grounded",),
    "freeform_skill": ("seeds",),
}
_FOLDER = Path(__file__).parent / "flows"
_SLOT = re.compile(r"\{\{ (\w+) \}\}")


@dataclass(frozen=True, slots=True)
class Ask:
    """One call for each row of the flow: the prompt's slots are exactly ``variables``."""

    task: str
    prompt: str
    variables: tuple[str, ...]
    parse: tuple[str, ...]

    def messages(self, values: Mapping[str, str]) -> tuple[Message, ...]:
        """The prompt with its slots filled; text put in is never read as a slot again."""
        return (Message("user", _SLOT.sub(lambda slot: values[slot.group(1)], self.prompt)),)


@dataclass(frozen=True, slots=True)
class Step:
    """A step after the asking: ``keep`` names a filter, ``distinct`` the field that may not recur."""

    type: Literal["keep", "distinct"]
    name: str


@dataclass(frozen=True, slots=True)
class Flow:
    """``rows``: what one call is made for. ``hash`` covers the flow and its prompts."""

    name: str
    phase: str
    rows: Literal["chunk_and_seed", "question"]
    ask: Ask
    steps: tuple[Step, ...]
    hash: str


def load_flow(name: str) -> Flow:
    """The flow of that name; ``RecipeError`` where its prompt and its variables disagree."""
    folder = _FOLDER / name
    data = yaml.safe_load((folder / "flow.yaml").read_text(encoding="utf-8"))
    first, *rest = data["steps"]
    prompt = (folder / first["prompt"]).read_text(encoding="utf-8")
    slots = set(_SLOT.findall(prompt))
    if slots != set(first["variables"]):
        raise RecipeError(
            f"{folder}: the prompt {first['prompt']} has the slots {sorted(slots)} and the step the "
            f"variables {sorted(first['variables'])}; they must be the same."
        )
    ask = Ask(first["ask"], prompt, tuple(first["variables"]), tuple(first["parse"]))
    steps = tuple(Step(*next(iter(step.items()))) for step in rest)
    return Flow(name, data["phase"], data["rows"], ask, steps, digest([data, prompt]))
