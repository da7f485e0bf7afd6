"""Check leaves: a tree and a policy → findings, all at once, each with how to mend it.

In: any ``records.Tree``. Out: a ``CheckResult``. A rule is one module and one line in ``RULES``; a
rule that crashes becomes a finding of rule ``internal`` and never stops the others.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from pipelines.check import (
    attribution,
    blank_text,
    case_clash,
    created_by,
    cut_text,
    document_commit,
    document_pattern,
    document_repository,
    documents,
    draft,
    echoed_question,
    file_name,
    grounded_path,
    length,
    mixed_context,
    near_duplicates,
    nested_leaf,
    offensive,
    personal_data,
    placeholder,
    question_mark,
    repeated_text,
    secret,
    shape,
    sibling_spelling,
    topic,
    unsupported_answer,
    whitespace,
)
from pipelines.check.exceptions import excused, unneeded
from pipelines.check.policy import Policy as Policy
from pipelines.check.policy import load_policy as load_policy
from pipelines.check.readable import found_by_reader
from pipelines.check.subject import (
    AcrossRule,
    Comparison,
    LeafRule,
    Rule,
    TreeRule,
    read_subject,
    read_tree,
)
from pipelines.check.subject import CheckResult as CheckResult
from pipelines.leaves import LEAF_FILE
from pipelines.near.entries import LeafEntries
from pipelines.records import Finding, Tree

INTERNAL = "internal"
_Yield = TypeVar("_Yield", bound=Finding | LeafEntries)

RULES: dict[str, Rule] = {
    "file-name": file_name.RULE,
    "case-clash": case_clash.RULE,
    "nested-leaf": nested_leaf.RULE,
    "size": found_by_reader("size"),
    "encoding": found_by_reader("encoding"),
    "yaml": found_by_reader("yaml"),
    "alias": found_by_reader("alias"),
    "depth": found_by_reader("depth"),
    "duplicate-key": found_by_reader("duplicate-key"),
    "empty": found_by_reader("empty"),
    "schema": shape.RULE,
    "whitespace": whitespace.RULE,
    "blank-text": blank_text.RULE,
    "attribution": attribution.RULE,
    "documents": documents.RULE,
    "document-pattern": document_pattern.RULE,
    "document-repository": document_repository.RULE,
    "document-commit": document_commit.RULE,
    "secret": secret.RULE,
    "placeholder": placeholder.RULE,
    "length": length.RULE,
    "repeated-text": repeated_text.RULE,
    "echoed-question": echoed_question.RULE,
    "unsupported-answer": unsupported_answer.RULE,
    "mixed-context": mixed_context.RULE,
    "grounded-path": grounded_path.RULE,
    "question-mark": question_mark.RULE,
    "cut-text": cut_text.RULE,
    "sibling-spelling": sibling_spelling.RULE,
    "created-by": created_by.RULE,
    "topic": topic.RULE,
    "personal-data": personal_data.RULE,
    "offensive": offensive.RULE,
    "draft": draft.RULE,
    "near-duplicate": near_duplicates.RULE,
    "conflict": near_duplicates.CONFLICT,
}


def check(
    tree: Tree,
    policy: Policy,
    paths: Sequence[str] | None = None,
    prefix: str = "",
    *,
    rules: Mapping[str, Rule] = RULES,
    comparison: Comparison | None = None,
) -> CheckResult:
    """Apply every rule to the leaves that ``paths`` (files or folders, from the root) touch.

    None, or a path of "." or "", means the whole tree. ``prefix`` is put before each path of a
    finding. Rules about names look at the whole tree and report what ``paths`` touch.
    Leaves are compared with each other where a ``comparison`` is given.
    """
    wanted = None if paths is None else {_cleaned(path) for path in paths}
    names = read_tree(tree)
    leaves = [leaf for leaf in names.leaves if wanted is None or _touches(leaf, wanted)]
    findings = [
        finding
        for rule_id, rule in rules.items()
        if isinstance(rule, TreeRule)
        for finding in _guarded(rule_id, "", partial(rule.check, names, policy))
        if wanted is None or finding.rule == INTERNAL or _beside(finding.path, wanted)
    ]
    for leaf in leaves:
        for found in _check_leaf(tree, leaf, names.files, policy, rules):
            if isinstance(found, Finding):
                findings.append(found)
            elif comparison is not None:
                comparison.add(found)
    if comparison is not None and any(isinstance(rule, AcrossRule) for rule in rules.values()):
        compare = partial(comparison.findings, tree, names, prefix)
        findings.extend(_guarded("near-duplicate", "", compare))
    kept, needed = excused(findings, policy)
    told = [_prefixed(finding, prefix) for finding in kept]
    if wanted is None or "" in wanted:
        told += unneeded(policy, needed, RULES, rules)
    told.sort(key=lambda f: (f.path, f.line, f.column, f.rule, f.message))
    return CheckResult(len(leaves), tuple(told))


def _check_leaf(
    tree: Tree, leaf: str, files: Sequence[str], policy: Policy, rules: Mapping[str, Rule]
) -> Iterator[Finding | LeafEntries]:
    """What the rules find in one leaf, and what they take from it to compare it with others."""
    file = posixpath.join(leaf, LEAF_FILE)
    try:
        subject = read_subject(tree, leaf, files)
    except OSError as error:
        message = f"The file cannot be read: {error.strerror or 'it is not a regular file'}."
        yield Finding("file-name", "error", file, 1, 1, message)
        return
    except Exception as error:
        yield _internal("reading", file, error)
        return
    for rule_id, rule in rules.items():
        if isinstance(rule, LeafRule | AcrossRule):
            yield from _guarded(rule_id, file, partial(rule.check, subject, policy))


def _guarded(
    rule_id: str, path: str, run: Callable[[], Iterable[_Yield]]
) -> Iterator[_Yield | Finding]:
    """The findings of one rule up to its end, or up to its crash and that as one more."""
    try:
        yield from run()
    except Exception as error:
        yield _internal(rule_id, path, error)


def _internal(rule_id: str, path: str, error: Exception) -> Finding:
    message = f"The rule {rule_id} crashed here ({type(error).__name__}: {error})."
    hint = "The fault is Graft's, not the leaf's: please report it."
    return Finding(INTERNAL, "error", path, 1, 1, message, hint)


def _cleaned(path: str) -> str:
    normal = posixpath.normpath(path) if path else "."
    return "" if normal == "." else normal


def _touches(folder: str, wanted: set[str]) -> bool:
    """Whether a wanted path is the folder, lies above it, or lies inside it."""
    inside = f"{folder}/"
    return any(inside.startswith(f"{p}/") or p.startswith(inside) or not p for p in wanted)


def _beside(file: str, wanted: set[str]) -> bool:
    """Whether a wanted path is the file, lies above it, or lies in the same folder."""
    folder = posixpath.dirname(file)
    return any(
        f"{file}/".startswith(f"{p}/") or posixpath.dirname(p) == folder or not p for p in wanted
    )


def _prefixed(finding: Finding, prefix: str) -> Finding:
    return replace(finding, path=posixpath.normpath(posixpath.join(prefix, finding.path) or "."))
