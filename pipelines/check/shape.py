"""Rule `schema`: the leaf has the shape that its version and place in the tree ask for."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.leaf_files import is_knowledge, version_of
from pipelines.schemas import show, violations


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield each violation at its own place."""
    if leaf.source is None:
        return
    data, knowledge = leaf.source.data, is_knowledge(leaf.path, leaf.source.data)
    keys = data.keys() if isinstance(data, dict) else set()
    if "document" in keys and "task_description" not in keys and not knowledge:
        # One finding for a leaf in the wrong folder, not one for each of its keys.
        message = "This is written as a knowledge leaf, and its folder is one of skills."
        hint = "Move the folder below `knowledge/`."
        yield Finding("schema", "error", leaf.file, 1, 1, message, hint)
    else:
        yield from check_as(leaf, knowledge=knowledge)


def check_as(leaf: LeafSubject, *, knowledge: bool) -> Iterator[Finding]:
    """The same for whoever decides in another way whether the leaf is knowledge."""
    if leaf.source is None:
        return
    data = leaf.source.data
    version = version_of(data)
    if not isinstance(data, dict):
        message = "The top of the file must be keys with values, such as `version: 3`."
        yield Finding("schema", "error", leaf.file, *leaf.source.value_at(()), message)
        return
    if version is None:
        allowed = "3" if knowledge else "1, 2 or 3"
        message = f"`version` is {show(data['version'])}; it must be the number {allowed}."
        yield Finding("schema", "error", leaf.file, *leaf.source.value_at(("version",)), message)
    elif knowledge and version < 3:
        message = f"Knowledge of version {version} is no longer read."
        hint = "Write `version: 3`, and contexts with questions_and_answers."
        yield Finding(
            "schema", "error", leaf.file, *leaf.source.value_at(("version",)), message, hint
        )
        return
    name = "leaf-knowledge-v3" if knowledge else f"leaf-skill-v{version or 3}"
    for found in violations(data, name):
        if found.at != ("version",):
            place = found.place(leaf.source)
            yield Finding("schema", "error", leaf.file, *place, found.message, found.hint)


RULE = LeafRule(
    check,
    About(
        "error",
        "The leaf has the shape that its version and its place in the tree ask for (schema/).",
        "Look at the key that the finding names; a neighbouring leaf shows the shape.",
        upstream=True,
    ),
)
