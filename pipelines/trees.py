"""Trees of files as Git stores them: the folder of a commit, and one with changes laid over it.

In: a function that gives an object's bytes for its id. Out: ``records.Tree``s, and the files in which
two of them differ. Folders with equal ids are never opened, so that a comparison costs what changed
and not what there is. Knows the form of a tree object and nothing else of Git.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from pipelines.errors import GraftError
from pipelines.records import Tree

# An entry of a folder: its mode as Git writes it, and its object's id.
Entry = tuple[bytes, bytes]
_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
FOLDER, SUBMODULE = b"40000", b"160000"
# How many folders of one tree are remembered; forgotten all at once, for memory's sake.
_REMEMBERED = 4096

# Entries that a commit may have. Folders are shared: a few kilobytes of Git objects can be 10^10 files.
MOST = 1_000_000

# Where a file of an ``Overlay`` is read: a blob's id, the disk, or nowhere.
DISK = "disk"
Place = bytes | str | None


def is_folder(entry: Entry | None) -> bool:
    return entry is not None and entry[0] == FOLDER


def is_file(entry: Entry | None) -> bool:
    """Whether an entry is a regular file: no symlink, no submodule."""
    return entry is not None and entry[0].startswith(b"100")


class CommitTree:
    """The files of one folder of a commit; implements ``records.Tree``.

    Symlinks, submodules and hidden folders do not exist for it, nor do names that are not UTF-8
    (``listing`` shows those with lone surrogates, so that their change can be told).
    """

    def __init__(self, read: Callable[[bytes], bytes], top: bytes | None) -> None:
        self._object = read
        self._top = top
        self._listings: dict[str, dict[str, Entry]] = {}

    def read(self, path: str) -> bytes:
        """The bytes of a regular file; ``FileNotFoundError`` for anything else."""
        entry = self.entry(path)
        if entry is None or not is_file(entry):
            raise FileNotFoundError(path)
        return self.blob(entry[1])

    def blob(self, identity: bytes) -> bytes:
        """The bytes behind an id."""
        return self._object(identity)

    def files(self, under: str = "") -> Iterator[str]:
        """Sorted paths of the regular files below ``under``."""
        yield from sorted(self._walk(under.strip("/")))

    def is_file(self, path: str) -> bool:
        """Whether ``read`` would give something."""
        return is_file(self.entry(path))

    def names(self, folder: str) -> Collection[str]:
        """What ``folder`` holds; nothing where there is no such folder."""
        return self.listing(folder).keys()

    def entry(self, path: str) -> Entry | None:
        """The entry at ``path``; never through a symlink."""
        folder, _, name = path.rpartition("/")
        return self.listing(folder).get(name)

    def listing(self, folder: str) -> Mapping[str, Entry]:
        """The entries of a folder; empty where there is no such folder."""
        known = self._listings.get(folder)
        if known is not None:
            return known
        parent, _, last = folder.rpartition("/")
        if folder and parent in self._listings:
            entry = self._listings[parent].get(last)
            return self._open(folder, entry[1] if entry and is_folder(entry) else None)
        # A loop: hostile trees are nested deeper than Python's stack.
        path, identity = "", self._top
        for name in folder.split("/") if folder else ():
            entry = self._open(path, identity).get(name)
            identity = entry[1] if entry is not None and is_folder(entry) else None
            path = f"{path}/{name}" if path else name
        return self._open(path, identity)

    def _open(self, folder: str, identity: bytes | None) -> dict[str, Entry]:
        known = self._listings.get(folder)
        if known is None:
            if len(self._listings) >= _REMEMBERED:
                self._listings.clear()
            known = self._listings[folder] = _entries(self._object(identity) if identity else b"")
        return known

    def _walk(self, folder: str) -> Iterator[str]:
        waiting = [folder]
        seen = 0
        while waiting:
            here = waiting.pop()
            listing = self.listing(here)
            seen = _counted(seen, listing)
            for name, entry in listing.items():
                path = f"{here}/{name}" if here else name
                if is_utf8(name) and is_folder(entry):
                    waiting.append(path)
                elif is_utf8(name) and is_file(entry):
                    yield path


class Overlay:
    """A commit's tree with some files changed: the index, or the work tree; a ``records.Tree``.

    ``changed`` says where each file that differs from the commit is read; ``disk`` reads those that
    lie in the work tree.
    """

    def __init__(self, base: CommitTree, changed: Mapping[str, Place], disk: Tree | None) -> None:
        self.base = base
        self._disk = disk
        self.changed = changed
        self._here = sorted(path for path, place in changed.items() if place is not None)
        self._names: dict[str, set[str]] = {}
        for path in self._here:
            while path:
                folder, _, name = path.rpartition("/")
                names = self._names.setdefault(folder, set())
                if name in names:
                    break
                names.add(name)
                path = folder

    def read(self, path: str) -> bytes:
        """The bytes of a regular file; ``FileNotFoundError`` for anything else."""
        if path not in self.changed:
            return self.base.read(path)
        place = self.changed[path]
        if isinstance(place, bytes):
            return self.base.blob(place)
        if place is None or self._disk is None:
            raise FileNotFoundError(path)
        return self._disk.read(path)

    def files(self, under: str = "") -> Iterator[str]:
        """Sorted paths of the regular files below ``under``."""
        start = under.strip("/")
        kept = {path for path in self.base.files(start) if path not in self.changed}
        first, last = (f"{start}/", f"{start}0") if start else ("", "\U0010ffff")
        added = self._here[bisect_left(self._here, first) : bisect_left(self._here, last)]
        yield from sorted(kept.union(filter(is_utf8, added)))

    def is_file(self, path: str) -> bool:
        """Whether ``read`` would give something."""
        if path in self.changed:
            return self.changed[path] is not None
        return self.base.is_file(path)

    def names(self, folder: str) -> Collection[str]:
        """What ``folder`` holds, and perhaps what it held in the commit."""
        return {*self.base.names(folder), *self._names.get(folder, ())}


def changed_files(base: CommitTree, head: CommitTree, under: Iterable[str] = ("",)) -> list[str]:
    """Paths of the regular files in the folders ``under`` that the trees do not share, sorted."""
    found = []
    waiting = list(under)
    seen = 0
    while waiting:
        here = waiting.pop()
        old, new = base.listing(here), head.listing(here)
        seen = _counted(seen, new)
        for name in {name for name, _ in old.items() ^ new.items()}:
            path = f"{here}/{name}" if here else name
            before, after = old.get(name), new.get(name)
            if is_folder(before) or is_folder(after):
                waiting.append(path)
            if is_file(before) or is_file(after):
                found.append(path)
    return sorted(found)


def changed_names(base: CommitTree, head: CommitTree) -> list[str]:
    """Paths at which ``head`` has another file, link or submodule than ``base``, sorted."""
    found = []
    waiting = [""]
    seen = 0
    while waiting:
        here = waiting.pop()
        new = head.listing(here)
        seen = _counted(seen, new)
        for name, entry in new.items() - base.listing(here).items():
            path = f"{here}/{name}" if here else name
            if is_folder(entry):
                waiting.append(path)
            else:
                found.append(path)
    return sorted(found)


def _counted(seen: int, folder: Mapping[str, Entry]) -> int:
    """One folder more, itself and its entries; ``GraftError`` where there are too many to be a taxonomy's."""
    seen += 1 + len(folder)
    if seen > MOST:
        raise GraftError(
            f"The commit has more than {MOST:,} files and folders; none of it is read."
        )
    return seen


def _entries(raw: bytes) -> dict[str, Entry]:
    """The entries of a tree object, hidden folders left out."""
    found = {}
    for mode, name, identity in _ENTRY.findall(raw):
        hidden = mode == FOLDER and name.startswith(b".")
        if not hidden and b"/" not in name:
            found[name.decode("utf-8", "surrogateescape")] = (mode, identity)
    return found


def below(changed: Mapping[bytes, Place], prefix: str) -> dict[str, Place]:
    """The files of the folder ``prefix``, seen from there, without those in hidden folders."""
    start = f"{prefix.strip('/')}/".encode("utf-8", "surrogateescape") if prefix.strip("/") else b""
    found = {}
    for path, place in changed.items():
        inner = path.removeprefix(start).decode("utf-8", "surrogateescape")
        if path.startswith(start) and "/." not in f"/{inner.rpartition('/')[0]}":
            found[inner] = place
    return found


def is_utf8(name: str) -> bool:
    """Bytes that are no UTF-8 stand in a name as lone surrogates."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)
