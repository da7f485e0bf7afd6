"""A target on the Hub: a model repository, and a data set beside it.

    OWNER/NAME        main: the last release; a tag for each; base/ holds the base where it is ours
    OWNER/NAME-data   blobs/<2>/<sha256>.jsonl: rows and exam questions; tombstones.json; signatures/<tag>

In: a directory that a run built. Out: a release, or one ``ReleaseError`` and nothing. The commit on main,
upon the commit that was looked at, decides who publishes; whoever finds a release there without its tag
gives it one, so that a publisher that was killed is finished by the next. Each turn of ``publish`` looks at
what stands on the Hub and does what is lacking, and so every turn may be lost. What is read is kept below
the cache, and its digests are verified whenever it is opened.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from pipelines.artifacts import digest, pretty_json, sha256, tree_digests, write_atomic
from pipelines.errors import ReleaseError
from pipelines.records import DataSource, Manifest
from pipelines.release.manifest import MANIFEST, SHA256, TAG, next_tag, read_manifest, tag_order
from pipelines.release.targets import Loading, Tombstone
from pipelines.release.targets.checks import publishable, refuse, refuse_withdrawn, standing
from pipelines.release.targets.folder import FolderTarget, beside, settle_once
from pipelines.release.targets.hub_repository import NEVER_MOVE, Held, HubRepository, Local
from pipelines.release.verify import wrong_files

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,89}", re.ASCII)
TURNS = 6  # a turn is lost where somebody else committed meanwhile, or an answer was
STAGING = re.compile(rf"staging/({TAG.pattern})-[0-9a-f]{{12}}", re.ASCII)
TOMBSTONES = "tombstones.json"
MANY = 500  # above this it is quicker to fetch all rows than to pick them
BASE = "base"
DATA_CARD = """---
license: other
tags: [graft]
---

# Rows behind the releases of {name}

What each leaf taught, by SHA-256, and the exam questions that a teacher wrote. A release's `manifest.json`
names the rows of each leaf and the commit of this data set; licences stand in its `attribution.md`.
"""


class HubTarget:
    """Releases in the repositories ``name`` and ``name``-data, made by the first one."""

    def __init__(self, name: str, cache: Path) -> None:
        if not NAME.fullmatch(name):
            raise ReleaseError(f"{name!r} names no repository of the Hub; write hub:OWNER/NAME.")
        self.name = name
        self._model = HubRepository(name, "model")
        self._data = HubRepository(f"{name}-data", "dataset")
        self._cache = cache.absolute() / "releases" / name.replace("/", "--")
        self._local = FolderTarget(self._cache)  # rows and bases, by their digests
        self._pending: set[str] = set()  # stored here, and on the Hub with the release
        self._blobs: dict[str, Held] | None = None
        self._fetched_rows = False
        self._manifests: dict[str, Manifest | None] = {}
        self._stones: dict[str, tuple[Tombstone, ...]] = {}
        self._sound: set[str] = set()  # commits and bases that were verified here
        self._commits: dict[str, str] = {}

    # --- reading ---

    def head(self) -> str | None:
        refs = self._model.refs()
        manifest = self._at(refs.branches["main"]) if "main" in refs.branches else None
        if manifest is None:
            return None
        # What is not tagged yet, nobody has.
        return manifest.release if manifest.release in refs.tags else manifest.previous

    def tags(self) -> list[str]:
        self._commits.update(self._model.refs().tags)
        return sorted(filter(TAG.fullmatch, self._commits), key=tag_order)

    def next_tag(self, day: date) -> str:
        return next_tag(day, self.tags())

    def manifest(self, tag: str) -> Manifest:
        manifest = self._at(self._commit_of(tag))
        if manifest is None or manifest.release != tag:
            raise ReleaseError(f"The tag {tag} of {self.name} holds no manifest of that release.")
        return manifest

    def directory(self, tag: str) -> Path:
        return self._fetched(self._commit_of(tag))

    def loading(self, manifest: Manifest) -> Loading:
        model, tag = manifest.base_model, manifest.release
        adapter = {"revision": tag, "subfolder": "adapter"}
        if model.on_hub:
            pinned = {"revision": model.revision}
            return Loading("From the Hub", model.id, pinned, self.name, adapter)
        base = {"revision": tag, "subfolder": BASE}
        return Loading("From the Hub", self.name, base, self.name, adapter)

    def _commit_of(self, tag: str) -> str:
        if tag not in self._commits:
            known = self.tags()
            if tag not in known:
                there = ", ".join(known) or "none"
                raise ReleaseError(f"There is no release {tag} in {self.name}; there are: {there}.")
        return self._commits[tag]

    def _at(self, commit: str) -> Manifest | None:
        """The manifest at a commit, which never changes; None where there is none."""
        if commit not in self._manifests:
            data, where = self._manifest_bytes(commit), f"of {self.name} at {commit[:12]}"
            self._manifests[commit] = None if data is None else read_manifest(data, where)
        return self._manifests[commit]

    def _manifest_bytes(self, commit: str) -> bytes | None:
        """From the cache, where its name holds its digest, else from the Hub."""
        folder = self._cache / "manifests"
        for path in folder.glob(f"{commit}.*"):
            data = path.read_bytes()
            if path.name == f"{commit}.{sha256(data)}":
                return data
        fetched = self._model.read(commit, MANIFEST)
        if fetched is not None:
            write_atomic(folder / f"{commit}.{sha256(fetched)}", fetched)
        return fetched

    def _fetched(self, commit: str) -> Path:
        """The release at a commit, on this machine, every digest of it verified."""
        manifest = self._at(commit)
        if manifest is None:
            raise ReleaseError(f"{self.name} holds no manifest at {commit}.")
        place = self._cache / "releases" / commit
        if commit in self._sound and place.is_dir():
            return place
        if not place.is_dir() or wrong_files(place, manifest.files):
            shutil.rmtree(place, ignore_errors=True)
            with beside(place) as temporary:
                self._model.fetch(commit, temporary, without=f"{BASE}/*")
                what = f"The release {manifest.release} of {self.name} is damaged"
                refuse(wrong_files(temporary, manifest.files), what)
                settle_once(temporary, place)
        self._sound.add(commit)
        return place

    # --- bases and blobs ---

    def base(self, revision: str) -> Path:
        with contextlib.suppress(ReleaseError):
            here = self._local.base(revision)
            if revision in self._sound or digest(tree_digests(here)) == revision:
                self._sound.add(revision)
                return here
        for tag in reversed(self.tags()):
            if SHA256.fullmatch(revision) and self.manifest(tag).base_model.revision == revision:
                self._fetch_base(self._commit_of(tag), revision)
                return self._local.base(revision)
        raise ReleaseError(f"The base {revision!r} is not stored in {self.name}.")

    def _fetch_base(self, commit: str, revision: str) -> None:
        with beside(self._cache / "fetched" / revision) as temporary:
            self._model.fetch(commit, temporary, only=[f"{BASE}/*"])
            self._local.put_base(revision, temporary / BASE)

    def put_base(self, revision: str, directory: Path) -> None:
        self._local.put_base(revision, directory)

    def has_blob(self, sha: str) -> bool:
        return sha in self._pending or _blob(sha) in self._held()

    def read_blob(self, sha: str) -> bytes:
        with contextlib.suppress(ReleaseError):  # missing or damaged here: the Hub has it
            return self._local.read_blob(sha)
        if _blob(sha) not in self._held():
            raise ReleaseError(f"The blob {sha} is missing in {self._data.name}.")
        self._fetch_blobs(sha)
        try:
            return self._local.read_blob(sha)
        except ReleaseError as error:
            raise ReleaseError(f"The blob {sha} of {self._data.name} is damaged.") from error

    def _fetch_blobs(self, sha: str) -> None:
        """Bring a blob here, and the first time all others of the head: who asks for one asks for all."""
        wanted = {sha}
        head = None if self._fetched_rows else self.head()
        if head is not None:
            wanted |= {one for one in _hashes(self.manifest(head)) if not self._local.has_blob(one)}
        self._fetched_rows = True
        paths = sorted(map(_blob, wanted))
        if len(paths) == 1:  # the whole data set need not be listed for it
            self._local.put_blob(self._data.read(self._data.main(), paths[0]) or b"")
            return
        with beside(self._cache / "fetched" / "blobs") as temporary:
            only = paths if len(paths) <= MANY else ["blobs/*"]
            self._data.fetch(self._data.main(), temporary, only=only)
            for path in temporary.rglob("*.jsonl"):
                self._local.put_blob(path.read_bytes())

    def put_blob(self, data: bytes) -> str:
        sha = self._local.put_blob(data)
        if _blob(sha) not in self._held():
            self._pending.add(sha)
        return sha

    def _held(self) -> Mapping[str, Held]:
        """The files of the data set when it was last looked at: rows do not go away."""
        if self._blobs is None:
            at = self._data.refs().branches.get("main")
            self._blobs = self._data.files(at) if at else {}
        return self._blobs

    # --- publishing ---

    def publish(self, built: Path, manifest: Manifest) -> str:
        self._model.create()
        self._data.create()
        files: Mapping[str, Local] = {}
        for _ in range(TURNS):
            main = self._settle(files)
            same = standing(self, manifest)
            if same is not None:
                self._tidy(same)
                return same
            if manifest.release in self.tags():
                raise ReleaseError(f"The tag {manifest.release} exists, {NEVER_MOVE}.")
            publishable(self, built, manifest)
            ready = replace(manifest, data=self._put_data(manifest))
            files = self._files(built, ready, pretty_json(ready))
            if self._stage(main, manifest, files):
                self._bring("main", main, files, f"Release {manifest.release}")
        raise ReleaseError(
            f"{self.name} could not be brought to {manifest.release}: main moved with every try, or "
            "does not take what is sent; run again."
        )

    def rollback(self, tag: str) -> None:
        manifest, directory = self.manifest(tag), self.directory(tag)
        refuse_withdrawn(self, manifest)
        files = self._files(directory, manifest, (directory / MANIFEST).read_bytes())
        for _ in range(TURNS):
            main = self._settle({})
            if self._bring("main", main, files, f"Back to {tag}"):
                return
        raise ReleaseError(f"{self.name} could not be brought back to {tag}; run again.")

    def _settle(self, known: Mapping[str, Local]) -> str:
        """The commit of main. A release there that lacks its tag gets it, once all of it is verified:
        against the files of this run (``known``), where it is of them, else by reading it."""
        commit = self._model.main()
        manifest = self._at(commit)
        if manifest is not None and manifest.release not in self._model.refs().tags:
            if not known or any(_difference(self._model.files(commit), known)):
                self._fetched(commit)
                if SHA256.fullmatch(manifest.base_model.revision):
                    self._fetch_base(commit, manifest.base_model.revision)
            self._model.tag(manifest.release, commit)
        return commit

    def _files(self, directory: Path, manifest: Manifest, text: bytes) -> dict[str, Local]:
        """Everything that shall stand on main."""
        files = {
            path: Local(directory / path, want.sha256, want.size)
            for path, want in manifest.files.items()
        }
        files[MANIFEST] = _of(text)
        revision = manifest.base_model.revision
        if SHA256.fullmatch(revision):
            base = self.base(revision)
            for path, file in tree_digests(base).items():
                files[f"{BASE}/{path}"] = Local(base / path, file.sha256, file.size)
        return files

    def _stage(self, main: str, manifest: Manifest, files: Mapping[str, Local]) -> bool:
        """Bring everything to a branch of its own and read back what stands there; False where that
        branch went away, which is what another publisher does who was first."""
        branch = f"staging/{manifest.release}-{sha256(manifest.input_digest.encode())[:12]}"
        self._model.branch(branch, main)
        for _ in range(TURNS):
            at = self._model.refs().branches.get(branch)
            if at is None:
                return False
            if self._bring(branch, at, files, f"Staging of {manifest.release}"):
                return True
        raise ReleaseError(f"{self.name} does not hold what was sent to {branch}; run again.")

    def _bring(self, branch: str, at: str, files: Mapping[str, Local], what: str) -> bool:
        """Whether ``at`` holds exactly these files; else one commit upon it that makes it so."""
        send, delete = _difference(self._model.files(at), files)
        if not send and not delete:
            return True
        self._model.commit(branch, at, {path: files[path] for path in send}, delete, what)
        return False

    def _put_data(self, manifest: Manifest) -> DataSource:
        """All rows that the manifest names, in one commit; what lies there already is not sent."""
        sent: dict[str, Local] = {}
        for _ in range(TURNS):
            at = self._data.main()
            held = self._blobs = self._data.files(at)
            lacking = {sha for sha in _hashes(manifest) if _blob(sha) not in held}
            sent |= {_blob(sha): _of(self._local.read_blob(sha)) for sha in lacking}
            if "README.md" not in held:
                sent["README.md"] = _of(DATA_CARD.format(name=self.name).encode())
            wrong = [path for path in sent if path not in held or not held[path].is_(sent[path])]
            if not wrong:
                return DataSource(self._data.name, at)
            what = f"Rows of {manifest.release}"
            self._data.commit("main", at, {path: sent[path] for path in wrong}, [], what)
        raise ReleaseError(f"{self._data.name} does not hold what was sent; run again.")

    def _tidy(self, head: str) -> None:
        """Drop the staging branches of releases up to the head; the release stands whatever comes of it."""
        with contextlib.suppress(ReleaseError):
            for branch in self._model.refs().branches:
                found = STAGING.fullmatch(branch)
                if found and tag_order(found[1]) <= tag_order(head):
                    self._model.drop_branch(branch)

    # --- signing ---

    def signature(self, tag: str) -> bytes | None:
        self._commit_of(tag)
        return self._data.read(self._data.main(), f"signatures/{tag}")

    def sign(self, tag: str, signature: bytes) -> None:
        for _ in range(TURNS):
            if self.signature(tag) == signature:
                return
            files = {f"signatures/{tag}": _of(signature)}
            self._data.commit("main", self._data.main(), files, [], f"Signature of {tag}")
        raise ReleaseError(f"{self._data.name} did not take the signature of {tag}; run again.")

    # --- withdrawing ---

    def tombstones(self) -> tuple[Tombstone, ...]:
        at = self._data.refs().branches.get("main")
        return self._tombstones(at) if at else ()

    def _tombstones(self, commit: str) -> tuple[Tombstone, ...]:
        if commit not in self._stones:
            data = self._data.read(commit, TOMBSTONES)
            try:
                found = tuple(Tombstone(**entry) for entry in json.loads(data or b"[]"))
            except (TypeError, ValueError) as error:
                where = f"{TOMBSTONES} of {self._data.name}"
                raise ReleaseError(f"{where} cannot be read: {error}; mend it.") from error
            self._stones = {commit: found}
        return self._stones[commit]

    def withdraw(self, leaf: str, content_hash: str, reason: str) -> None:
        self._data.create()
        for _ in range(TURNS):
            at = self._data.main()
            known = self._tombstones(at)
            if any(stone.content_hash == content_hash for stone in known):
                return
            added = Tombstone(leaf, content_hash, reason, self.head())
            files = {TOMBSTONES: _of(pretty_json([*known, added]))}
            self._data.commit("main", at, files, [], f"Withdrawn: {leaf}")
        raise ReleaseError(f"{self._data.name} did not take what was withdrawn; run again.")

    def forget(self, blobs: Collection[str]) -> tuple[str, ...]:
        """Off the head of the data repository; its history has them, and only its owner can delete that."""
        self._local.forget(blobs)
        for _ in range(TURNS):
            at = self._data.main()
            there = [path for path in map(_blob, blobs) if self._data.read(at, path) is not None]
            if not there:
                return tuple(blobs)
            self._data.commit("main", at, {}, there, "Rows of what was withdrawn")
        raise ReleaseError(f"{self._data.name} did not let go of what was withdrawn; run again.")


def _hashes(manifest: Manifest) -> set[str]:
    """The blobs of a release."""
    found = {sha for leaf in manifest.leaves.values() for sha in (leaf.data_hash, leaf.asked_hash)}
    return found - {""}


def _blob(sha: str) -> str:
    return f"blobs/{sha[:2]}/{sha}.jsonl"


def _of(data: bytes) -> Local:
    return Local(data, sha256(data), len(data))


def _difference(
    held: Mapping[str, Held], wanted: Mapping[str, Local]
) -> tuple[list[str], list[str]]:
    """Which files are to be sent, and which to be deleted."""
    send = [path for path, file in wanted.items() if path not in held or not held[path].is_(file)]
    return send, [path for path in held if path not in wanted]
