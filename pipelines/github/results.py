"""What a run on a pull request left in a folder → ``Results``; the folder is hostile.

In: a downloaded artifact, made by a job that read a stranger's pull request and may have run a changed
workflow: any byte of it may be a lie. Out: JSON of the four names, each a regular file of bounded size that
holds to its schema, and the names of files in fix.diff; nothing else in the folder is opened. What breaks a
rule is left out and said.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.schemas import violations

MOST_MEGABYTES = 8
MOST_FOLDERS = 20
# File → its schema. `graft check|diff|evaluate --precheck --format json`, and evaluation/evaluation.json.
FILES: dict[str, str] = {
    "findings.json": "findings",
    "changes.json": "changes",
    "precheck.json": "precheck",
    "evaluation.json": "evaluation",
}
DIFF = "fix.diff"  # `graft fix --diff`
_MENDED = re.compile(rb"^\+\+\+ b/(.+)$", re.MULTILINE)
# Rules whose findings want a person's eye, whatever else is well.
DELICATE = ("topic", "personal-data", "offensive", "secret")


@dataclass(frozen=True, slots=True)
class Results:
    """JSON by file name, valid against its schema; ``refused`` says what was left out and why.

    ``mended``: the files that `graft fix` would change, as fix.diff names them.
    """

    read: Mapping[str, Any] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()

    @property
    def errors(self) -> int | None:
        """How many errors the check found; None where it tells nothing."""
        found = self.read.get("findings.json")
        return None if found is None else sum(f["severity"] == "error" for f in found["findings"])

    @property
    def delicate(self) -> bool:
        found = self.read.get("findings.json", {"findings": []})
        return any(one["rule"] in DELICATE for one in found["findings"])

    @property
    def known(self) -> tuple[int, int] | None:
        """Of how many questions the last release knows how many."""
        found = self.read.get("precheck.json")
        if found is None:
            return None
        return sum(one["known"] for one in found["questions"]), len(found["questions"])

    @property
    def seeds(self) -> int:
        """How many seeds are new or edited: what the change costs grows with it."""
        found = self.read.get("changes.json", {"changes": []})
        return sum(
            len(one["seeds"]["added"]) + len(one["seeds"]["changed"]) for one in found["changes"]
        )

    @property
    def teaches(self) -> bool:
        """Whether there is anything that a preview could train."""
        found = self.read.get("changes.json", {"changes": []})
        return any(one["invalidates"] == "data" for one in found["changes"])


def read_results(folder: Path) -> Results:
    """What is in the folder or right below it, where artifacts of several names are unpacked."""
    read: dict[str, Any] = {}
    refused: list[str] = []
    for place in _places(folder):
        for name in (*FILES, DIFF):
            if name in read or not os.path.lexists(place / name):
                continue
            found = _names(place / name) if name == DIFF else _read(place / name, FILES[name])
            if found == "":
                continue
            if isinstance(found, str):
                refused.append(f"{name} {found}")
            else:
                read[name] = found[0]
    return Results(read, tuple(refused), tuple(read.pop(DIFF, ())))


def _places(folder: Path) -> Iterator[Path]:
    yield folder
    try:
        with os.scandir(folder) as entries:
            inner = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
    except OSError:
        return
    yield from (folder / name for name in inner[:MOST_FOLDERS])


def _read(path: Path, schema: str) -> tuple[Any] | str:
    """The JSON in a tuple, or what is wrong with it; "" where a step that failed left an empty file."""
    text = _bytes(path)
    if isinstance(text, str):
        return text
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return "is no JSON."
    if violations(data, schema):
        return f"does not hold to schema/{schema}.json."
    return (data,)


def _names(path: Path) -> tuple[list[str]] | str:
    """The files that a diff changes, in a tuple; nothing else of it is used."""
    text = _bytes(path)
    if isinstance(text, str):
        return text or ([],)
    return ([name.decode("utf-8", "replace") for name in dict.fromkeys(_MENDED.findall(text))],)


def _bytes(path: Path) -> bytes | str:
    """What the file holds, or what is wrong with it; "" where it is empty."""
    try:
        # No symlink is followed, and a pipe does not hold us up.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return "cannot be read."
    with open(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            return "is no regular file."
        if about.st_size == 0:
            return ""
        if about.st_size > MOST_MEGABYTES << 20:
            return f"is larger than {MOST_MEGABYTES} MB."
        return file.read(MOST_MEGABYTES << 20)


def _no_constant(name: str) -> float:
    raise ValueError(name)
