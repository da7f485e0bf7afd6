"""Knowledge documents: a leaf → its documents as Markdown, and those in chunks.

In: a ``Tree`` and a ``Leaf``; for documents in another repository a ``Library`` as well. Out: ``Document``
records, and for each its ``Chunk`` records, cut along Markdown's own joints. ``library`` fetches,
``convert`` reads formats, ``chunk`` cuts.
"""

from __future__ import annotations

import unicodedata

from pipelines.documents.chunk import CHUNKER_VERSION as CHUNKER_VERSION
from pipelines.documents.chunk import Document as Document
from pipelines.documents.chunk import chunks as chunks
from pipelines.documents.chunk import title_of
from pipelines.documents.convert import to_markdown
from pipelines.documents.library import Library as Library
from pipelines.errors import DocumentError, LeafError
from pipelines.leaves import LEAF_FILE
from pipelines.policy import DocumentPolicy
from pipelines.records import Leaf, Tree


def documents(tree: Tree, leaf: Leaf, library: Library | None = None) -> list[Document]:
    """The documents of a knowledge leaf in the order of their paths; none for a skill.

    ``LeafError`` with the cause where one cannot be had.
    """
    if leaf.document is None:
        return []
    if leaf.document.repo != ".":
        return _elsewhere(leaf, library)
    policy = library.policy if library else DocumentPolicy()
    cache = library.cache if library else None
    found = []
    for local in leaf.documents:
        try:
            content = to_markdown(local.path, _read(tree, local.path), policy, cache)
        except DocumentError as error:
            raise error.of(local.path) from None
        found.append(Document(local.path, content, title_of(content, local.path)))
    return found


def _elsewhere(leaf: Leaf, library: Library | None) -> list[Document]:
    assert leaf.document is not None
    path = f"{leaf.path}/{LEAF_FILE}"
    if library is None:
        message = "Its document is in another repository, and none may be reached here."
        raise DocumentError(message, path=path)
    try:
        return library.documents(leaf.document)
    except DocumentError as error:
        raise error.of(path) from None


def _read(tree: Tree, path: str) -> bytes:
    try:
        return tree.read(path)
    except FileNotFoundError:
        # Leaf paths are NFC, but a tree may spell the name in another Unicode form.
        for found in tree.files():
            if found != path and unicodedata.normalize("NFC", found) == path:
                return tree.read(found)
    raise LeafError("The document is not there.", rule="documents", path=path)
