"""One leaf through the rules of a mode → its findings.

A rule that crashes becomes a finding of rule ``internal`` and never stops the others.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from pipelines.check.policy import Policy
from pipelines.check.subject import FileRule, Mode, TreeRule, read_subject
from pipelines.findings import Finding, Tree
from pipelines.leaf_files import LEAF_FILE
from pipelines.near.entries import LeafEntries
from pipelines.yaml_source import MAX_FINDINGS

INTERNAL = "internal"
_Yield = TypeVar("_Yield", bound=Finding | LeafEntries)


def check_leaf(
    tree: Tree, leaf: str, files: Sequence[str], policy: Policy, mode: Mode
) -> Iterator[Finding | LeafEntries]:
    """What the rules find in the leaf, and what they take from it to compare it with others."""
    file = posixpath.join(leaf, LEAF_FILE)
    try:
        subject = read_subject(tree, leaf, files, compat=mode.compat)
    except OSError as error:
        yield unreadable(file, error)
        return
    except Exception as error:
        yield _internal("reading", file, error)
        return
    for rule_id, rule in mode.rules.items():
        if not isinstance(rule, TreeRule | FileRule):
            run = partial(rule.check, subject, policy)
            yield from guarded(rule_id, file, run, MAX_FINDINGS)


def unreadable(file: str, error: OSError) -> Finding:
    """The finding for a leaf whose file cannot be read."""
    reason = error.strerror or "it is not a regular file"
    message = f"The file cannot be read: {reason}."
    return Finding("file-name", "error", file, 1, 1, message)


def guarded(
    rule_id: str, path: str, run: Callable[[], Iterable[_Yield]], most: int | None = None
) -> Iterator[_Yield | Finding]:
    """The findings of one rule up to its end, or up to its crash and that as one more.

    ``most`` is how many are told: a hostile file could ask for one a character.
    """
    try:
        yield from itertools.islice(run(), most)
    except OSError as error:
        name = posixpath.basename(str(error.filename or "")) or "A file of this leaf"
        message = f"{name} cannot be read: {error.strerror or error}."
        yield Finding(rule_id, "error", path, 1, 1, message)
    except Exception as error:
        yield _internal(rule_id, path, error)


def _internal(rule_id: str, path: str, error: Exception) -> Finding:
    message = f"The rule {rule_id} crashed here ({type(error).__name__}: {error})."
    hint = "The fault is Graft's, not the leaf's: please report it."
    return Finding(INTERNAL, "error", path, 1, 1, message, hint)
