"""``--compat instructlab``: the verdict of instructlab-schema 0.4.2, by the rules that it has.

In: leaves as for any check. Out: findings of ``VERDICT_RULES`` alone, of severity error exactly where
upstream's TaxonomyParser, taking each file at its own version, reports an error or raises. What
differs on purpose stands in ``DEVIATIONS``; docs/compat.md shows the same list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from pipelines.check import file_name, shape, whitespace
from pipelines.check.policy import Policy
from pipelines.check.readable import found_by_reader
from pipelines.check.subject import LeafRule, LeafSubject, Mode, Rule
from pipelines.findings import Finding

# The rules that upstream has too, by the ids of ours; no other runs.
VERDICT_RULES = (
    "file-name",
    "size",
    "encoding",
    "yaml",
    "alias",
    "depth",
    "duplicate-key",
    "empty",
    "schema",
    "whitespace",
)

# Where the verdict is another on purpose; rule id → what is an error here and none upstream.
DEVIATIONS = {
    "alias": (
        "Anchors, aliases and merge keys that use them are refused: a file of 640 bytes can expand "
        "to 138 MB.",
    ),
    "size": (
        "Files of more than 256 kB are refused, and those of more than 64 kB that only PyYAML's own "
        "parser can judge.",
    ),
    "depth": ("Nesting of more than 50 levels is refused.",),
    "yaml": (
        "Numbers and dates of more than 200 characters are refused, and so are tags on lists and "
        "mappings (`!!set`, `!!omap`, `!!pairs`).",
    ),
    "duplicate-key": (
        "A key that stands twice is found also where it bears a tag, or has no colon in braces; "
        "upstream's linter overlooks it there.",
    ),
    "whitespace": ("Comments that switch yamllint off (`# yamllint disable`) are not obeyed.",),
    "file-name": (
        "Symbolic links are not followed, so a link called qna.yaml is no leaf; a folder above the "
        "taxonomy that is called knowledge or compositional_skills decides nothing.",
    ),
}
_UPSTREAM_ROOTS = ("compositional_skills", "knowledge")


def _schema(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """As ``shape``, but foundational skills are no root, and a file of nothing is only warned."""
    if leaf.source is None:
        return
    data = leaf.source.data
    if not data:
        place = leaf.source.value_at(())
        yield Finding("empty", "warning", leaf.file, *place, "The file is empty.", "Fill it in.")
        return
    parts = [part for part in leaf.path.split("/") if part in _UPSTREAM_ROOTS]
    has_document = isinstance(data, dict) and "document" in data
    knowledge = parts[-1] == "knowledge" if parts else has_document
    yield from shape.check_as(leaf, knowledge=knowledge)


def _whitespace(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """As ``whitespace``, where there is something to lint."""
    if leaf.source is not None and isinstance(leaf.source.data, dict):
        yield from whitespace.check(leaf, policy)


def _warned(rule: LeafRule, when: Callable[[LeafSubject], bool]) -> LeafRule:
    """The rule, its findings no more than warnings where ``when`` holds."""

    def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
        for finding in rule.check(leaf, policy):
            yield replace(finding, severity="warning") if when(leaf) else finding

    return LeafRule(check)


_RULES: dict[str, Rule] = {
    **{rule: found_by_reader(rule) for rule in ("size", "encoding", "yaml", "alias", "depth")},
    "file-name": file_name.RULE,
    # Upstream lints no file of version 1, and its parser keeps the last of duplicate keys.
    "duplicate-key": _warned(found_by_reader("duplicate-key"), lambda leaf: leaf.lenient),
    "empty": _warned(found_by_reader("empty"), lambda leaf: True),
    "schema": LeafRule(_schema),
    "whitespace": LeafRule(_whitespace),
}
COMPAT = Mode({rule: _RULES[rule] for rule in VERDICT_RULES}, compat=True)
