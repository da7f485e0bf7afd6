"""Fetching from a real Git server, and what may be left behind by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.documents.library import Library
from pipelines.errors import DocumentError
from pipelines.records import DocumentRef
from tests.support.git_server import GitServer


def ref(server: GitServer, commit: str, *patterns: str, repo: str = "docs/.git") -> DocumentRef:
    return DocumentRef(server.url(repo), commit, patterns or ("*.md",))


def failing(library: Library, wanted: DocumentRef, word: str, about: str = "repo") -> DocumentError:
    """The error of this fetch; nothing but the lock may be left of it."""
    with pytest.raises(DocumentError, match=word) as caught:
        library.files(wanted)
    assert caught.value.about == about
    left = [path.name for path in (library.cache / "mirrors").glob(".*")]
    assert left == []
    return caught.value


def sizes(cache: Path) -> int:
    return sum(path.stat().st_size for path in cache.rglob("*.pack"))
