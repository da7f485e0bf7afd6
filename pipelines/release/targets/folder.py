"""A target that is a folder.

    PATH/HEAD              the tag that users have now
    PATH/<tag>/            a release: manifest.json and every file that it lists
    PATH/refs/<tag>        a tag that has been the head
    PATH/bases/<revision>/ bases, shared by releases
    PATH/blobs/<sha256>    rows, shared by releases
    PATH/signatures/<tag>  what was signed of a release
    PATH/tombstones.json   withdrawn content; what has seen it has a note beside its card, YANKED.md

In: a directory that a run built. Out: a release, or one ``ReleaseError`` and nothing. A release is
copied beside its place, checked, flushed, renamed; then HEAD is replaced: that is the moment at
which it exists. ``.publishing`` names a tag while it is under way, so that the next publish knows
what a killed one left.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path

from pipelines.artifacts import (
    copy_digest,
    digest,
    file_digest,
    lock,
    pretty_json,
    sha256,
    sync_directory,
    sync_tree,
    tree_digests,
    tree_files,
    write_atomic,
)
from pipelines.errors import GraftError, ReleaseError
from pipelines.records import FileDigest, Manifest
from pipelines.release.manifest import (
    MANIFEST,
    SHA256,
    TAG,
    next_tag,
    read_manifest,
    tag_order,
)
from pipelines.release.targets import Loading, Tombstone, from_folder
from pipelines.release.targets.checks import publishable, refuse, refuse_withdrawn, standing
from pipelines.release.verify import other_file, unsafe_files, wrong_files
from pipelines.release.yanked import YANKED, yanked, yanked_note

# Blobs are written without the lock, so that a temporary file may be another process's for a while.
STALE_SECONDS = 24 * 60 * 60


class FolderTarget:
    """Releases below ``root``, which is made on the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root

    # --- reading ---

    def head(self) -> str | None:
        path = self.root / "HEAD"
        try:
            tag = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            if any((self.root / "refs").glob("v*")):
                raise ReleaseError(
                    f"{path} is missing, and releases are there; write the tag there that users shall have."
                ) from None
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ReleaseError(f"{path} cannot be read: {error}.") from error
        if not TAG.fullmatch(tag):
            raise ReleaseError(f"{path} holds {tag[:40]!r}, no tag; write the last one there.")
        return tag

    def tags(self) -> list[str]:
        refs = self.root / "refs"
        found = {path.name for path in refs.iterdir()} if refs.is_dir() else set()
        found.add(self.head() or "")
        return sorted(filter(TAG.fullmatch, found), key=tag_order)

    def directory(self, tag: str) -> Path:
        if tag not in self.tags():
            raise ReleaseError(
                f"There is no release {tag} in {self.root}; there are: "
                f"{', '.join(self.tags()) or 'none'}."
            )
        return self.root / tag

    def manifest(self, tag: str) -> Manifest:
        path = self.directory(tag) / MANIFEST
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ReleaseError(f"The manifest {path} cannot be read: {error.strerror}.") from error
        manifest = read_manifest(data, str(path))
        if manifest.release != tag:
            raise ReleaseError(f"The manifest {path} is of the release {manifest.release}.")
        return manifest

    def next_tag(self, day: date) -> str:
        return next_tag(day, self.tags())

    # --- bases and blobs ---

    def base(self, revision: str) -> Path:
        path = self.root / "bases" / revision
        if not SHA256.fullmatch(revision) or not path.is_dir():
            raise ReleaseError(f"The base {revision!r} is not stored in {self.root}.")
        return path

    def put_base(self, revision: str, directory: Path) -> None:
        with self._writing(), self._locked():
            place = self.root / "bases" / revision
            refuse(unsafe_files(directory), f"The base in {directory} cannot be stored")
            if _holds(place, revision) and _holds(directory, revision):
                return
            with beside(place) as temporary:
                found = {
                    path: copy_digest(directory / path, temporary / path)
                    for path in tree_files(directory)
                }
                if digest(found) != revision:
                    raise ReleaseError(
                        f"The base in {directory} is not of the revision {revision!r}."
                    )
                if place.exists():
                    shutil.rmtree(place)
                settle(temporary, place)

    def has_blob(self, sha: str) -> bool:
        return SHA256.fullmatch(sha) is not None and (self.root / "blobs" / sha).is_file()

    def read_blob(self, sha: str) -> bytes:
        path = self.root / "blobs" / sha
        if not self.has_blob(sha):
            raise ReleaseError(f"The blob {path} is missing.")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ReleaseError(f"The blob {path} cannot be read: {error.strerror}.") from error
        if sha256(data) != sha:
            raise ReleaseError(f"The blob {path} is damaged: its digest is not its name.")
        return data

    def put_blob(self, data: bytes) -> str:
        sha = sha256(data)
        path = self.root / "blobs" / sha
        with self._writing():
            if not path.is_file() or path.read_bytes() != data:
                write_atomic(path, data)
        return sha

    # --- publishing ---

    def publish(self, built: Path, manifest: Manifest) -> str:
        with self._writing(), self._locked():
            self._recover()
            same = standing(self, manifest)
            if same is not None:
                return same
            if (self.root / manifest.release).exists():
                raise ReleaseError(
                    f"{self.root / manifest.release} exists, and tags never move; take another."
                )
            publishable(self, built, manifest, read=False)
            tag = manifest.release
            write_atomic(self.root / ".publishing", f"{tag}\n".encode())
            with beside(self.root / tag) as temporary:
                self._fill(temporary, built, manifest)
                settle(temporary, self.root / tag)
            write_atomic(self.root / "HEAD", f"{tag}\n".encode())
            self._tidy()
            return tag

    def _fill(self, temporary: Path, built: Path, manifest: Manifest) -> None:
        """Copy the listed files, each read once; what the release before has already is linked instead."""
        known: dict[str, FileDigest] = {}
        if manifest.previous is not None:
            known = dict(self.manifest(manifest.previous).files)
        for path, want in manifest.files.items():
            place = temporary / path
            earlier = self.root / (manifest.previous or "") / path
            linked = known.get(path) == want and _link(earlier, place, want)
            if not linked and copy_digest(built / path, place) != want:
                refuse([other_file(path)], f"The release {manifest.release} cannot be published")
        (temporary / MANIFEST).write_bytes(pretty_json(manifest))

    def _recover(self) -> None:
        """Finish or undo what a killed process left; the lock is held."""
        self._tidy()
        for pattern in (
            ".v*",
            ".HEAD.*",
            "..publishing.*",
            ".tombstones.json.*",
            "refs/.*",
            "signatures/.*",
        ):
            for stale in self.root.glob(pattern):
                _remove(stale)
        for stale in (self.root / "bases").glob(".*"):
            _remove(stale)
        for stale in (self.root / "blobs").glob(".*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - stale.stat().st_mtime > STALE_SECONDS:
                    _remove(stale)

    def _tidy(self) -> None:
        """Give the head its ref, and drop a directory that never became the head."""
        head = self.head()
        if head is not None and not (self.root / "refs" / head).is_file():
            write_atomic(self.root / "refs" / head, f"{head}\n".encode())
        note = self.root / ".publishing"
        if note.is_file():
            tag = note.read_text(encoding="utf-8").strip()
            if TAG.fullmatch(tag) and tag not in self.tags() and (self.root / tag).exists():
                _remove(self.root / tag)
            note.unlink()

    def rollback(self, tag: str) -> None:
        with self._writing(), self._locked():
            self._recover()
            refuse_withdrawn(self, self.manifest(tag))
            refuse(wrong_files(self.root / tag, self.manifest(tag).files), f"{tag} is damaged")
            write_atomic(self.root / "HEAD", f"{tag}\n".encode())

    def loading(self, manifest: Manifest) -> Loading:
        return from_folder(manifest)

    # --- signing ---

    def signature(self, tag: str) -> bytes | None:
        self.directory(tag)
        path = self.root / "signatures" / tag
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ReleaseError(f"The signature {path} cannot be read: {error.strerror}.") from error

    def sign(self, tag: str, signature: bytes) -> None:
        self.directory(tag)
        with self._writing(), self._locked():
            write_atomic(self.root / "signatures" / tag, signature)

    # --- withdrawing ---

    def tombstones(self) -> tuple[Tombstone, ...]:
        path = self.root / "tombstones.json"
        try:
            return tuple(Tombstone(**entry) for entry in json.loads(path.read_bytes()))
        except FileNotFoundError:
            return ()
        except (OSError, TypeError, ValueError) as error:
            raise ReleaseError(f"{path} cannot be read: {error}; mend it by hand.") from error

    def withdraw(self, leaf: str, content_hash: str, reason: str) -> None:
        with self._writing(), self._locked():
            known = self.tombstones()
            if not any(tombstone.content_hash == content_hash for tombstone in known):
                added = Tombstone(leaf, content_hash, reason, self.head())
                write_atomic(self.root / "tombstones.json", pretty_json([*known, added]))
            for tag in self.tags():  # also where a process was killed after the line above
                why = yanked(self, self.manifest(tag))
                if why:
                    write_atomic(self.root / tag / YANKED, yanked_note(tag, why))

    def forget(self, blobs: Collection[str]) -> tuple[str, ...]:
        with self._writing(), self._locked():
            for sha in blobs:
                if self.has_blob(sha):
                    (self.root / "blobs" / sha).unlink()
        return ()

    # --- the disk ---

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return lock(self.root / ".lock", f"the release target {self.root}")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn a failing disk into one sentence that names the target."""
        try:
            yield
        except (GraftError, OSError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if isinstance(error, ReleaseError) or not isinstance(cause, OSError):
                raise
            where = f" ({cause.filename})" if cause.filename else ""
            raise ReleaseError(
                f"The release target {self.root} cannot be written: {cause.strerror or cause}{where}; "
                "mend that, or name another target."
            ) from error


@contextlib.contextmanager
def beside(place: Path) -> Iterator[Path]:
    """A temporary folder beside ``place``, gone at the end unless it was settled there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    temporary.chmod(0o755)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def settle(temporary: Path, place: Path) -> None:
    sync_tree(temporary)
    os.rename(temporary, place)
    sync_directory(place.parent)


def settle_once(temporary: Path, place: Path) -> None:
    """Settle, or leave it where another process was first; a full disk is told as ever."""
    try:
        settle(temporary, place)
    except OSError:
        if not place.is_dir():
            raise


def _holds(directory: Path, revision: str) -> bool:
    return directory.is_dir() and digest(tree_digests(directory)) == revision


def _link(source: Path, place: Path, want: FileDigest) -> bool:
    """Link ``place`` to a file that is sound and on the same disk; whether that could be done."""
    if not source.is_file() or file_digest(source) != want:
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, place)
    except OSError:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
