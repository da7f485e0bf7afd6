"""Where a leaf belongs: rules of its path, folders to suggest, names that are nearly a neighbour's.

In: a kind, the path as a person writes it, the folders that are there. Out: the leaf's whole path from
the taxonomy's root, or one sentence that says what is wrong with it.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from pipelines.author.leaf import KINDS
from pipelines.errors import UsageError
from pipelines.leaves import LEAF_FILE, ROOTS
from pipelines.records import Tree

HOMES = {
    "knowledge": "knowledge",
    "grounded": "compositional_skills/grounded",
    "freeform": "compositional_skills",
    "foundational": "foundational_skills",
}
MAX_NAME = 60
_NAME = re.compile(r"[^\W_]+(?:[_-][^\W_]+)*")
# Windows cannot make folders of these names, so a checkout there would fail.
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d")


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of a taxonomy, and those that hold a leaf; paths from its root."""

    folders: frozenset[str]
    leaves: frozenset[str]

    def children(self, folder: str) -> list[str]:
        """Names of the folders right below one, sorted."""
        return sorted(posixpath.basename(f) for f in self.folders if posixpath.dirname(f) == folder)


def read_places(tree: Tree) -> Places:
    """List the tree once."""
    folders: set[str] = set()
    leaves: set[str] = set()
    for root in ROOTS:
        for file in tree.files(root):
            folder = posixpath.dirname(file)
            if posixpath.basename(file) == LEAF_FILE:
                leaves.add(folder)
            while folder and folder not in folders:
                folders.add(folder)
                folder = posixpath.dirname(folder)
    return Places(frozenset(folders), frozenset(leaves))


def slug(text: str) -> str:
    """A folder's name for a title: lower case, marks taken off Latin letters, words joined by _."""
    plain = "".join(
        character
        for character in unicodedata.normalize("NFKD", text).lower()
        if not "\u0300" <= character <= "\u036f" and character not in "'’"
    )
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", plain))
    name = ""
    for word in words:
        if len(name) + len(word) >= MAX_NAME:
            break
        name = f"{name}_{word}" if name else word
    return name or (words[0][:MAX_NAME] if words else "")


def kind_of(path: str) -> str:
    """The kind that a path from the root speaks of; "" where it begins with no root."""
    parts = path.strip("/").split("/")
    if parts[0] == "compositional_skills":
        return "grounded" if "grounded" in parts else "freeform"
    return {"knowledge": "knowledge", "foundational_skills": "foundational"}.get(parts[0], "")


def place(kind: str, path: str, places: Places) -> str:
    """The whole path of a new leaf; ``UsageError`` says what to write instead."""
    if kind not in KINDS:
        raise UsageError(f"There is no kind {kind[:40]!r}; the kinds are {', '.join(KINDS)}.")
    parts = unicodedata.normalize("NFC", path.strip()).split("/")
    path = "/".join(part for part in parts if part)
    if path.split("/")[0] in ROOTS:
        if kind_of(path) != kind:
            raise UsageError(
                f"{path}: a {kind} leaf belongs below {HOMES[kind]}/; name a path there, or "
                f"--kind {kind_of(path)}."
            )
    else:
        path = f"{HOMES[kind]}/{path}"
    for problem in _problems(kind, path, places):
        raise UsageError(problem)
    return path


def _problems(kind: str, path: str, places: Places) -> Iterator[str]:
    inner = path.removeprefix(HOMES[kind]).strip("/").split("/")
    if len(inner) < 2:
        yield (
            f"{path}: name an area and a leaf, as in {HOMES[kind]}/AREA/LEAF, so that the tree keeps "
            "an order."
        )
    if kind != "knowledge" and "knowledge" in inner:
        yield f"{path}: no folder of a skill may be called knowledge; take another name."
    yield from _name_problems(path, places)
    if path in places.leaves:
        yield (
            f"{path} exists already; mend that leaf in its {LEAF_FILE}, add to it with graft import, "
            "or name another path."
        )
    outer = [above for above in _above(path) if above in places.leaves]
    if outer:
        yield f"{path} would lie inside the leaf {outer[0]}; name a folder beside it."
    below = sorted(leaf for leaf in places.leaves if leaf.startswith(f"{path}/"))
    if below:
        yield f"{path} is a folder with leaves, such as {below[0]}; add a name of its own below it."


def _name_problems(path: str, places: Places) -> Iterator[str]:
    """Names of folders that are not there yet: an old tree may spell its own as it likes."""
    for folder in (*reversed(_above(path)), path):
        parent, name = posixpath.split(folder)
        if folder in places.folders:
            continue
        if not _NAME.fullmatch(name) or name != name.lower():
            fitting = slug(name)
            instead = f"; write {fitting}" if fitting else ""
            yield (
                f"{name[:MAX_NAME]!r} cannot be a folder's name: take lower-case letters, digits and "
                f"single underscores between them{instead}."
            )
        elif len(name) > MAX_NAME or len(name.encode()) > 200:
            yield f"{name[:20]}… is too long for a folder's name; take at most {MAX_NAME} letters."
        elif _RESERVED.fullmatch(name):
            yield f"{name} cannot be a folder's name on Windows; take another."
        for other in places.children(parent):
            if other.casefold() == name:
                yield f"{parent}/{other} differs from {folder} only in case; use that folder."


def _above(path: str) -> list[str]:
    """The folders above a path, the nearest first."""
    found = []
    while path := posixpath.dirname(path):
        found.append(path)
    return found


def nearly_the_same(path: str, places: Places) -> list[tuple[str, str]]:
    """(new folder, neighbour that it may be a misspelling of), for each folder that is new."""
    found = []
    for folder in (*reversed(_above(path)), path):
        if folder in places.folders:
            continue
        parent, name = posixpath.split(folder)
        near = [other for other in places.children(parent) if _misspells(name, other)]
        found += [(folder, posixpath.join(parent, other)) for other in near[:1]]
    return found


def _misspells(name: str, other: str) -> bool:
    """Whether a few letters tell two names apart; names that differ in a number are two names."""
    first, second = (re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", n)) for n in (name, other))
    if re.findall(r"\d+", first) != re.findall(r"\d+", second):
        return False
    shorter = min(len(first), len(second))
    allowed = 0 if shorter < 4 else 1 if shorter < 8 else 2
    return OSA.distance(first, second, score_cutoff=allowed) <= allowed


def suggestions(kind: str, places: Places) -> list[str]:
    """Folders below which a leaf of this kind may be put, each with a slash at its end."""
    home = HOMES.get(kind, "")
    apart = f"{HOMES['grounded']}/" if kind == "freeform" else "\0"
    return sorted(
        f"{folder}/"
        for folder in places.folders
        if folder.startswith(f"{home}/")
        and folder not in places.leaves
        and not f"{folder}/".startswith(apart)
    )
