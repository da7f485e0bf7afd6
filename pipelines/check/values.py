"""Rule `values`: the values.yaml at the root of the taxonomy, where there is one, can be asked.

Its shape is the business of schema/values.json, its sense of ``pipelines.values``, which reads it for a run.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import FileRule
from pipelines.findings import Finding, Tree
from pipelines.leaf_files import VALUES_FILE
from pipelines.yaml_source import read_yaml


def check(tree: Tree, policy: Policy) -> Iterator[Finding]:
    """Yield what is wrong with the file; nothing where there is none."""
    try:
        data = tree.read(VALUES_FILE)
    except FileNotFoundError:
        return
    # Only here: its records take a while to be made, and most checks are of one leaf.
    from pipelines.values import findings

    reading = read_yaml(data, VALUES_FILE)
    yield from reading.findings
    if reading.source is not None:
        yield from findings(reading.source)


RULE = FileRule(
    check,
    VALUES_FILE,
    About(
        "both",
        "The probes of values.yaml can be asked: ids and questions stand once, pairs have their variants; "
        "a principle with fewer than six probes is a warning.",
        "Look at the key that the finding names; docs/evaluation.md tells of the file.",
    ),
)
