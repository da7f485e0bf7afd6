"""Rule `exception`: the policy's exceptions, applied, and told where one is no longer needed.

In: findings with paths from the taxonomy root. Out: those that no exception covers, and one finding
for each exception that covers none or speaks of a rule that there is not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from pipelines.check.about import About
from pipelines.findings import Finding
from pipelines.policy import Exemption, Policy
from pipelines.schemas import show

ID = "exception"
ABOUT = About(
    "error",
    "Each entry of the policy's `exceptions` names a rule that there is and is still needed.",
    "Delete the entry from graft.yaml, or mend the id.",
)

# Of these rules only a part runs, or none, without an option of ``graft check``: the entries that must
# have run before nothing found says that an exception is not needed.
WITH_OPTIONS = {"documents": ("documents", "documents-fetched"), "outdated": ("outdated",)}


def excused(
    findings: Iterable[Finding], policy: Policy
) -> tuple[list[Finding], frozenset[Exemption]]:
    """The findings that stay, and the exceptions that were needed."""
    kept: list[Finding] = []
    needed: set[Exemption] = set()
    for finding in findings:
        covering = [e for e in policy.exceptions if _covers(e, finding)]
        needed.update(covering)
        if not covering:
            kept.append(finding)
    return kept, frozenset(needed)


def unneeded(
    policy: Policy, needed: Collection[Exemption], known: Collection[str], applied: Collection[str]
) -> list[Finding]:
    """A finding at each exception without use; only a check of the whole tree can know.

    ``known`` are all rules, ``applied`` those that ran: of one that did not run nothing can be said.
    """
    found = []
    for exemption in policy.exceptions:
        place = (policy.file, exemption.line, exemption.column)
        parts = WITH_OPTIONS.get(exemption.rule, (exemption.rule,))
        if exemption.rule not in known and exemption.rule not in WITH_OPTIONS:
            message = f"There is no rule {show(exemption.rule)}."
            hint = "docs/rules.md lists the rules."
        elif exemption not in needed and all(part in applied for part in parts):
            message = (
                f"The exception of {show(exemption.rule)} for {show(exemption.path)} "
                "is no longer needed: nothing is found there."
            )
            hint = "Delete it."
        else:
            continue
        found.append(Finding(ID, "error", *place, message, hint))
    return found


def _covers(exemption: Exemption, finding: Finding) -> bool:
    return exemption.rule == finding.rule and bool(_glob(exemption.path).fullmatch(finding.path))


@lru_cache(maxsize=256)
def _glob(path: str) -> re.Pattern[str]:
    """``*`` and ``?`` stay within a folder, ``**`` spans folders; a folder means all below it."""
    pieces = re.split(r"(\*\*/?|\*|\?)", path.strip("/").removeprefix("./"))
    meaning = {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    wanted = "".join(meaning.get(piece, re.escape(piece)) for piece in pieces)
    return re.compile(f"{wanted}(?:/.*)?", re.DOTALL)
