"""Rule `nested-leaf`: no leaf lies inside another leaf's folder."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import TreeRule, TreeSubject
from pipelines.findings import Finding
from pipelines.leaf_files import LEAF_FILE
from pipelines.schemas import show


def check(tree: TreeSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at either leaf, so that whoever adds the second one is told."""
    leaves = set(tree.leaves)
    for leaf in tree.leaves:
        outer = posixpath.dirname(leaf)
        while outer and outer not in leaves:
            outer = posixpath.dirname(outer)
        if outer:
            message = f"This leaf lies inside the leaf {show(outer)}."
            path = posixpath.join(leaf, LEAF_FILE)
            yield Finding("nested-leaf", "error", path, 1, 1, message, "Move it beside that leaf.")
            message = f"The leaf {show(leaf)} lies inside this leaf."
            path = posixpath.join(outer, LEAF_FILE)
            yield Finding("nested-leaf", "error", path, 1, 1, message, "Move one beside the other.")


RULE = TreeRule(
    check,
    About(
        "error",
        "No leaf lies inside another.",
        "Move one beside the other.",
    ),
)
