"""Rules `yaml`, `encoding`, `size`, `depth`, `alias`, `duplicate-key`, `empty`: it can be read.

The reader finds these (``yaml_source``); each is shown under its own id, so that a policy can speak
of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding


def found_by_reader(rule: str) -> LeafRule:
    """The rule that shows the reader's findings of one id."""

    def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
        for finding in leaf.reading.findings:
            if finding.rule == rule:
                yield replace(finding, path=leaf.file)

    return LeafRule(check)
