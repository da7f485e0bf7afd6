"""Git as Graft needs it: refs, merge bases, commits as trees, contributors.

In: a path in a repository, bare, shallow or ordinary. Out: SHAs and ``CommitTree``, a
``records.Tree`` read straight from the object store, so that no checkout is touched. The only
module that imports pygit2; every failure of Git leaves it as one ``GraftError``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pygit2
from pygit2.enums import FileMode, ObjectType, SortMode

from pipelines.errors import GraftError

_REGULAR = (FileMode.BLOB, FileMode.BLOB_EXECUTABLE)
_CO_AUTHOR = re.compile(r"^co-authored-by:\s*([^<\n]+?)\s*<([^>\n]*)>", re.I | re.M)


class CommitTree:
    """The files of one folder of a commit; implements ``records.Tree``.

    Symlinks, submodules and hidden folders do not exist for it, nor do names that are not UTF-8.
    """

    def __init__(self, repository: pygit2.Repository, top: pygit2.Tree | None) -> None:
        self._repository = repository
        self._top = top

    def read(self, path: str) -> bytes:
        """The bytes of a regular file; ``FileNotFoundError`` for anything else."""
        hidden = any(part.startswith(".") for part in path.split("/")[:-1])
        with _whole(self._repository):
            found = None if hidden else _descend(self._top, path)
            if not isinstance(found, pygit2.Blob) or found.filemode not in _REGULAR:
                raise FileNotFoundError(path)
            return found.data

    def files(self, under: str = "") -> Iterator[str]:
        """Sorted paths of the regular files below ``under``."""
        start = under.strip("/")
        with _whole(self._repository):
            found = _descend(self._top, start) if start else self._top
            paths: list[str] = []
            if isinstance(found, pygit2.Tree):
                paths = sorted(_walk(found, f"{start}/" if start else ""))
        yield from paths

    def files_unlike(self, other: CommitTree) -> list[str]:
        """Sorted paths of the regular files that ``other`` lacks or has otherwise.

        Equal folders are not entered: the cost follows the change.
        """
        with _whole(self._repository):
            return sorted(_unlike(self._top, other._top, ""))


class Repository:
    """A Git repository. ``root`` is its work tree, for a bare one the repository itself."""

    def __init__(self, repository: pygit2.Repository) -> None:
        self._repository = repository
        self.root = Path(repository.workdir or repository.path).resolve()

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

    def tree(self, commit: str, prefix: str) -> CommitTree:
        """The folder ``prefix`` of ``commit``; empty where the commit does not have that folder."""
        sha = self.resolve(commit)
        with _whole(self._repository):
            top = self._repository[sha].peel(pygit2.Commit).tree
            found = _descend(top, prefix) if prefix.strip("/") else top
            return CommitTree(self._repository, found if isinstance(found, pygit2.Tree) else None)

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
        return (
            f"{ref[:80]!r} names no commit in {self.root}; "
            "`git branch --all` and `git tag` list what does."
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


def _descend(top: pygit2.Tree | None, path: str) -> pygit2.Object | None:
    """The object at ``path`` below ``top``; None where there is none. Never through a symlink."""
    parts = path.strip("/").split("/")
    found: pygit2.Object | None = top
    for part in parts:
        if not isinstance(found, pygit2.Tree) or part in ("", ".", ".."):
            return None
        if part not in found:
            return None
        found = found / part
        if found.filemode == FileMode.COMMIT:
            return None
    return found


def _walk(tree: pygit2.Tree, start: str) -> Iterator[str]:
    for entry in tree:
        name = entry.name
        if name is None or not _is_utf8(name):
            continue
        if isinstance(entry, pygit2.Tree):
            if not name.startswith("."):
                yield from _walk(entry, f"{start}{name}/")
        elif entry.type == ObjectType.BLOB and entry.filemode in _REGULAR:
            yield f"{start}{name}"


def _unlike(tree: pygit2.Tree | None, other: pygit2.Tree | None, start: str) -> Iterator[str]:
    for entry in tree or ():
        name = entry.name
        if name is None or not _is_utf8(name):
            continue
        known = other / name if other is not None and name in other else None
        if known is not None and (known.id, known.filemode) == (entry.id, entry.filemode):
            continue
        if isinstance(entry, pygit2.Tree):
            if not name.startswith("."):
                below = known if isinstance(known, pygit2.Tree) else None
                yield from _unlike(entry, below, f"{start}{name}/")
        elif entry.type == ObjectType.BLOB and entry.filemode in _REGULAR:
            yield f"{start}{name}"


def _is_utf8(name: str) -> bool:
    """pygit2 gives bytes that are no UTF-8 as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _touches(commit: pygit2.Commit, wanted: set[str]) -> bool:
    """Whether ``commit`` differs below ``wanted`` from every one of its parents."""
    parents = commit.parents
    if not parents:
        return _names_one(commit.tree.diff_to_tree(swap=True), wanted)
    return all(_names_one(parent.tree.diff_to_tree(commit.tree), wanted) for parent in parents)


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
