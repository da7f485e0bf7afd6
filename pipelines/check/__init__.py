"""Check leaves: a tree and a policy → findings, all at once, each with how to mend it.

In: any ``records.Tree``. Out: a ``CheckResult``. A rule is one module and one line in ``RULES``; a
rule that crashes becomes a finding of rule ``internal`` and never stops the others.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pipelines.check import (
    attribution,
    blank_text,
    case_clash,
    documents,
    file_name,
    nested_leaf,
    shape,
    whitespace,
)
from pipelines.check.policy import Policy as Policy
from pipelines.check.policy import load_policy as load_policy
from pipelines.check.readable import found_by_reader
from pipelines.check.subject import CheckResult as CheckResult
from pipelines.check.subject import LeafRule, Rule, TreeRule, read_subject, read_tree
from pipelines.leaves import LEAF_FILE
from pipelines.records import Finding, Tree

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
}


def check(
    tree: Tree,
    policy: Policy,
    paths: Sequence[str] | None = None,
    prefix: str = "",
    *,
    rules: Mapping[str, Rule] = RULES,
) -> CheckResult:
    """Apply every rule to the leaves that ``paths`` (files or folders, from the root) touch.

    None, or a path of "." or "", means the whole tree. ``prefix`` is put before each path of a
    finding. Rules about names look at the whole tree and report what ``paths`` touch.
    """
    wanted = None if paths is None else {_cleaned(path) for path in paths}
    names = read_tree(tree)
    leaves = [leaf for leaf in names.leaves if wanted is None or _touched(leaf, wanted)]
    findings: list[Finding] = []
    for rule_id, rule in rules.items():
        if isinstance(rule, TreeRule):
            for finding in _guarded(rule_id, names.files[0] if names.files else "", rule.check(names, policy)):
                if wanted is None or _touched(posixpath.dirname(finding.path), wanted):
                    findings.append(finding)
    for leaf in leaves:
        findings.extend(_check_leaf(tree, leaf, names.files, policy, rules))
    ordered = sorted(findings, key=lambda f: (f.path, f.line, f.column, f.rule, f.message))
    return CheckResult(
        len(leaves), tuple(replace(f, path=posixpath.join(prefix, f.path)) for f in ordered)
    )
