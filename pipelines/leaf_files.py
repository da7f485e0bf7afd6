"""What makes a folder a leaf: the names of its files, its kind, its version, its documents.

In: paths and plain values. Out: the same; ``leaves`` makes records of them and gives these names on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from fnmatch import fnmatchcase

from pipelines.attribution import ATTRIBUTION_FILE as ATTRIBUTION_FILE

LEAF_FILE = "qna.yaml"
VALUES_FILE = "values.yaml"
VETO_FILE = "vetoes.jsonl"  # of the whole taxonomy, at its root
RTF_SIGN = "{\\rtf"  # how a file begins that is text to its reader and commands to a program
ROOTS = ("compositional_skills", "foundational_skills", "knowledge")


def is_knowledge(path: str, data: object) -> bool:
    """Whether the rightmost root in ``path`` is knowledge; with none, whether it has a document."""
    for part in reversed(path.split("/")):
        if part in ROOTS:
            return part == "knowledge"
    return isinstance(data, dict) and "document" in data


def version_of(data: object) -> int | None:
    """The version that a leaf declares (missing = 1); None where it is not 1, 2 or 3."""
    version = data.get("version", 1) if isinstance(data, dict) else None
    if isinstance(version, bool) or not isinstance(version, (int, float)):
        return None
    return int(version) if version in (1, 2, 3) else None


def match_documents(files: Sequence[str], leaf: str, pattern: str) -> list[str]:
    """Those of ``files`` (paths from the root) that ``pattern`` names, seen from folder ``leaf``.

    ``*`` and ``?`` stay within one folder, ``**`` spans folders; the leaf's own files, hidden files
    and whatever lies outside the leaf never match.
    """
    wanted = [part for part in unicodedata.normalize("NFC", pattern).split("/") if part != "."]
    if pattern.startswith("/") or ".." in wanted:
        return []
    found = []
    for file in files:
        inner = file.removeprefix(f"{leaf}/")
        if inner == file or inner in (LEAF_FILE, ATTRIBUTION_FILE):
            continue
        if _matches(unicodedata.normalize("NFC", inner).split("/"), wanted):
            found.append(file)
    return found


def _matches(parts: list[str], wanted: list[str]) -> bool:
    """Match part by part; ``reached`` holds how many of ``wanted`` may be used up so far."""
    reached = _past_stars({0}, wanted)
    for part in parts:
        following = set()
        for index in reached:
            if index == len(wanted) or part.startswith(".") > wanted[index].startswith("."):
                continue
            if wanted[index] == "**":
                following.add(index)
            elif fnmatchcase(part, wanted[index]):
                following.add(index + 1)
        reached = _past_stars(following, wanted)
    return len(wanted) in reached


def _past_stars(reached: set[int], wanted: list[str]) -> set[int]:
    for index in range(len(wanted)):
        if index in reached and wanted[index] == "**":
            reached.add(index + 1)
    return reached
