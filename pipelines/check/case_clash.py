"""Rule `case-clash`: no two paths differ only in case or Unicode form.

On macOS and Windows such paths are one, and a checkout silently loses the other.
"""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import TreeRule, TreeSubject
from pipelines.findings import Finding
from pipelines.schemas import show


def check(tree: TreeSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding at each of the paths that clash; for a folder, at the first file below it."""
    spellings: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for file in tree.files:
        path = file
        while path:
            parent, name = posixpath.split(path)
            known = spellings[parent, _folded(name)]
            if name in known:
                break
            known[name] = file
            path = parent
    for (parent, _), known in spellings.items():
        for name, file in known.items() if len(known) > 1 else ():
            other = next(spelled for spelled in known if spelled != name)
            message = (
                f"{show(posixpath.join(parent, name))} and {show(posixpath.join(parent, other))} "
                "differ only in case or in the form of their letters."
            )
            yield Finding("case-clash", "error", file, 1, 1, message, "Rename one of them.")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


RULE = TreeRule(
    check,
    About(
        "error",
        "No two paths differ only in case or in the Unicode form of their letters.",
        "Rename one of them.",
    ),
)
