"""What `graft check --documents` and `--outdated` add: documents are fetched, converted, compared.

In: policy and the cache folder. Out: rules for ``check``, which only these options switch on, since they
reach the network and load converters. A document that cannot be had is one finding with its cause; the
other leaves go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject, Rule
from pipelines.documents import Library
from pipelines.documents.convert import format_of, to_markdown
from pipelines.errors import DocumentError, GraftError
from pipelines.leaf_files import is_knowledge, match_documents
from pipelines.records import DocumentRef, Finding
from pipelines.schemas import show


def remote_rules(cache: Path, policy: Policy, *, fetch: bool, outdated: bool) -> dict[str, Rule]:
    """The rules that the two options ask for; they share what they learn of a repository."""
    library = Library(cache, policy.documents)
    found: dict[str, Rule] = {}
    if fetch:
        found["documents-fetched"] = LeafRule(partial(_fetched, library))
    if outdated:
        found["outdated"] = LeafRule(partial(_outdated, library))
    return found


def _fetched(library: Library, leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for a document that cannot be fetched, and each one that cannot be read."""
    ref = _reference(leaf)
    if ref is None:
        return
    if ref.repo == ".":
        yield from _beside(library, leaf, ref)
        return
    try:
        files = library.files(ref)
    except GraftError as error:
        yield _finding("documents", "error", leaf, error)
        return
    for path, data in files.items():
        try:
            to_markdown(path, data, library.policy, library.cache)
        except GraftError as error:
            yield _finding("documents", "error", leaf, error)


def _beside(library: Library, leaf: LeafSubject, ref: DocumentRef) -> Iterator[Finding]:
    """Documents beside the leaf that are no plain text: the rule `documents` does not open them."""
    matched = {
        p for pattern in ref.patterns for p in match_documents(leaf.files, leaf.path, pattern)
    }
    for path in sorted(matched):
        if format_of(path) is None:
            continue
        try:
            to_markdown(path, leaf.tree.read(path), library.policy, library.cache)
        except DocumentError as error:
            yield Finding("documents", "error", path, 1, 1, error.message, error.hint)


def _outdated(library: Library, leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a warning where the repository's head has other documents than the pinned commit."""
    ref = _reference(leaf)
    if ref is None or ref.repo == ".":
        return
    try:
        newer = library.newer(ref)
    except GraftError as error:
        yield _finding("outdated", "warning", leaf, error)
        return
    if newer is not None and leaf.source is not None:
        head, paths = newer
        names = ", ".join(show(path) for path in paths[:3]) + (" and more" if paths[3:] else "")
        message = f"The repository has moved on to {head}, where {names} is not the same."
        hint = "Read what changed; to take it over, write that commit and look through the seeds."
        place = leaf.source.value_at(("document", "commit"))
        yield Finding("outdated", "warning", leaf.file, *place, message, hint)


def _reference(leaf: LeafSubject) -> DocumentRef | None:
    """Where the leaf's documents are, None where its shape does not say: the schema tells that."""
    data = leaf.source.data if leaf.source else None
    if not is_knowledge(leaf.path, data) or not isinstance(data, dict):
        return None
    block = data.get("document")
    if not isinstance(block, dict):
        return None
    repo, commit, patterns = (block.get(key) for key in ("repo", "commit", "patterns"))
    if not isinstance(repo, str) or not isinstance(commit, str) or not isinstance(patterns, list):
        return None
    if not patterns or not all(isinstance(pattern, str) and pattern for pattern in patterns):
        return None
    return DocumentRef(repo.strip(), commit.strip(), tuple(patterns))


def _finding(rule: str, severity: str, leaf: LeafSubject, error: GraftError) -> Finding:
    assert leaf.source is not None
    about = error.about if isinstance(error, DocumentError) else "repo"
    message, hint = (
        (error.message, error.hint) if isinstance(error, DocumentError) else (str(error), "")
    )
    place = leaf.source.value_at(("document", about))
    return Finding(rule, severity, leaf.file, *place, message, hint)  # type: ignore[arg-type]
