"""Rule `file-name`: a leaf's file is called exactly qna.yaml."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import TreeRule, TreeSubject
from pipelines.findings import Finding
from pipelines.leaf_files import ATTRIBUTION_FILE, LEAF_FILE

# What a terminal or a workflow's log would obey, and no name needs.
_ORDERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def check(tree: TreeSubject, policy: Policy) -> Iterator[Finding]:
    """Yield misnamed leaf files, folders that bear the name, and folders with attribution alone."""
    told = set(tree.leaves)
    for path in tree.files:
        folder, name = posixpath.split(path)
        if _ORDERS.search(path):
            message = "The path holds a control character or a line break."
            yield Finding("file-name", "error", path, 1, 1, message, "Rename it.")
        if posixpath.basename(folder) == LEAF_FILE:
            if folder not in told:
                message = f"{LEAF_FILE} is a folder here; it must be a file."
                yield Finding("file-name", "error", path, 1, 1, message, "Rename the folder.")
            told.update((folder, posixpath.dirname(folder)))
        elif name != LEAF_FILE and _looks_like_leaf(name):
            told.add(folder)
            message = f"A leaf's file must be called {LEAF_FILE}; this one would never be read."
            yield Finding("file-name", "error", path, 1, 1, message, f"Rename it to {LEAF_FILE}.")
    for path in tree.files:
        folder, name = posixpath.split(path)
        if name == ATTRIBUTION_FILE and folder not in told:
            message = f"There is no {LEAF_FILE} beside this {ATTRIBUTION_FILE}."
            hint = f"Add {LEAF_FILE}, or delete the folder."
            yield Finding("file-name", "error", path, 1, 1, message, hint)


def _looks_like_leaf(name: str) -> bool:
    """qna.yml, QNA.yaml, qna.yaml.txt, and any other YAML file, which no one would read."""
    folded = name.casefold()
    return folded.startswith("qna.") or folded.endswith((".yaml", ".yml"))


RULE = TreeRule(
    check,
    About(
        "error",
        "A leaf's file is called exactly qna.yaml.",
        "Rename it to qna.yaml.",
        upstream=True,
    ),
)
