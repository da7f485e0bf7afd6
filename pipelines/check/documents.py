"""Rule `documents`: each pattern of a leaf with `repo: "."` names a text document beside it."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.document_pattern import leaves_the_repository
from pipelines.check.passages import file_text
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.leaf_files import RTF_SIGN, is_knowledge, match_documents
from pipelines.schemas import show


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each pattern without a document, and each document that is not text."""
    data = leaf.source.data if leaf.source else None
    if leaf.source is None or not is_knowledge(leaf.path, data) or not isinstance(data, dict):
        return
    document = data.get("document")
    if not isinstance(document, dict) or str(document.get("repo")).strip() != ".":
        return
    patterns = document.get("patterns")
    if not isinstance(patterns, list):
        return
    matched: set[str] = set()
    for index, pattern in enumerate(patterns):
        if not isinstance(pattern, str) or not pattern or leaves_the_repository(pattern):
            continue
        found = match_documents(leaf.files, leaf.path, pattern)
        matched.update(found)
        if not found:
            place = leaf.source.value_at(("document", "patterns", index))
            message = f"No document beside the leaf matches {show(pattern)}."
            hint = "Put the document into the leaf's folder, or mend the name."
            yield Finding("documents", "error", leaf.file, *place, message, hint)
    for path in sorted(matched):
        try:
            text = file_text(leaf, path)
        except UnicodeDecodeError:
            # Loaded here alone: a tree without such documents is checked as quickly as ever.
            from pipelines.documents.convert import FORMATS, format_of

            if format_of(path) is not None:
                continue  # `graft check --documents` opens it
            hint = f"Save it as UTF-8, or in a format known by its ending ({', '.join(FORMATS)})."
            message = "The document is not UTF-8 text."
            yield Finding("documents", "error", path, 1, 1, message, hint)
            continue
        if text.startswith(RTF_SIGN):
            message = "The document is RTF, whose commands would be taught as text."
            hint = "Save it as DOCX or as plain text, and name that."
            yield Finding("documents", "error", path, 1, 1, message, hint)
        if not text.strip():
            message = "The document is empty."
            yield Finding("documents", "error", path, 1, 1, message, "Write it, or name another.")


RULE = LeafRule(
    check,
    About(
        "error",
        "Each pattern of a leaf whose documents lie beside it names one that is text.",
        "Put the document into the folder, or mend the name.",
    ),
)
