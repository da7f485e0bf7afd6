"""Conversations from outside, as a recipe's ``mix.external`` names them.

In: JSONL, each line ``{"messages": [{"role", "content"}, …]}``, further keys ignored; on this machine
(a path from the current directory), or a file of a data set on the Hub at a pinned revision. Out: at
most ``rows`` conversations, drawn by seed without replacement; the file is read once, line by line.
"""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.artifacts import digest
from pipelines.errors import RecipeError
from pipelines.mix import Source, Talk
from pipelines.recipe import External
from pipelines.records import Message

ROLES = ("system", "user", "assistant")


def located(entry: External, cache: Path) -> Path:
    """The file of an entry, fetched from the Hub where it lies there and is not in the cache."""
    if entry.path is not None:
        path = Path(entry.path)
        if not path.is_file():
            raise RecipeError(
                f"mix.external names {path}, and there is no such file here; the path counts from "
                "where graft is run."
            )
        return path
    return _fetched(entry, cache)


def _fetched(entry: External, cache: Path) -> Path:
    from huggingface_hub import errors, hf_hub_download

    assert entry.hub is not None
    assert entry.file is not None
    try:
        found = hf_hub_download(
            entry.hub,
            entry.file,
            repo_type="dataset",
            revision=entry.revision,
            cache_dir=cache / "hub",
            endpoint=os.environ.get("HF_ENDPOINT"),
        )
    except (OSError, errors.HFValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RecipeError(
            f"mix.external: {entry.file} of the data set {entry.hub} at {entry.revision} cannot be "
            f"had: {reason}"
        ) from error
    return Path(found)


def read_external(entry: External, path: Path, seed: int) -> Source:
    """At most ``entry.rows`` conversations of the file ``path``."""
    keyed = heapq.nsmallest(entry.rows, _once(path, seed), key=lambda one: one[0])
    rows = [talk for _, talk in keyed]
    return Source(f"external:{entry.name}", entry.name, entry.phase, rows)


def _once(path: Path, seed: int) -> Iterator[tuple[str, Talk]]:
    """Every conversation with the hash that it is drawn by; one that stands twice comes once."""
    seen = set()
    for talk in _talks(path):
        key = digest([seed, talk])
        if key not in seen:
            seen.add(key)
            yield key, talk


def _talks(path: Path) -> Iterator[Talk]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _talk(line, f"{path}:{number}")


def _talk(line: bytes, where: str) -> Talk:
    try:
        data: Any = json.loads(line)
    except ValueError as error:
        raise RecipeError(f"{where}: this line of mix.external is no JSON: {error}.") from error
    turns = data.get("messages") if isinstance(data, dict) else None
    if not isinstance(turns, list) or len(turns) < 2 or not all(map(_is_turn, turns)):
        raise RecipeError(
            f"{where}: a row of mix.external needs messages, each with a role ({', '.join(ROLES)}) "
            "and a content that is text."
        )
    if turns[-1]["role"] != "assistant":
        raise RecipeError(f"{where}: the last message must be the assistant's.")
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)


def _is_turn(turn: Any) -> bool:
    return (
        isinstance(turn, dict)
        and turn.get("role") in ROLES
        and isinstance(turn.get("content"), str)
    )
