"""Reviews of a pull request's lines, as the stand-in of GitHub takes and shows them.

A comment stands at lines that the diff of its commit shows, on one side of one hunk; anything else is 422,
with GitHub's words. It is outdated, its ``line`` null, once a later head changed those lines or shows them
no more; where they merely moved, its lines move along. ``accept`` is the button *Commit suggestion*.
"""

from __future__ import annotations

import re
from typing import Any

from tests.support.github_state import BOT, Hub, Json, Missing, Unprocessable

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
_THREAD = "Pull request review thread"
_SUGGESTION = re.compile(r"^(`{3,})suggestion\n(.*?)^\1$", re.MULTILINE | re.DOTALL)


def new_review(hub: Hub, body: Json, number: str) -> Json:
    """POST …/reviews: all of its comments are taken, or none."""
    pull = _pull(hub, number)
    if body["event"] == "COMMENT" and not body.get("body"):
        raise Unprocessable("Unprocessable Entity", "Body can't be blank")
    commit = body.get("commit_id") or pull["head"]["sha"]
    try:
        hub.git("merge-base", "--is-ancestor", commit, pull["head"]["sha"])
    except Unprocessable:
        raise Unprocessable("Unprocessable Entity", "Commit is not part of the pull") from None
    comments = body.get("comments", [])
    reasons = [why for one in comments for why in _wrong(hub, commit, one)]
    if reasons:
        raise Unprocessable("Unprocessable Entity", ", ".join(reasons))
    hub.ids += 1
    review = {
        "id": hub.ids,
        "user": hub.user(BOT),
        "body": body.get("body", ""),
        "state": {"COMMENT": "COMMENTED", "APPROVE": "APPROVED"}[body["event"]],
        "commit_id": commit,
    }
    hub.reviews.setdefault(int(number), []).append(review)
    for one in comments:
        hub.ids += 1
        made = {
            "id": hub.ids,
            "pull_request_review_id": review["id"],
            "user": hub.user(BOT),
            "path": one["path"],
            "body": one["body"],
            "side": one.get("side", "RIGHT"),
            "original_commit_id": commit,
            "original_line": one["line"],
            "original_start_line": one.get("start_line"),
        }
        hub.notes.setdefault(int(number), []).append(made)
    return review


def review_comments(hub: Hub, _: Json, number: str) -> list[Json]:
    """GET …/comments: each with where it stands at the head of now."""
    head = _pull(hub, number)["head"]["sha"]
    return [_placed(hub, head, one) for one in hub.notes.get(int(number), [])]


def accept(hub: Hub, number: int, keep: Any = lambda comment: True) -> dict[str, bytes]:
    """The files that hold suggestions, with every suggestion taken that ``keep`` says yes to."""
    head = _pull(hub, str(number))["head"]["sha"]
    found: dict[str, list[bytes]] = {}
    standing = [one for one in review_comments(hub, {}, str(number)) if one["line"] and keep(one)]
    for one in sorted(standing, key=lambda one: -one["line"]):
        path = one["path"]
        lines = found.setdefault(
            path, hub.git_bytes("show", f"{head}:{path}").splitlines(keepends=True)
        )
        suggestion = _SUGGESTION.search(one["body"])
        assert suggestion, one["body"]
        first = one["start_line"] or one["line"]
        lines[first - 1 : one["line"]] = [suggestion[2].encode()]
    return {path: b"".join(lines) for path, lines in found.items()}


def _wrong(hub: Hub, commit: str, one: Json) -> list[str]:
    """What GitHub would say of a comment's place."""
    assert one.get("side", "RIGHT") == "RIGHT", "the stand-in knows the new side alone"
    last, first = one["line"], one.get("start_line")
    hunks = _shown(hub, commit, one["path"])
    at = next((hunk for hunk in hunks if last in hunk), None)
    reasons = []
    if first is not None and first >= last:
        reasons.append(f"{_THREAD} start line must precede the end line.")
    if at is None:
        reasons.append(f"{_THREAD} line must be part of the diff")
    if first is not None and (at is None or first not in at):
        reasons.append(f"{_THREAD} start line must be part of the same hunk as the line.")
    if at is None:
        reasons.append(f"{_THREAD} diff hunk can't be blank")
    return reasons


def _shown(hub: Hub, commit: str, path: str) -> list[range]:
    """The new side's lines in each hunk of what the pull request does to a file."""
    told = hub.git_bytes("diff", "--no-renames", f"main...{commit}", "--", f":(literal){path}")
    return [span for _, span in _hunks(told)]


def _hunks(diff: bytes) -> list[tuple[range, range]]:
    """Old and new lines of each hunk."""
    found = []
    for one in _HUNK.finditer(diff.decode()):
        a, b, c, d = (int(text) if text is not None else 1 for text in one.groups())
        found.append((range(a, a + b), range(c, c + d)))
    return found


def _placed(hub: Hub, head: str, one: Json) -> Json:
    commit, path = one["original_commit_id"], one["path"]
    last = one["original_line"]
    first = one["original_start_line"] or last
    moves = _hunks(hub.git_bytes("diff", "-U0", commit, head, "--", f":(literal){path}"))
    touched = any(set(old) & set(range(first, last + 1)) for old, _ in moves)
    shift = sum(len(new) - len(old) for old, new in moves if old.start <= last)
    shown = any(last + shift in hunk for hunk in _shown(hub, head, path))
    line = last + shift if shown and not touched else None
    start = first + shift if line and one["original_start_line"] else None
    return {**one, "commit_id": head, "line": line, "start_line": start, "position": line}


def _pull(hub: Hub, number: str) -> Json:
    if int(number) not in hub.pulls:
        raise Missing
    return hub.pulls[int(number)]
