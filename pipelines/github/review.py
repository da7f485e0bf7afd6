"""What `graft fix` would mend in a pull request → one review, whose suggestions are taken by a click.

In: names of files, from an artifact that may be a lie: they only say where to look. The files themselves
and the lines that may be commented on come from GitHub, at the pull request's head, and are mended here; so
nothing that is suggested was written by the run. Out: the review, and a sentence for the comment. What was
suggested once and still stands is not suggested again; what is outdated is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.fix import is_fixable
from pipelines.github.api import Changed, GitHub, Pull
from pipelines.github.client import Refused, Unanswered
from pipelines.github.mends import Suggestion, shown_lines, suggest

MOST = 10  # suggestions that stand on a pull request at once
MOST_EVER = 50  # that were ever made on one, outdated ones among them
MOST_FILES = 10
_MARK = re.compile(r"<!-- graft:mend ([0-9a-f]{16}) -->")
_WORDS = (
    "Layout that `graft fix` would mend; what the leaf says stays the same. *Commit suggestion* takes one; "
    "under *Files changed*, *Add suggestion to batch* takes several in one commit. Sign that commit off."
)


def offer(github: GitHub, pull: Pull, names: Sequence[str], prefix: str) -> str:
    """Suggest what can be suggested; Markdown that says so, "" where there is nothing to mend."""
    found, left = _gather(github, pull, names, prefix)
    # GitHub has told of the files at its head of now: it must still be the one that was checked.
    if not (found or left) or github.pull(pull.number).head != pull.head:
        return ""
    standing, ever = _standing(github, pull.number)
    fresh = [one for one in found if one.key not in standing]
    room = max(0, min(MOST - len(standing), MOST_EVER - ever))
    there = len(found) - len(fresh)
    try:
        _post(github, pull, fresh[:room])
        there += len(fresh[:room])
    except Refused as error:
        # A line that GitHub does not take for one of the diff; the comment tells of the rest.
        if error.status != 422:
            raise
    except Unanswered:
        # The comment must not wait for it; what is missing is suggested with the next report.
        standing, _ = _standing(github, pull.number)
        there = sum(one.key in standing for one in found)
    return _told(there, left + len(found) - there)


def _gather(
    github: GitHub, pull: Pull, names: Sequence[str], prefix: str
) -> tuple[list[Suggestion], int]:
    """The suggestions for the pull request's own files among ``names``, and how many places are left."""
    found: list[Suggestion] = []
    left = 0
    for number, file in enumerate(_own(github, pull, names, prefix)):
        if number >= MOST_FILES or not file.patch:
            left += 1
            continue
        inner = _inner(file.path, prefix)
        more, rest = suggest(file.path, inner, github.blob(file.blob), shown_lines(file.patch))
        found += more
        left += rest
    return found, left


def _own(github: GitHub, pull: Pull, names: Sequence[str], prefix: str) -> Iterator[Changed]:
    """Leaves' files that are named and that the pull request touches, as GitHub lists them."""
    wanted = {name for name in names if is_fixable(_inner(name, prefix))}
    if not wanted:
        return
    for file in github.changed(pull.number):
        if file.path in wanted:
            wanted.remove(file.path)
            yield file
        if not wanted:
            return


def _inner(path: str, prefix: str) -> str:
    """The path from the taxonomy's root; "" where it is not below it."""
    if not prefix:
        return path
    return path.removeprefix(f"{prefix}/") if path.startswith(f"{prefix}/") else ""


def _standing(github: GitHub, number: int) -> tuple[set[str], int]:
    """The keys of our suggestions that are not outdated, and how many there ever were."""
    standing: set[str] = set()
    ever = 0
    for data in github.client.pages(f"pulls/{number}/comments"):
        mark = _MARK.match(data["body"] or "")
        if mark and data["user"] and data["user"]["login"] == github.bot:
            ever += 1
            if data.get("line"):
                standing.add(mark[1])
    return standing, ever


def _post(github: GitHub, pull: Pull, suggestions: Sequence[Suggestion]) -> None:
    """One review at the head that was looked at: one message to its author."""
    if suggestions:
        review = {
            "commit_id": pull.head,
            "event": "COMMENT",
            "body": _WORDS,
            "comments": [_comment(one) for one in suggestions],
        }
        github.client.send("POST", f"pulls/{pull.number}/reviews", review)


def _comment(one: Suggestion) -> dict[str, Any]:
    text = "\n".join(one.new)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    inside = f"{text}\n" if one.new else ""
    body = f"<!-- graft:mend {one.key} -->\n{fence}suggestion\n{inside}{fence}"
    place = {"path": one.path, "side": "RIGHT", "line": one.last, "body": body}
    # GitHub refuses a range of one line.
    return (
        place
        if one.first == one.last
        else {**place, "start_line": one.first, "start_side": "RIGHT"}
    )


def _told(there: int, left: int) -> str:
    if there and left:
        return (
            f"**Layout**: {_places(there)} mended by a click on the suggestion beside it, "
            f"{left} more by `graft fix`."
        )
    if there:
        return f"**Layout**: {_places(there)} mended by a click on the suggestion beside it."
    return f"**Layout**: {_places(left)} mended by `graft fix`."


def _places(number: int) -> str:
    return "1 place can be" if number == 1 else f"{number} places can be"
