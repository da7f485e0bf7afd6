"""One bare mirror a repository, shared by all leaves: a commit's documents, fetched once.

In: an ``Address``, policy and the cache folder. Out: the blobs that patterns name at a commit, read from
the object store, so that no work tree, symlink or ``..`` comes into play. A fetch happens in a
quarantine beside the mirror, within the limits; its packs are then renamed into the mirror. So a kill at
any moment leaves the mirror as it was, with or without one more whole pack, and the next fetch sweeps up.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.artifacts import lock, sha256, sync_directory
from pipelines.documents.address import Address
from pipelines.documents.command import GitFailed, Limits, TooLarge, TooSlow, run_git
from pipelines.documents.remote import LARGER, Refused, Remote
from pipelines.documents.upkeep import note_use
from pipelines.errors import DocumentError, GraftError
from pipelines.leaves import match_documents
from pipelines.policy import DocumentPolicy

_FILES = 1 << 26  # bytes of a commit's list of files, about half a million of them
# What a thin pack leaves out is promised by the remote, so that Git does not look for it.
_PROMISED = (
    *("-c", "remote.origin.promisor=true"),
    *("-c", "remote.origin.partialclonefilter=blob:none"),
)
_REGULAR = ("100644", "100755")


class NoMatch(DocumentError):
    """A pattern names no file of the commit."""


class Damaged(DocumentError):
    """What was fetched once cannot be read any more."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a commit: its path from the repository's root, and Git's id of its content."""

    path: str
    oid: str


class Mirror:
    """The object store of one repository below ``cache``, and the way to fill it."""

    def __init__(self, address: Address, policy: DocumentPolicy, cache: Path) -> None:
        self._address = address
        self._policy = policy
        self._limit = policy.max_megabytes * 1_000_000
        name = re.sub(r"[^\w.-]+", "-", address.url.partition("://")[2])[-60:].strip("-.")
        self._home = cache.absolute() / "mirrors"
        self._name = f"{name}-{sha256(address.url.encode())[:16]}"

    def blobs(self, commit: str, patterns: Sequence[str]) -> tuple[Blob, ...]:
        """The files that ``patterns`` name, each fetched by now; ``DocumentError`` with the cause."""
        note_use(self._folder(commit))
        found = self._known(commit, patterns)
        if found is None or self._missing(commit, found):
            with self._alone(commit):
                found = self._known(commit, patterns)
                if found is None or self._missing(commit, found):
                    found = self._fetched(commit, patterns)
        return found

    def read(self, commit: str, blobs: Sequence[Blob]) -> dict[str, bytes]:
        """Path → content; nothing is read where all of it together is over the limit."""
        oids = sorted({blob.oid for blob in blobs})
        checked = [line.split() for line in self._check(commit, oids)]
        if any(len(parts) != 3 or parts[1] != "blob" for parts in checked):
            raise self._damaged(commit, "an object is not what it is called")
        sizes = {oid: int(size) for oid, _, size in checked}
        if sum(sizes.values()) > self._limit:
            largest = max(blobs, key=lambda blob: sizes[blob.oid])
            message = (
                f"The documents are larger than {self._policy.max_megabytes} MB; "
                f"`{largest.path[:80]}` alone has {sizes[largest.oid] / 1e6:.1f} MB."
            )
            raise DocumentError(message, about="patterns", hint=LARGER)
        given = "".join(f"{oid}\n" for oid in oids).encode()
        stream = self._git(commit, "cat-file", "--batch", given=given)
        contents: dict[str, bytes] = {}
        at = 0
        for oid, kind, size in checked:
            at += len(f"{oid} {kind} {size}\n")
            contents[oid] = stream[at : at + int(size)]
            at += int(size) + 1
        return {blob.path: contents[blob.oid] for blob in blobs}

    def head(self) -> str:
        """The commit that the repository's own branch is at now: asked, not fetched."""
        none = "0" * 40
        with self._alone(none), self._scratch(none) as scratch:
            remote = Remote(self._address, self._policy, scratch, self._until())
            lines = remote.git(["ls-remote", "--quiet", "origin", "HEAD"]).decode().splitlines()
        if not lines:
            raise DocumentError("The repository has no branch of its own (no HEAD).")
        return lines[0].split()[0]

    def listed(self, commit: str, patterns: Sequence[str]) -> tuple[Blob, ...]:
        """The files that ``patterns`` name, whether or not their content is here."""
        note_use(self._folder(commit))
        found = self._known(commit, patterns)
        if found is None:
            with self._alone(commit), contextlib.suppress(Refused):
                self._take(commit, [commit], self._until(), filtered=True)
            found = self._known(commit, patterns)
        if found is None:
            raise _no_commit(commit)
        return found

    # --- what is here ------------------------------------------------------------------------

    def _known(self, commit: str, patterns: Sequence[str]) -> tuple[Blob, ...] | None:
        """The files that match; None where the commit is not here with all its folders."""
        if not self._folder(commit).is_dir():
            return None
        kind = self._check(commit, [commit])[0].split()
        if kind[1] == "missing":
            return None
        if kind[1] != "commit":
            message = f"{commit[:12]} is a {kind[1]} of the repository, not a commit."
            raise DocumentError(message, about="commit", hint="Give the full SHA of a commit.")
        try:
            listed = self._git(commit, "ls-tree", "-r", "-z", "--full-tree", commit)
        except Damaged:
            return None  # loose objects that a kill cut short, or a bad disk: fetching again mends both
        return _matching(list(_entries(listed)), patterns)

    def _missing(self, commit: str, blobs: Sequence[Blob]) -> list[str]:
        oids = sorted({blob.oid for blob in blobs})
        return [line.split()[0] for line in self._check(commit, oids) if line.endswith("missing")]

    def _check(self, commit: str, oids: Sequence[str]) -> list[str]:
        given = "".join(f"{oid}\n" for oid in oids).encode()
        return self._git(commit, "cat-file", "--batch-check", given=given).decode().splitlines()

    def _git(self, commit: str, *arguments: str, given: bytes = b"") -> bytes:
        limits = Limits(self._until(), max(_FILES, self._limit + _FILES))
        try:
            return run_git([f"--git-dir={self._folder(commit)}", *arguments], limits, given=given)
        except GitFailed as error:
            raise self._damaged(commit, (error.said.splitlines() or ["no reason"])[-1]) from None
        except (TooSlow, TooLarge):
            message = f"{self._address.url} has too many files to look through at this commit."
            raise DocumentError(message, about="commit") from None

    def _damaged(self, commit: str, why: str) -> Damaged:
        message = f"The mirror {self._folder(commit)} is damaged ({why.rstrip('.')})."
        return Damaged(message, hint="Delete that folder; it is then fetched again.")

    def _folder(self, commit: str) -> Path:
        """The store; one of SHA-256 is another than one of SHA-1, even of the same repository."""
        return self._home / f"{self._name}{'' if len(commit) == 40 else '-sha256'}.git"

    # --- what is fetched ---------------------------------------------------------------------

    @contextlib.contextmanager
    def _alone(self, commit: str) -> Iterator[None]:
        folder = self._folder(commit)
        path = folder.with_suffix(".lock")
        with lock(path, f"the mirror {folder}", wait=2 * self._policy.seconds):
            for stale in self._home.glob(f".{folder.name}.*"):
                shutil.rmtree(stale, ignore_errors=True)
            yield

    def _until(self) -> float:
        return time.monotonic() + self._policy.seconds

    def _fetched(self, commit: str, patterns: Sequence[str]) -> tuple[Blob, ...]:
        """Fetch as little as the server lets us: files by name, else the commit, else all of it."""
        until = self._until()
        with contextlib.suppress(Refused):
            self._take(commit, [commit], until, filtered=True)
            found = self._known(commit, patterns)
            missing = None if found is None else self._missing(commit, found)
            if missing:
                self._take(commit, missing, until, filtered=True)
            if found is not None:
                return found
        for wanted in ([commit], ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]):
            with contextlib.suppress(Refused):
                self._take(commit, wanted, until)
                found = self._known(commit, patterns)
                if found is not None and not self._missing(commit, found):
                    return found
        raise _no_commit(commit)

    def _take(
        self, commit: str, wanted: Sequence[str], until: float, *, filtered: bool = False
    ) -> None:
        """Fetch ``wanted`` into a quarantine, and from there into the mirror.

        ``Refused`` where the server gives no single objects; ``DocumentError`` for all else.
        """
        depth = ["--depth=1"] if not wanted[0].startswith("+") else []
        thin = ["--filter=blob:none"] if filtered else []
        words = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *depth, *thin]
        if filtered:
            words = [*_PROMISED, *words]
        given = "".join(f"{word}\n" for word in wanted)
        folder = self._folder(commit)
        with self._scratch(commit) as scratch:
            remote = Remote(self._address, self._policy, scratch, until)
            try:
                remote.git([*words, "--stdin", "origin"], given)
            except Refused as error:
                if wanted == [commit] and error.unknown:
                    raise _no_commit(commit) from None
                raise
            if not folder.is_dir():
                with self._scratch(commit) as fresh:
                    os.rename(fresh, folder)
            _move(scratch / "objects", folder / "objects")

    @contextlib.contextmanager
    def _scratch(self, commit: str) -> Iterator[Path]:
        """An empty bare repository beside the mirror, which is gone afterwards."""
        form = "sha1" if len(commit) == 40 else "sha256"
        words = ["init", "--quiet", "--bare", "--template=", f"--object-format={form}"]
        with _written(self._home):
            self._home.mkdir(parents=True, exist_ok=True)
            prefix = f".{self._folder(commit).name}."
            scratch = Path(tempfile.mkdtemp(dir=self._home, prefix=prefix))
            try:
                run_git([*words, str(scratch)], Limits(time.monotonic() + 60))
                yield scratch
            finally:
                shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def _written(folder: Path) -> Iterator[None]:
    """One sentence for a disk that takes no more."""
    try:
        yield
    except (OSError, GitFailed) as error:
        why = error.said if isinstance(error, GitFailed) else error.strerror or error
        hint = "Free the disk, or name another folder in GRAFT_CACHE."
        raise GraftError(f"{folder} cannot be written: {why}. {hint}") from error


def _no_commit(commit: str) -> DocumentError:
    message = f"The repository has no commit {commit[:12]}."
    hint = "Give the full SHA of a commit that was pushed, and look for a slip in it."
    return DocumentError(message, about="commit", hint=hint)


def _entries(listed: bytes) -> Iterator[Blob]:
    """Regular files of `ls-tree -z`: no symlinks, no submodules, no names that are not UTF-8."""
    for line in listed.split(b"\0"):
        mode, _, rest = line.partition(b" ")
        with contextlib.suppress(UnicodeDecodeError):
            if mode.decode() in _REGULAR:
                kind, _, path = rest.partition(b"\t")
                yield Blob(path.decode(), kind.split()[1].decode())


def _matching(blobs: Sequence[Blob], patterns: Sequence[str]) -> tuple[Blob, ...]:
    """Those that the patterns name, sorted; ``DocumentError`` for a pattern that names none."""
    # Patterns are relative to a folder, here to the root of the repository.
    inside = {f"repository/{blob.path}": blob for blob in blobs}
    found: set[str] = set()
    for pattern in patterns:
        matched = match_documents(list(inside), "repository", pattern)
        if not matched:
            message = f"No file of the repository matches `{pattern[:80]}` at this commit."
            hint = "Patterns begin at the repository's root; `**/` stands for any folders."
            raise NoMatch(message, about="patterns", hint=hint)
        found.update(matched)
    return tuple(inside[path] for path in sorted(found))


def _move(source: Path, target: Path) -> None:
    """Rename objects into the store; a pack counts from the moment that its index is there."""
    files = [path for path in source.rglob("*") if path.is_file() and _is_object(path)]
    for path in sorted(files, key=lambda path: (path.suffix == ".idx", path)):
        place = target / path.relative_to(source)
        place.parent.mkdir(exist_ok=True)
        os.replace(path, place)
    for folder in {target, *(target / path.relative_to(source).parent for path in files)}:
        sync_directory(folder)


def _is_object(path: Path) -> bool:
    pack = path.parent.name == "pack" and path.suffix in (".pack", ".idx", ".rev")
    loose = len(path.parent.name) == 2 and re.fullmatch(r"[0-9a-f]{38}|[0-9a-f]{62}", path.name)
    return bool(pack or loose)


def changed(old: Iterable[Blob], new: Iterable[Blob]) -> list[str]:
    """Paths whose content is not the same on both sides, sorted."""
    before = {blob.path: blob.oid for blob in old}
    after = {blob.path: blob.oid for blob in new}
    return sorted(p for p in {*before, *after} if before.get(p) != after.get(p))
