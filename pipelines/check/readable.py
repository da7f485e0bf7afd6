"""Rules `yaml`, `encoding`, `size`, `depth`, `alias`, `duplicate-key`, `empty`: it can be read.

The reader finds these (``yaml_source``); each is shown under its own id, so that a policy can speak
of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pipelines.check.about import About
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.yaml_problems import MAX_DEPTH
from pipelines.yaml_source import MAX_KILOBYTES

ABOUT = {
    "size": About(
        "error",
        f"The file has at most {MAX_KILOBYTES} kB.",
        "Move long text into a document, or split the leaf.",
        upstream=True,
        deviation=f"Files over {MAX_KILOBYTES} kB are refused before they are parsed.",
    ),
    "encoding": About(
        "error", "The file is UTF-8 text.", "Save it again with that encoding.", upstream=True
    ),
    "yaml": About(
        "error",
        "The file is one valid YAML document without tags and invisible characters.",
        "Look for missing quotes, wrong indentation and tabs where the finding points.",
        upstream=True,
        deviation="Numbers and dates of more than 200 characters are refused.",
    ),
    "alias": About(
        "error",
        "The file uses no anchors (`&`) and aliases (`*`).",
        "Write the text out in each place; quote text that starts with `&` or `*`.",
        upstream=True,
        deviation="Anchors and aliases are refused: 640 bytes of them can expand to 138 MB.",
    ),
    "depth": About(
        "error",
        f"Lists and mappings are nested at most {MAX_DEPTH} deep.",
        "A leaf needs fewer than ten levels.",
        upstream=True,
        deviation=f"Nesting over {MAX_DEPTH} levels is refused.",
    ),
    "duplicate-key": About(
        "error",
        "No key stands twice in one mapping.",
        "Keep one of them.",
        upstream=True,
        deviation="An error for version 1 too, where upstream silently keeps the last one.",
    ),
    "empty": About(
        "error",
        "The file holds something.",
        "Fill it in, or delete the file.",
        upstream=True,
        deviation="An error, where upstream only warns.",
    ),
}


def found_by_reader(rule: str) -> LeafRule:
    """The rule that shows the reader's findings of one id."""

    def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
        for finding in leaf.reading.findings:
            if finding.rule == rule:
                yield replace(finding, path=leaf.file)

    return LeafRule(check, ABOUT[rule])
