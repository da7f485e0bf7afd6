"""Git as Graft needs it: refs, merge bases, commits, the index and the work tree as trees, contributors.

In: a path in a repository, bare, shallow or ordinary. Out: SHAs and ``records.Tree``s that are read
straight from the object store, so that no checkout is touched. The only module that imports pygit2;
every failure of Git leaves it as one ``GraftError``.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pygit2
from pygit2.enums import DeltaStatus, DiffOption, SortMode

from pipelines.errors import GraftError
from pipelines.records import Tree
from pipelines.trees import DISK, SUBMODULE, CommitTree, Overlay, Place, below, is_file, is_folder

# The id of a tree without a file, which Git knows in every repository.
NOTHING = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

_CO_AUTHOR = re.compile(r"^co-authored-by:\s*([^<\n]+?)\s*<([^>\n]*)>", re.I | re.M)
_WORK_TREE = (
    DiffOption.INCLUDE_UNTRACKED | DiffOption.RECURSE_UNTRACKED_DIRS | DiffOption.INCLUDE_TYPECHANGE
)


class Commit(NamedTuple):
    """Who wrote what; ``parents`` counts them."""

    sha: str
    name: str
    address: str
    message: str
    parents: int


class Repository:
    """A Git repository. ``root`` is its work tree, for a bare one the repository itself."""

    def __init__(self, repository: pygit2.Repository) -> None:
        self._repository = repository
        self.root = Path(repository.workdir or repository.path).resolve()

    @property
    def bare(self) -> bool:
        """Whether there is no work tree."""
        return self._repository.is_bare

    @property
    def unborn(self) -> bool:
        """Whether the branch that is checked out has no commit yet."""
        return self._repository.head_is_unborn

    def resolve(self, ref: str) -> str:
        """The full SHA of the commit that a branch, tag, SHA or expression such as HEAD~2 names."""
        try:
            found = self._repository.revparse_single(ref).peel(pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise GraftError(self._unknown(ref)) from error
        return str(found.id)

    def head(self) -> str:
        """The SHA of the commit that is checked out."""
        return self.resolve("HEAD")

    def merge_base(self, a: str, b: str) -> str:
        """The SHA of the commit from which ``a`` and ``b`` went apart."""
        with _whole(self._repository):
            found = self._repository.merge_base(self.resolve(a), self.resolve(b))
        if found is None:
            more = (
                " This clone is shallow: run `git fetch --unshallow` first."
                if self._repository.is_shallow
                else " Name another base."
            )
            raise GraftError(f"{a} and {b} have no commit in common in {self.root}.{more}")
        return str(found)

    def prefix(self, folder: Path) -> str:
        """Where ``folder`` lies in the repository, POSIX; "" for its root."""
        try:
            relative = folder.resolve().relative_to(self.root).as_posix()
        except ValueError:
            raise GraftError(
                f"{folder} is not inside the Git repository {self.root}; name another --taxonomy."
            ) from None
        return "" if relative == "." else relative

    def tree(self, commit: str | None, prefix: str) -> CommitTree:
        """The folder ``prefix`` of ``commit``; empty where the commit does not have that folder.

        None stands for the tree without a file, which is what comes before the first commit.
        """
        if commit is None:
            return CommitTree(self._object, None)
        sha = self.resolve(commit)
        with _whole(self._repository):
            top = self._repository[sha].peel(pygit2.Commit).tree_id
        whole = CommitTree(self._object, top.raw)
        place = prefix.strip("/")
        if not place:
            return whole
        entry = whole.entry(place)
        if entry is not None and entry[0] == SUBMODULE:
            raise GraftError(
                f"{prefix} is a submodule in {self.root} that is not checked out; run "
                "`git submodule update --init` and go into it."
            )
        return CommitTree(self._object, entry[1] if entry and is_folder(entry) else None)

    def _object(self, identity: bytes) -> bytes:
        with _whole(self._repository):
            data: bytes = self._repository.read(pygit2.Oid(identity))[1]
            return data

    def index(self, commit: str | None, prefix: str) -> Overlay:
        """What would be committed now, as a change of ``commit``."""
        base = self.tree(commit, prefix)
        found = self._read_index()
        conflict = next(iter(found.conflicts or ()), None)
        if conflict is not None:
            path = next(side.path for side in conflict if side is not None)
            raise GraftError(
                f"{path} is in conflict in {self.root}; resolve it and run `git add {path}` first."
            )
        return Overlay(base, below(self._staged(commit, found), prefix), None)

    def work_tree(self, commit: str | None, prefix: str, disk: Tree) -> Overlay:
        """The files as they are now, as a change of ``commit``; what .gitignore names is not there.

        ``disk`` reads the folder ``prefix``. The index's times and sizes tell which files are worth
        a look, so that an untouched one is never opened.
        """
        base = self.tree(commit, prefix)
        found = self._read_index()
        changed = self._staged(commit, found)
        left_out = self._left_out()
        with _whole(self._repository):
            for delta in found.diff_to_workdir(_WORK_TREE).deltas:
                if delta.status == DeltaStatus.DELETED:
                    if delta.old_file.raw_path not in left_out:
                        changed[delta.old_file.raw_path] = None
                else:
                    changed[delta.new_file.raw_path] = DISK if _regular(delta.new_file) else None
        return Overlay(base, below(changed, prefix), disk)

    def _staged(self, commit: str | None, index: pygit2.Index) -> dict[bytes, Place]:
        """Path in the repository → its blob in the index, for each that differs from ``commit``."""
        changed: dict[bytes, Place] = {}
        with _whole(self._repository):
            sha = NOTHING if commit is None else self.resolve(commit)
            tree = self._repository[sha].peel(pygit2.Tree)
            for delta in tree.diff_to_index(index, DiffOption.INCLUDE_TYPECHANGE).deltas:
                if delta.status == DeltaStatus.DELETED:
                    changed[delta.old_file.raw_path] = None
                else:
                    new = delta.new_file
                    changed[new.raw_path] = new.id.raw if _regular(new) else None
        return changed

    def _left_out(self) -> set[bytes]:
        """Files that a sparse checkout leaves out, which libgit2 takes for deleted."""
        if not (Path(self._repository.path) / "info" / "sparse-checkout").is_file():
            return set()
        words = ["git", "-C", str(self.root), "ls-files", "-t", "-z"]
        try:
            done = subprocess.run(words, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise GraftError(
                f"{self.root} is a sparse checkout, and `git ls-files` does not say of what."
            ) from error
        return {line[2:] for line in done.stdout.split(b"\0") if line.startswith(b"S ")}

    def _read_index(self) -> pygit2.Index:
        if self._repository.is_bare:
            raise GraftError(
                f"{self.root} is a bare repository: it has no work tree and no index; "
                "name two commits."
            )
        try:
            found: pygit2.Index = self._repository.index
            return found
        except (OSError, pygit2.GitError) as error:
            raise GraftError(
                f"The index of {self.root} cannot be read ({error}); run `git status` to see why."
            ) from error

    def commits(self, base: str | None, head: str) -> Iterator[Commit]:
        """The commits of ``head`` that ``base`` lacks, newest first; without a base all."""
        with _whole(self._repository):
            walk = self._repository.walk(self.resolve(head), SortMode.TOPOLOGICAL)
            if base is not None:
                walk.hide(self.resolve(base))
            for at in walk:
                author = at.author
                yield Commit(str(at.id), author.name, author.email, at.message, len(at.parent_ids))

    def contributors(self, commit: str, paths: Iterable[str]) -> tuple[str, ...]:
        """Names of all who wrote a commit that touched ``paths``, sorted; never their addresses.

        ``paths`` are files or folders from the repository's root. Co-authors count, ``.mailmap``
        is followed, merges credit nobody unless they changed something themselves. A shallow clone
        knows only the contributors after its boundary.
        """
        wanted = {path.strip("/") for path in paths}
        mailmap = pygit2.Mailmap.from_repository(self._repository)
        boundary = self._boundary()
        names: set[str] = set()
        with _whole(self._repository):
            for found in self._repository.walk(self.resolve(commit), SortMode.TOPOLOGICAL):
                if str(found.id) in boundary or not _touches(found, wanted):
                    continue
                author = (found.author.name, found.author.email)
                people = [author, *_CO_AUTHOR.findall(found.message)]
                names.update(mailmap.resolve(name, address)[0] for name, address in people)
        return tuple(sorted(names, key=lambda name: (name.casefold(), name)))

    def changed(self, commit: str, paths: Iterable[str]) -> dict[str, int]:
        """When each path (from the repository's root) last became what ``commit`` has: Unix seconds.

        A merge changes only what differs from all its parents. The boundary of a shallow clone
        counts as a change of whatever was not found after it.
        """
        found: dict[str, int] = {}
        boundary = self._boundary()
        with _whole(self._repository):
            head = self._repository[self.resolve(commit)].peel(pygit2.Commit)
            now = {path: _identity(head, path.strip("/")) for path in paths}
            left = {path for path, own in now.items() if own is not None}
            for at in self._repository.walk(head.id, SortMode.TIME):
                parents = [] if str(at.id) in boundary else at.parents
                for path in left:
                    own = now[path]
                    same = [_identity(one, path.strip("/")) == own for one in (at, *parents)]
                    if same[0] and not any(same[1:]):
                        found[path] = at.commit_time
                left -= found.keys()
                if not left:
                    break
        return found

    def annotate(self, name: str, commit: str, message: str, when: int) -> str:
        """Give a commit an annotated tag, the same object wherever it is made; what there is to say of it,
        "" where it stood there before.

        A tag of that name never moves, and a commit that this clone lacks gets none.
        """
        ref = f"refs/tags/{name}"
        try:
            known = self._repository.get(commit) is not None
        except ValueError:
            known = False
        if not known:
            return f"the commit {commit[:12]} is not in {self.root}, and so there is no tag {name}"
        tagger = pygit2.Signature("Graft", "graft@localhost", when, 0)
        new = ref not in self._repository.references
        if new:
            with contextlib.suppress(pygit2.AlreadyExistsError):  # by another process
                kind = pygit2.enums.ObjectType.COMMIT
                self._repository.create_tag(name, pygit2.Oid(hex=commit), kind, tagger, message)
        held = self._repository[self._repository.references[ref].target]
        same = isinstance(held, pygit2.Tag) and held.message.rstrip() == message.rstrip()
        if same and str(held.peel(pygit2.Commit).id) == commit:
            return f"tag {name} on {commit[:12]}" if new else ""
        return f"the tag {name} is of another release and is left where it is"

    def _boundary(self) -> set[str]:
        """Commits of a shallow clone whose parents were not fetched."""
        if not self._repository.is_shallow:
            return set()
        folder = Path(self._repository.path)
        with contextlib.suppress(OSError):  # only a linked work tree has this file
            folder /= (folder / "commondir").read_text().strip()
        return set((folder / "shallow").read_text().split())

    def _unknown(self, ref: str) -> str:
        if self._repository.head_is_unborn and ref.startswith(("HEAD", "@")):
            return f"{self.root} has no commit yet; run `git add` and `git commit` first."
        remote = f"origin/{ref}"
        with contextlib.suppress(KeyError, ValueError, pygit2.GitError):
            self._repository.lookup_reference(f"refs/remotes/{remote}")
            return f"{ref} is no branch here, but {remote} is one: name that."
        shallow = (
            " This clone is shallow and may lack it: run `git fetch --unshallow` first."
            if self._repository.is_shallow
            else ""
        )
        return (
            f"{ref[:80]!r} names no commit in {self.root}; "
            f"`git branch --all` and `git tag` list what does.{shallow}"
        )


def open_repository(path: Path) -> Repository:
    """The repository that holds ``path``, looked for upwards from there."""
    missing = f"{path} is not in a Git repository; run `git init` or name another --taxonomy."
    try:
        found = pygit2.discover_repository(str(path))
        if found is None:
            raise GraftError(missing)
        return Repository(pygit2.Repository(found))
    except KeyError as error:
        raise GraftError(missing) from error
    except pygit2.GitError as error:
        hint = (
            f" Run `git config --global --add safe.directory {path.resolve()}` if you trust it."
            if "owned by" in str(error)
            else ""
        )
        raise GraftError(
            f"The Git repository of {path} cannot be opened: {error}.{hint}"
        ) from error


@contextlib.contextmanager
def _whole(repository: pygit2.Repository) -> Iterator[None]:
    """One sentence for an object that the clone lacks: damaged, or cloned without its files."""
    try:
        yield
    except (KeyError, pygit2.GitError) as error:
        raise GraftError(
            f"The Git repository {repository.workdir or repository.path} lacks an object "
            f"({error}); run `git fetch --refetch` or clone it again in full."
        ) from error


def _regular(file: pygit2.DiffFile) -> bool:
    return is_file((b"%o" % file.mode, b""))


def _touches(commit: pygit2.Commit, wanted: set[str]) -> bool:
    """Whether ``commit`` differs below ``wanted`` from every one of its parents."""
    parents = commit.parents
    if not parents:
        return _names_one(commit.tree.diff_to_tree(swap=True), wanted)
    return all(_names_one(parent.tree.diff_to_tree(commit.tree), wanted) for parent in parents)


def _identity(commit: pygit2.Commit, path: str) -> pygit2.Oid | None:
    """What stands at ``path`` in a commit; None for nothing."""
    try:
        return commit.tree[path].id if path else commit.tree.id
    except KeyError:
        return None


def _names_one(diff: pygit2.Diff, wanted: set[str]) -> bool:
    return any(
        _is_below(side.path, wanted)
        for delta in diff.deltas
        for side in (delta.old_file, delta.new_file)
    )


def _is_below(path: str, wanted: set[str]) -> bool:
    parts = path.split("/")
    return "" in wanted or any(
        "/".join(parts[:count]) in wanted for count in range(1, len(parts) + 1)
    )
