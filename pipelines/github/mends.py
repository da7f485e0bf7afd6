"""A file as it is and as `graft fix` would have it → suggestions for a review, each safe to take alone.

In: a file's bytes at the head of a pull request, and the lines of it that the pull request's own diff
shows. Out: ``Suggestion``s, and how many places only `graft fix` itself can mend. Each suggestion, taken
alone, leaves the file readable and saying the same; what does so only together becomes one suggestion.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipelines.fix import Repairs, mend, says_the_same
from pipelines.report.escape import clean

MOST_LINES = 2_000  # of a file: to compare two texts line by line costs the square of it
MOST_PLACES = 10  # looked at in a file: each costs two readings of a stranger's YAML
LONGEST = 200  # lines of a suggestion
LARGEST = 20_000  # characters of one
GAP = 3  # unchanged lines between two places that are still one
_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``new`` in place of the lines ``first`` to ``last``, from 1 and both included; ``key`` names it."""

    path: str
    first: int
    last: int
    new: tuple[str, ...]
    key: str = ""

    @property
    def size(self) -> int:
        return max(len(self.new), self.last - self.first + 1)


def shown_lines(patch: str) -> list[range]:
    """The lines of the new file that a patch shows, hunk by hunk: where GitHub takes a suggestion."""
    found = [(int(one[1]), int(one[2] or 1)) for one in _HUNK.finditer(patch)]
    return [range(first, first + count) for first, count in found if count]


def suggest(
    path: str, leaf_path: str, before: bytes, shown: Sequence[range]
) -> tuple[list[Suggestion], int]:
    """The suggestions for one file, ``leaf_path`` from the taxonomy's root; how many places are left."""
    after = mend(before, leaf_path, Repairs()).data
    if after == before:
        return [], 0
    lines, wanted = _lines(before), _lines(after)
    if lines is None or wanted is None or max(len(lines), len(wanted)) > MOST_LINES:
        return [], 1
    places = [_widened(edit, lines) for edit in _edits(path, lines, wanted)]
    found: list[Suggestion] = []
    room = MOST_PLACES
    for hunk in shown:
        inside = [one for one in places if one.first in hunk and one.last in hunk]
        looked_at = _joined(inside, lines)[:room]
        found += _sound(looked_at, lines, before, leaf_path)
        room -= len(looked_at)
    taken = [range(one.first, one.last + 1) for one in found]
    left = sum(not any(one.first in lines_ for lines_ in taken) for one in places)
    # A missing newline at the end is no line that could be replaced.
    return list(_named(found, lines)), left + (not before.endswith(b"\n"))


def _lines(data: bytes) -> list[str] | None:
    """The lines without their ends; None where one holds what GitHub would not hand back as it is."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text.removesuffix("\n").split("\n") if clean(text) == text else None


def _edits(path: str, lines: Sequence[str], wanted: Sequence[str]) -> Iterator[Suggestion]:
    for kind, a, b, c, d in difflib.SequenceMatcher(None, lines, wanted).get_opcodes():
        if kind != "equal":
            yield Suggestion(path, a + 1, b, tuple(wanted[c:d]))


def _widened(edit: Suggestion, lines: Sequence[str]) -> Suggestion:
    """With a line more where nothing would stand on one side: a comment needs a line to stand at."""
    if edit.new and edit.first <= edit.last:
        return edit
    if edit.first > 1:
        return replace(edit, first=edit.first - 1, new=(lines[edit.first - 2], *edit.new))
    return replace(edit, last=edit.last + 1, new=(*edit.new, *lines[edit.last : edit.last + 1]))


def _joined(edits: Sequence[Suggestion], lines: Sequence[str], gap: int = GAP) -> list[Suggestion]:
    """Neighbours as one, with what stands between them."""
    found: list[Suggestion] = []
    for edit in edits:
        if found and edit.first <= found[-1].last:  # both were widened onto one line
            overlap = found[-1].last - edit.first + 1
            edit = replace(edit, first=found[-1].last + 1, new=edit.new[overlap:])
        if found and edit.first - found[-1].last <= gap + 1:
            between = lines[found[-1].last : edit.first - 1]
            edit = replace(edit, first=found[-1].first, new=(*found[-1].new, *between, *edit.new))
            found.pop()
        found.append(edit)
    return found


def _sound(
    edits: Sequence[Suggestion], lines: Sequence[str], before: bytes, leaf_path: str
) -> list[Suggestion]:
    """Those that may be taken alone, and what may be taken together as one."""

    def fine(edit: Suggestion) -> bool:
        if edit.size > LONGEST or sum(map(len, edit.new)) > LARGEST:
            return False
        text = "\n".join([*lines[: edit.first - 1], *edit.new, *lines[edit.last :]])
        return says_the_same(before, f"{text}{end}".encode(), leaf_path)

    end = "\n" if before.endswith(b"\n") else ""

    alone = [edit for edit in edits if fine(edit)]
    together = [edit for edit in edits if edit not in alone]
    if together:
        # From the first to the last of them, so that what lies between is a part of it.
        spanned = [edit for edit in edits if together[0].first <= edit.first <= together[-1].first]
        whole = _joined(spanned, lines, gap=len(lines))
        if fine(whole[0]):
            return sorted(
                [*(edit for edit in alone if edit not in spanned), *whole], key=lambda e: e.first
            )
    return alone


def _named(found: Sequence[Suggestion], lines: Sequence[str]) -> Iterator[Suggestion]:
    """Each with its key: what it makes of what, and the how manieth of the same it is."""
    seen: dict[str, int] = {}
    for one in found:
        old = lines[one.first - 1 : one.last]
        said = "\0".join([one.path, "\n".join(old), "\n".join(one.new)])
        seen[said] = seen.get(said, 0) + 1
        key = hashlib.sha256(f"{said}\0{seen[said]}".encode()).hexdigest()[:16]
        yield replace(one, key=key)
