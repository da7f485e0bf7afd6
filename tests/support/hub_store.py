"""What the stand-in of the Hub keeps: bare Git repositories and large files, on disk.

    DIR/models/OWNER/NAME.git     DIR/datasets/OWNER/NAME.git     DIR/lfs/<sha256>

In: repositories, commits of regular and large files, branches, tags. Out: trees as the Hub lists them.
A large file stands in Git as its pointer, as on the Hub. ``Refused`` carries what the Hub would answer.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pygit2

MODE = pygit2.enums.FileMode.BLOB
AUTHOR = pygit2.Signature("Hub", "hub@example.org", 1_700_000_000, 0)
ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
POINTED = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:(\w{64})\nsize (\d+)\n"
)


class Refused(Exception):
    """What the Hub answers instead: a status, its error code, a sentence."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message or code)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, slots=True)
class Entry:
    """One file at a commit; ``sha256`` is "" for a regular one."""

    path: str
    oid: str
    size: int
    sha256: str

    @property
    def etag(self) -> str:
        return self.sha256 or self.oid


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "lfs").mkdir(parents=True, exist_ok=True)

    def _place(self, repo: str) -> Path:
        """``repo`` is ``models/OWNER/NAME`` or ``datasets/OWNER/NAME``."""
        return self.root / f"{repo}.git"

    def create(self, repo: str, private: bool = False) -> bool:
        """Whether it is new; a new one has a commit on main, as on the Hub."""
        if self._place(repo).exists():
            return False
        git = pygit2.init_repository(str(self._place(repo)), bare=True, initial_head="main")
        index = pygit2.Index()
        index.add(pygit2.IndexEntry(".gitattributes", git.create_blob(ATTRIBUTES), MODE))
        tree = index.write_tree(git)
        git.create_commit("refs/heads/main", AUTHOR, AUTHOR, "initial commit", tree, [])
        if private:
            (self._place(repo) / "private").touch()
        return True

    def private(self, repo: str) -> bool:
        return (self._place(repo) / "private").exists()

    def git(self, repo: str) -> pygit2.Repository:
        if not self._place(repo).exists():
            raise Refused(404, "RepoNotFound")
        return pygit2.Repository(str(self._place(repo)))

    def resolve(self, repo: str, revision: str) -> str:
        """The commit that a branch, a tag or 40 digits name."""
        git = self.git(repo)
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if name in git.references:
                return str(git.references[name].target)
        if re.fullmatch("[0-9a-f]{40}", revision) and revision in git:
            return revision
        raise Refused(404, "RevisionNotFound")

    def refs(self, repo: str, kind: str) -> dict[str, str]:
        """Name → commit, of ``heads`` or ``tags``."""
        git, above = self.git(repo), f"refs/{kind}/"
        names = [name for name in git.references if name.startswith(above)]
        return {name.removeprefix(above): str(git.references[name].target) for name in names}

    def set_ref(self, repo: str, name: str, revision: str) -> None:
        """A new branch or tag: ``heads/NAME``, ``tags/NAME``."""
        git = self.git(repo)
        if f"refs/{name}" in git.references:
            raise Refused(409, "", f"Reference already exists: {name}")
        git.references.create(f"refs/{name}", pygit2.Oid(hex=self.resolve(repo, revision)))

    def drop_ref(self, repo: str, name: str) -> None:
        git = self.git(repo)
        if f"refs/{name}" not in git.references:
            raise Refused(404, "RevisionNotFound")
        git.references.delete(f"refs/{name}")

    # --- files ---

    def files(self, repo: str, commit: str) -> dict[str, Entry]:
        """Every file at a commit, by path."""
        git = self.git(repo)
        return {entry.path: entry for entry in _walk(git, git[commit].peel(pygit2.Tree), "")}

    def read(self, repo: str, entry: Entry) -> bytes:
        if entry.sha256:
            return (self.root / "lfs" / entry.sha256).read_bytes()
        return bytes(self.git(repo)[entry.oid].data)

    def has_large(self, sha256: str) -> bool:
        return (self.root / "lfs" / sha256).is_file()

    def put_large(self, sha256: str, data: bytes) -> None:
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Refused(400, "", "The digest of what was sent is another.")
        beside = self.root / "lfs" / f".{sha256}.{os.urandom(4).hex()}"
        beside.write_bytes(data)
        beside.replace(self.root / "lfs" / sha256)

    def commit(
        self,
        repo: str,
        branch: str,
        parent: str | None,
        changes: Mapping[str, bytes | None],
        summary: str,
    ) -> str:
        """One commit on a branch: path → its bytes (of a large file the pointer), None to delete it."""
        heads = self.refs(repo, "heads")
        if branch not in heads:
            raise Refused(404, "RevisionNotFound")
        if parent is not None and parent != heads[branch]:
            raise Refused(412, "", "A commit has happened since. Please refresh and try again.")
        git = self.git(repo)
        index = pygit2.Index()
        index.read_tree(git[heads[branch]].peel(pygit2.Tree))
        for path, data in changes.items():
            if data is not None:
                index.add(pygit2.IndexEntry(path, git.create_blob(data), MODE))
            elif path in index:
                index.remove(path)
            else:
                raise Refused(404, "EntryNotFound", "A file with this name doesn't exist")
        tree = index.write_tree(git)
        name = f"refs/heads/{branch}"
        return str(git.create_commit(name, AUTHOR, AUTHOR, summary, tree, [heads[branch]]))

    def seed(self, repo: str, files: Mapping[str, bytes]) -> str:
        """Files on main, as somebody else put them there; the commit."""
        self.create(repo)
        changes: dict[str, bytes | None] = {}
        for path, data in files.items():
            changes[path] = data
            if large(path, len(data)):
                sha256 = hashlib.sha256(data).hexdigest()
                self.put_large(sha256, data)
                changes[path] = POINTER.format(sha256, len(data)).encode()
        return self.commit(repo, "main", None, changes, "seed")


def large(path: str, size: int) -> bool:
    """What .gitattributes names, and whatever is above 10 MB."""
    return size > 0 and (path.endswith(".safetensors") or size > 10_000_000)


def folders(paths: Iterable[str]) -> list[str]:
    found = {str(parent) for path in paths for parent in Path(path).parents}
    return sorted(found - {"."})


def _walk(git: pygit2.Repository, tree: pygit2.Tree, above: str) -> Iterator[Entry]:
    for item in tree:
        path = f"{above}{item.name}"
        if isinstance(item, pygit2.Tree):
            yield from _walk(git, item, f"{path}/")
        elif pointer := item.size < 200 and POINTED.fullmatch(item.data):
            yield Entry(path, str(item.id), int(pointer[2]), pointer[1].decode())
        else:
            yield Entry(path, str(item.id), item.size, "")
