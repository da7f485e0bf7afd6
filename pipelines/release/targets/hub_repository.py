"""One repository of the Hub, through the real client: refs, trees, files, commits, tags.

In: a name, a kind, what to do. Out: what the Hub says. Whatever may pass (a reset connection, 429, 5xx) is
tried again after ``WAITS``; each step is written so that doing it twice is doing it once. All else is one
``ReleaseError``. ``HF_ENDPOINT`` and ``HF_TOKEN`` are the client's own; a keyless token
(``HF_OIDC_RESOURCE``) holds for one repository, and so each repository asks for its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from pipelines.errors import ReleaseError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")
WAITS = (
    1.0,
    2.0,
    4.0,
    8.0,
)  # seconds; the client tries some requests again by itself, on top of it
PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
ATTRIBUTES = ".gitattributes"  # the Hub's own file: which names are large
NEVER_MOVE = "and tags never move; take another"


@dataclass(frozen=True)
class Local:
    """A file as it shall stand in the repository: its bytes or where they are, and its SHA-256."""

    source: Path | bytes
    sha256: str
    size: int

    @cached_property
    def git(self) -> str:
        """What Git calls this content."""
        found = hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
        found.update(self.source if isinstance(self.source, bytes) else self.source.read_bytes())
        return found.hexdigest()


@dataclass(frozen=True, slots=True)
class Held:
    """A file as the Hub holds it; ``sha256`` is "" for one that is not large."""

    size: int
    git: str
    sha256: str

    def is_(self, file: Local) -> bool:
        """Whether it is this very content."""
        if self.size != file.size:
            return False
        return self.sha256 == file.sha256 if self.sha256 else self.git == file.git


@dataclass(frozen=True, slots=True)
class Refs:
    """Name → commit."""

    branches: Mapping[str, str]
    tags: Mapping[str, str]


class HubRepository:
    """``OWNER/NAME``, a model or a data set."""

    def __init__(self, name: str, kind: Literal["model", "dataset"]) -> None:
        self.name = name
        self.kind = kind
        self._trees: dict[str, dict[str, Held]] = {}

    # --- reading ---

    def refs(self) -> Refs:
        """Branches and tags; none where there is no such repository."""

        def ask(api: HfApi) -> Refs:
            from huggingface_hub.errors import RepositoryNotFoundError

            try:
                found = api.list_repo_refs(self.name, repo_type=self.kind)
            except RepositoryNotFoundError as error:
                if error.response.status_code != 404:
                    raise  # without a token a private one looks like none
                return Refs({}, {})
            return Refs(
                {ref.name: ref.target_commit for ref in found.branches},
                {ref.name: ref.target_commit for ref in found.tags},
            )

        return self._do("read", ask)

    def main(self) -> str:
        """The commit of main, which every repository has."""
        found = self.refs().branches.get("main")
        if found is None:
            raise ReleaseError(f"{self.name} has no branch main; make one on the Hub.")
        return found

    def files(self, commit: str) -> dict[str, Held]:
        """Every file at a commit, the Hub's own left out."""

        def ask(api: HfApi) -> dict[str, Held]:
            from huggingface_hub import RepoFile

            tree = api.list_repo_tree(
                self.name, recursive=True, revision=commit, repo_type=self.kind
            )
            return {
                file.path: _held(file.size, file.blob_id, file.lfs and file.lfs.sha256)
                for file in tree
                if isinstance(file, RepoFile) and file.path != ATTRIBUTES
            }

        if commit not in self._trees:  # and it never changes
            self._trees = {commit: self._do("read", ask), **self._trees}
            self._trees = dict(list(self._trees.items())[:4])
        return self._trees[commit]

    def fetch(
        self, commit: str, place: Path, *, only: Sequence[str] = ("*",), without: str = ""
    ) -> None:
        """Write the files that match into ``place``, an empty folder."""
        self._do(
            "read",
            lambda api: api.snapshot_download(
                self.name,
                repo_type=self.kind,
                revision=commit,
                local_dir=place,
                allow_patterns=list(only),
                ignore_patterns=[ATTRIBUTES, *([without] if without else [])],
                max_workers=8,
            ),
        )
        shutil.rmtree(place / ".cache", ignore_errors=True)

    def read(self, commit: str, path: str) -> bytes | None:
        """One file; None where the commit does not have it."""

        def ask(api: HfApi) -> bytes | None:
            from huggingface_hub.errors import RemoteEntryNotFoundError

            with tempfile.TemporaryDirectory() as place:
                try:
                    found = api.hf_hub_download(
                        self.name, path, repo_type=self.kind, revision=commit, local_dir=place
                    )
                except RemoteEntryNotFoundError:
                    return None
                return Path(found).read_bytes()

        return self._do("read", ask)

    # --- writing ---

    def create(self) -> None:
        """Make the repository where it is not there yet: private, for nobody shall publish by mistake."""
        self._do(
            "make",
            lambda api: api.create_repo(
                self.name, repo_type=self.kind, exist_ok=True, private=True
            ),
        )

    def commit(
        self, branch: str, parent: str, files: Mapping[str, Local], delete: Sequence[str], what: str
    ) -> bool:
        """One commit upon ``parent``; False where the branch does not stand there (any more).

        Where the answer was lost it may have been done all the same: read the branch afterwards.
        """

        def ask(api: HfApi) -> bool:
            from huggingface_hub import CommitOperationAdd, CommitOperationDelete
            from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError

            added = [CommitOperationAdd(path, _source(file.source)) for path, file in files.items()]
            dropped = [CommitOperationDelete(path, is_folder=False) for path in delete]
            try:
                api.create_commit(
                    self.name,
                    [*added, *dropped],
                    commit_message=what,
                    repo_type=self.kind,
                    revision=branch,
                    parent_commit=parent,
                )
            except RevisionNotFoundError:
                return False
            except HfHubHTTPError as error:
                if error.response.status_code not in (404, 412):
                    raise
                return False  # it moved; 404: a file that shall be deleted is gone already
            return True

        return self._do("write to", ask)

    def branch(self, name: str, commit: str) -> None:
        """Make a branch at a commit; one that is there already is left as it is."""
        self._do(
            "write to",
            lambda api: api.create_branch(
                self.name, branch=name, revision=commit, repo_type=self.kind, exist_ok=True
            ),
        )

    def drop_branch(self, name: str) -> None:
        """Delete a branch, if it is there."""

        def ask(api: HfApi) -> None:
            from huggingface_hub.errors import RevisionNotFoundError

            with contextlib.suppress(RevisionNotFoundError):
                api.delete_branch(self.name, branch=name, repo_type=self.kind)

        self._do("write to", ask)

    def tag(self, tag: str, commit: str) -> None:
        """Give a commit a tag; ``ReleaseError`` where that stands elsewhere. The client takes any 409
        for success, so that the tag's target is looked at afterwards."""
        self._do(
            "write to",
            lambda api: api.create_tag(
                self.name, tag=tag, revision=commit, repo_type=self.kind, exist_ok=True
            ),
        )
        if self.refs().tags.get(tag) != commit:
            raise ReleaseError(f"The tag {tag} of {self.name} exists, {NEVER_MOVE}.")

    # --- the client ---

    def _do(self, what: str, ask: Callable[[HfApi], T]) -> T:
        import httpx2
        from huggingface_hub.errors import HFValidationError, OIDCError

        for wait in (*WAITS, None):
            try:
                with _quiet():
                    return ask(self._api())
            except (httpx2.HTTPError, OSError, ValueError, RuntimeError, OIDCError) as error:
                if wait is None or isinstance(error, HFValidationError) or not _passes(error):
                    raise self._said(what, error) from error
                time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi

        return HfApi(
            endpoint=os.environ.get("HF_ENDPOINT") or None,
            token=self._token(),
            library_name="graft",
        )

    def _token(self) -> str | None:
        """A keyless token for this repository; None leaves it to the client to find one."""
        if not os.environ.get("HF_OIDC_RESOURCE"):
            return os.environ.get("HF_TOKEN") or None
        from huggingface_hub import get_token

        before = os.environ["HF_OIDC_RESOURCE"]
        os.environ["HF_OIDC_RESOURCE"] = (
            f"datasets/{self.name}" if self.kind == "dataset" else self.name
        )
        try:
            return get_token()
        finally:
            os.environ["HF_OIDC_RESOURCE"] = before

    def _said(self, what: str, error: Exception) -> ReleaseError:
        where = f"the {'data set' if self.kind == 'dataset' else 'model'} {self.name}"
        status = next(filter(None, map(_status, _causes(error))), 0)
        if status in (401, 403):
            return ReleaseError(
                f"The Hub does not let this token {what} {where}, or there is none; set HF_TOKEN to "
                "one that may, or name another target."
            )
        last = [cause for cause in _causes(error) if str(cause)][-1:] or [error]
        reason = " ".join(str(last[0]).split())[:200] or type(error).__name__
        return ReleaseError(f"Graft cannot {what} {where} of the Hub: {reason}")


def _held(size: int, git: str, sha256: object) -> Held:
    return Held(size, git, str(sha256 or ""))


def _source(source: Path | bytes) -> str | bytes:
    return source if isinstance(source, bytes) else str(source)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars, no warnings that a failed request will be told again, none about a card."""
    from huggingface_hub.utils import logging as told
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    bars, before = not are_progress_bars_disabled(), told.get_verbosity()
    disable_progress_bars()
    told.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        told.set_verbosity(before)
        if bars:
            enable_progress_bars()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from: the client wraps what happened in its threads."""
    step: BaseException | None = error
    while step is not None:
        yield step
        step = step.__cause__ or step.__context__


def _status(error: BaseException) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def _passes(error: BaseException) -> bool:
    """Whether it may be otherwise the next time: the network, a busy server, an answer cut short."""
    import json

    import httpx2

    return any(
        isinstance(cause, (httpx2.TransportError, json.JSONDecodeError))
        or _status(cause) in PASSING
        for cause in _causes(error)
    )
