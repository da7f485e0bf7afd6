"""Check leaves: a tree and a policy → findings, all at once, each with how to mend it.

In: any ``records.Tree``. Out: a ``CheckResult``. A rule is one module and one line in ``RULES``; a
rule that crashes becomes a finding of rule ``internal`` and never stops the others.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

from pipelines.check import (
    attribution,
    blank_text,
    case_clash,
    compat,
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
    values,
    vetoes,
    whitespace,
)
from pipelines.check.exceptions import excused, unneeded
from pipelines.check.leafwise import INTERNAL, check_leaf, guarded
from pipelines.check.parallel import WORTH_IT, check_in_parallel
from pipelines.check.policy import Policy as Policy
from pipelines.check.policy import load_policy as load_policy
from pipelines.check.readable import found_by_reader
from pipelines.check.strays import strays_among
from pipelines.check.subject import (
    AcrossRule,
    Comparison,
    FileRule,
    Mode,
    Rule,
    TreeRule,
    read_tree,
)
from pipelines.check.subject import CheckResult as CheckResult
from pipelines.findings import Finding, Tree
from pipelines.near.entries import LeafEntries
from pipelines.work_tree import WorkTree
from pipelines.yaml_source import MAX_FINDINGS

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
    "values": values.RULE,
    "vetoes": vetoes.RULE,
    "near-duplicate": near_duplicates.RULE,
    "conflict": near_duplicates.CONFLICT,
}


class How(NamedTuple):
    """``compat``: a name in ``MODES``; ``jobs``: in how many processes at most."""

    compat: str = ""
    jobs: int = 1


PLAINLY = How()

# What `--compat` may name; "" is the plain check.
MODES: dict[str, Mode] = {"": Mode(RULES), "instructlab": compat.COMPAT}


def check(
    tree: Tree,
    policy: Policy,
    paths: Sequence[str] | None = None,
    prefix: str = "",
    *,
    rules: Mapping[str, Rule] = RULES,
    how: How = PLAINLY,
    comparison: Comparison | None = None,
) -> CheckResult:
    """Apply every rule to the leaves that ``paths`` (files or folders, from the root) touch.

    None, or a path of "." or "", means the whole tree. ``prefix`` is put before each path of a
    finding. Rules about names look at the whole tree and report what ``paths`` touch.
    Leaves are compared with each other where a ``comparison`` is given.
    """
    mode = MODES[how.compat] if how.compat else Mode(rules)
    wanted = None if paths is None else {_cleaned(path) for path in paths}
    names = read_tree(tree)
    leaves = [leaf for leaf in names.leaves if wanted is None or _touches(leaf, wanted)]
    findings = [
        finding
        for rule_id, rule in mode.rules.items()
        if isinstance(rule, TreeRule)
        for finding in guarded(rule_id, "", partial(rule.check, names, policy))
        if wanted is None or finding.rule == INTERNAL or _beside(finding.path, wanted)
    ]
    for rule_id, rule in mode.rules.items():
        if isinstance(rule, FileRule) and (wanted is None or wanted & {"", rule.file}):
            findings += guarded(rule_id, rule.file, partial(rule.check, tree, policy), MAX_FINDINGS)
    strays = strays_among(tree, wanted or (), set(names.leaves))
    findings.extend(finding for stray in strays for finding in stray.findings(how.compat))
    outside = [stray.leaf for stray in strays if stray.there]
    files = names.files
    if outside:
        files = tuple(sorted({*files, *(file for leaf in outside for file in tree.files(leaf))}))
    for found in _check_leaves(tree, [*leaves, *outside], files, policy, (mode, how)):
        if isinstance(found, Finding):
            findings.append(found)
        elif comparison is not None:
            comparison.add(found)
    across = {rule_id for rule_id, rule in mode.rules.items() if isinstance(rule, AcrossRule)}
    if comparison is not None and across:
        compare = partial(comparison.findings, tree, names, prefix)
        findings.extend(guarded("near-duplicate", "", compare))
    told, needed = (findings, None) if mode.compat else excused(findings, policy)
    del findings  # one by one the others take their place
    for at, finding in enumerate(told):
        told[at] = _prefixed(finding, prefix)
    if needed is not None and (wanted is None or "" in wanted):
        applied = mode.rules.keys() if comparison is not None else mode.rules.keys() - across
        told += unneeded(policy, needed, RULES, applied)
    told.sort(key=lambda f: (f.path, f.line, f.column, f.rule, f.message))
    return CheckResult(len(leaves) + len(outside), tuple(told))


def _check_leaves(
    tree: Tree,
    leaves: Sequence[str],
    files: Sequence[str],
    policy: Policy,
    manner: tuple[Mode, How],
) -> Iterator[Finding | LeafEntries]:
    """Leaf by leaf here, or in several processes where that pays and each could build its tree."""
    mode, how = manner
    known = how.compat or mode.rules is RULES
    if how.jobs > 1 and len(leaves) >= WORTH_IT and known and isinstance(tree, WorkTree):
        yield from check_in_parallel(tree.root, leaves, files, policy, (how.compat, how.jobs))
        return
    for leaf in leaves:
        yield from check_leaf(tree, leaf, files, policy, mode)


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
    path = _shown(finding.path, prefix)
    return finding if path == finding.path else replace(finding, path=path)


@lru_cache(maxsize=64)
def _shown(path: str, prefix: str) -> str:
    # Kept for a while, so that the findings of a leaf have one text for their path in common.
    return posixpath.normpath(posixpath.join(prefix, path) or ".")
