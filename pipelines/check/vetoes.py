"""Rule `vetoes`: each line of vetoes.jsonl, where there is one, says which row may not be taught.

Of the file in the tree; ``found_in`` also serves the one that lies beside the taxonomy's folder, as
graft.yaml does.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import FileRule
from pipelines.findings import Finding, Tree
from pipelines.leaf_files import VETO_FILE

ID = "vetoes"
_HINT = "Until the line is mended, every command that reads the file stops there."


def check(tree: Tree, policy: Policy) -> Iterator[Finding]:
    """Yield what is wrong with the file; nothing where there is none."""
    try:
        data = tree.read(VETO_FILE)
    except FileNotFoundError:
        return
    yield from found_in(data, VETO_FILE)


def found_in(data: bytes, path: str) -> Iterator[Finding]:
    """A finding for each line that is no veto."""
    from pipelines.vetoes import lines_of  # only here: most checks are of one leaf

    for number, veto in lines_of(data):
        if isinstance(veto, str):
            yield Finding(ID, "error", path, number, 1, veto, _HINT)


RULE = FileRule(
    check,
    VETO_FILE,
    About(
        "error",
        "Each line of vetoes.jsonl names a row, its leaf, a reason and who says so; also where the file "
        "lies beside the taxonomy's folder.",
        "Mend the line that the finding names, or take it out; docs/generation.md tells of the file.",
    ),
)
