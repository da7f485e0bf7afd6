"""Documents of other repositories: a ``DocumentRef`` → ``Document`` records, fetched once and kept.

In: policy and the cache folder, which holds ``mirrors/`` and ``converted/``. A repository that cannot be
reached is asked once; every further leaf hears the same cause at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipelines.documents.address import Address, parse_address
from pipelines.documents.chunk import Document, title_of
from pipelines.documents.command import check_version
from pipelines.documents.convert import to_markdown
from pipelines.documents.mirror import Mirror, NoMatch, changed
from pipelines.errors import DocumentError
from pipelines.policy import DocumentPolicy
from pipelines.records import DocumentRef

T = TypeVar("T")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Library:
    """What leaves name in other repositories, within ``policy``, by way of ``cache``."""

    def __init__(self, cache: Path, policy: DocumentPolicy) -> None:
        self.cache = cache
        self.policy = policy
        self._gone: dict[str, DocumentError] = {}
        self._heads: dict[str, str] = {}

    def documents(self, ref: DocumentRef) -> list[Document]:
        """Its documents in the order of their paths; ``DocumentError`` with the cause."""
        files = self.files(ref)
        found = []
        for path, data in files.items():
            content = to_markdown(path, data, self.policy, self.cache)
            name = f"{ref.repo}@{ref.commit}:{path}"
            found.append(Document(name, content, title_of(content, path)))
        return found

    def files(self, ref: DocumentRef) -> dict[str, bytes]:
        """Path → content of the files that it names, sorted by path."""
        address, mirror = self._mirror(ref)

        def read() -> dict[str, bytes]:
            return mirror.read(ref.commit, mirror.blobs(ref.commit, ref.patterns))

        return self._once(address, read)

    def newer(self, ref: DocumentRef) -> tuple[str, tuple[str, ...]] | None:
        """The head of the repository and which documents differ there; None where none does.

        The files' ids are compared; their content is not fetched.
        """
        address, mirror = self._mirror(ref)
        if address.url not in self._heads:
            self._heads[address.url] = self._once(address, mirror.head)
        head = self._heads[address.url]
        if head == ref.commit:
            return None
        pinned = self._once(address, lambda: mirror.listed(ref.commit, ref.patterns))
        try:
            now = mirror.listed(head, ref.patterns)
        except NoMatch:
            return head, tuple(blob.path for blob in pinned)
        differing = changed(pinned, now)
        return (head, tuple(differing)) if differing else None

    def _mirror(self, ref: DocumentRef) -> tuple[Address, Mirror]:
        address = parse_address(ref.repo, self.policy)
        if not _SHA.fullmatch(ref.commit):
            message = f"The commit `{ref.commit[:70]}` is not a full SHA."
            hint = "Write all 40 characters of it, as `git rev-parse` shows them."
            raise DocumentError(message, about="commit", hint=hint)
        check_version()
        return address, Mirror(address, self.policy, self.cache)

    def _once(self, address: Address, do: Callable[[], T]) -> T:
        """Do it, unless the repository has failed as a whole before."""
        if address.url in self._gone:
            raise self._gone[address.url]
        try:
            return do()
        except DocumentError as error:
            if error.about == "repo":
                self._gone[address.url] = error
            raise
