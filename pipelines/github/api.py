"""What Graft asks of GitHub, as records: issues, comments, pull requests, labels, commits.

In: a ``Client``. Out: frozen records with the fields that are used. Names of users and commits come from
GitHub; every text in a record is contributed, hence hostile where it is rendered.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipelines.errors import GraftError
from pipelines.github.client import Client, NotThere, Refused, segment

BOT = "github-actions[bot]"
MOST_EVENT = 26 << 20  # GitHub caps an event's payload at 25 MB
_SHA = re.compile(r"[0-9a-f]{40}")
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
_RIGHT = ("write", "maintain", "admin")


@dataclass(frozen=True, slots=True)
class User:
    """``login`` is checked by GitHub: letters, digits, single hyphens, perhaps ``[bot]``."""

    login: str
    id: int

    @property
    def address(self) -> str:
        """The address that hides a person's own and still credits the account."""
        return f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue; a pull request is one too, and says so in ``is_pull``."""

    number: int
    body: str
    user: User
    labels: tuple[str, ...]
    is_pull: bool
    open: bool
    title: str = ""
    association: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """``author`` alone says whose it is; the text says whatever it likes."""

    id: int
    author: str
    body: str
    created: str


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request. ``head_repository`` is "" where the fork is gone."""

    number: int
    title: str
    user: User
    head: str
    head_repository: str
    base: str
    draft: bool
    open: bool
    merged: bool
    created: str
    labels: tuple[str, ...]
    body: str = ""
    association: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """A file that a pull request touches. ``patch``: "" where GitHub shows none or the file is gone."""

    path: str
    blob: str
    patch: str
    previous: str


@dataclass(frozen=True, slots=True)
class NewCommit:
    """A commit to be made on ``branch``: files by path, on top of ``parent``; None deletes one."""

    branch: str
    parent: str
    message: str
    author: User
    files: Mapping[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Head:
    """Where a branch stands: commit, its tree and its message."""

    sha: str
    tree: str
    message: str


def read_event(path: Path) -> dict[str, Any]:
    """The payload that set off a workflow; ``GraftError`` where it is none."""
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(MOST_EVENT))
    except (OSError, ValueError, RecursionError):
        raise GraftError(f"--event {path}: this is no payload of a GitHub event.") from None
    if not isinstance(data, dict):
        raise GraftError(f"--event {path}: the payload must be a JSON object.")
    return data


def event_number(event: Mapping[str, Any], *keys: str) -> int:
    """The number of the issue or pull request in a payload, under the first of ``keys`` there is."""
    for key in keys:
        found = event.get(key)
        number = found.get("number") if isinstance(found, dict) else None
        if isinstance(number, int) and not isinstance(number, bool) and number > 0:
            return number
    raise GraftError(f"--event: the payload tells of no {' or '.join(keys)}.")


class GitHub:
    """The calls, each named for what it does. ``bot`` is the login that this token writes as."""

    def __init__(self, client: Client, bot: str = BOT) -> None:
        self.client = client
        self.bot = bot

    # --- issues and comments

    def issue(self, number: int) -> Issue:
        return _issue(self.client.get(f"issues/{number}"))

    def comments(self, number: int) -> Iterator[Comment]:
        for data in self.client.pages(f"issues/{number}/comments"):
            yield Comment(
                data["id"], _user(data["user"]).login, data["body"] or "", data["created_at"]
            )

    def comment(self, number: int, body: str) -> None:
        self.client.send("POST", f"issues/{number}/comments", {"body": body})

    def edit_comment(self, comment: int, body: str) -> None:
        self.client.send("PATCH", f"issues/comments/{comment}", {"body": body})

    def open_issue(self, title: str, body: str, labels: Sequence[str]) -> int:
        made = self.client.send(
            "POST", "issues", {"title": title, "body": body, "labels": list(labels)}
        )
        return int(made["number"])

    def issues_with(self, label: str) -> Iterator[Issue]:
        """Open ones."""
        yield from map(_issue, self.client.pages("issues", state="open", labels=label))

    def label(self, number: int, add: Iterable[str], remove: Iterable[str]) -> None:
        """Put labels on and take others off; what is so already costs nothing."""
        wanted = sorted(add)
        if wanted:
            self.client.send("POST", f"issues/{number}/labels", {"labels": wanted})
        for name in sorted(remove):
            with contextlib.suppress(NotThere):
                self.client.send("DELETE", f"issues/{number}/labels/{segment(name)}")

    # --- people

    def may_write(self, login: str) -> bool:
        """Whether a person may write to the repository, as GitHub says now."""
        if not _LOGIN.fullmatch(login):
            return False
        try:
            data = self.client.get(f"collaborators/{segment(login)}/permission")
        except NotThere:
            return False
        # `permission` folds maintain into write; custom roles appear in `role_name` alone.
        return data.get("permission") in _RIGHT

    def user(self, login: str) -> User:
        return _user(self.client.get(f"/users/{segment(login)}"))

    # --- pull requests

    def pull(self, number: int) -> Pull:
        return _pull(self.client.get(f"pulls/{number}"))

    def pulls(self, **query: str) -> Iterator[Pull]:
        yield from map(_pull, self.client.pages("pulls", **query))

    def pulls_from(self, branch: str, state: str) -> Iterator[Pull]:
        """Those of a branch of this repository, the newest first."""
        owner = self.client.repository.split("/")[0]
        yield from self.pulls(state=state, head=f"{owner}:{branch}")

    def pulls_of(self, commit: str) -> Iterator[Pull]:
        """Those that a commit came in with."""
        yield from map(_pull, self.client.pages(f"commits/{segment(commit)}/pulls"))

    def changed(self, number: int) -> Iterator[Changed]:
        """The files of a pull request; GitHub lists 3,000 at most."""
        for data in self.client.pages(f"pulls/{number}/files"):
            patch = "" if data["status"] == "removed" else data.get("patch") or ""
            blob, previous = data.get("sha") or "", data.get("previous_filename") or ""
            yield Changed(data["filename"], blob, patch, previous)

    def pull_files(self, number: int) -> tuple[str, ...]:
        """Every path that a pull request touches, the old name of a renamed file as well."""
        names = [name for one in self.changed(number) for name in (one.path, one.previous)]
        return tuple(dict.fromkeys(name for name in names if name))

    def changes_requested(self, pull: Pull) -> bool:
        """Whether the last word of somebody's review is that this very head must change."""
        last: dict[str, tuple[str, str]] = {}
        for data in self.client.pages(f"pulls/{pull.number}/reviews"):
            if data["state"] in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
                last[_user(data["user"]).login] = (data["state"], data.get("commit_id") or "")
        return ("CHANGES_REQUESTED", pull.head) in last.values()

    def open_pull(self, title: str, branch: str, base: str, body: str) -> int:
        """A draft; gives its number. One that is open for the branch already is taken."""
        for pull in self.pulls_from(branch, "open"):
            return pull.number
        wanted = {"title": title, "head": branch, "base": base, "body": body, "draft": True}
        try:
            made = self.client.send("POST", "pulls", wanted)
        except Refused as error:
            if error.status != 422:
                raise
            # Drafts cost money in private repositories: an ordinary pull request does as well.
            made = self.client.send("POST", "pulls", {**wanted, "draft": False})
        return int(made["number"])

    def check_run(self, head: str, conclusion: str, title: str, summary: str) -> None:
        """The line `graft` among a commit's checks."""
        self.client.send(
            "POST",
            "check-runs",
            {
                "name": "graft",
                "head_sha": head,
                "status": "completed",
                "conclusion": conclusion,
                "output": {"title": title, "summary": summary},
            },
        )

    # --- Git

    def default_branch(self) -> str:
        return str(self.client.get(f"/repos/{self.client.repository}")["default_branch"])

    def file(self, path: str, ref: str) -> bytes:
        """A file at a commit; empty where there is none."""
        try:
            data = self.client.get(f"contents/{quote(path)}", ref=ref)
        except NotThere:
            return b""
        if data.get("encoding") != "base64":  # above a megabyte GitHub gives the blob alone
            return self.blob(data["sha"])
        return base64.b64decode(data["content"])

    def blob(self, sha: str) -> bytes:
        """What a file held, by its content's name; empty where there is no such blob."""
        try:
            return base64.b64decode(self.client.get(f"git/blobs/{segment(sha)}")["content"])
        except NotThere:
            return b""

    def committed(self, sha: str) -> str:
        """When a commit was made."""
        return str(self.client.get(f"git/commits/{segment(sha)}")["committer"]["date"])

    def commits(self, path: str, until: str, since: str) -> Iterator[str]:
        """Commits that touched ``path``, the newest first, from ``until`` back to a moment."""
        query = {
            "path": path,
            **({"sha": until} if until else {}),
            **({"since": since} if since else {}),
        }
        yield from (data["sha"] for data in self.client.pages("commits", **query))

    def tagged(self, tag: str) -> str:
        """When the commit of a tag was made; "" where there is no such tag."""
        try:
            found = self.client.get(f"commits/{segment(f'refs/tags/{tag}')}")
        except (NotThere, Refused):
            return ""
        return str(found["commit"]["committer"]["date"])

    def head(self, branch: str) -> Head | None:
        """Where a branch stands; None where there is none."""
        try:
            ref = self.client.get(f"git/ref/heads/{branch}")
        except NotThere:
            return None
        commit = self.client.get(f"git/commits/{ref['object']['sha']}")
        return Head(commit["sha"], commit["tree"]["sha"], commit["message"])

    def commit(self, new: NewCommit, parent_tree: str, *, fresh: bool) -> str:
        """Make the commit; its SHA, or "" where it would change nothing.

        ``fresh``: the branch does not exist yet. A branch that moved meanwhile is ``Refused`` (422).
        """
        entries = [
            {
                "path": path,
                "mode": "100644",
                "type": "blob",
                "sha": None if data is None else self._blob(data),
            }
            for path, data in new.files.items()
        ]
        tree = self.client.send("POST", "git/trees", {"base_tree": parent_tree, "tree": entries})[
            "sha"
        ]
        if tree == parent_tree:
            return ""
        made = self.client.send(
            "POST",
            "git/commits",
            {
                "message": new.message,
                "tree": tree,
                "parents": [new.parent],
                "author": {"name": new.author.login, "email": new.author.address},
            },
        )["sha"]
        if fresh:
            self.client.send("POST", "git/refs", {"ref": f"refs/heads/{new.branch}", "sha": made})
        else:
            self.client.send("PATCH", f"git/refs/heads/{new.branch}", {"sha": made, "force": False})
        return str(made)

    def _blob(self, data: bytes) -> str:
        body = {"content": base64.b64encode(data).decode(), "encoding": "base64"}
        return str(self.client.send("POST", "git/blobs", body)["sha"])


def is_commit(text: object) -> bool:
    return isinstance(text, str) and _SHA.fullmatch(text) is not None


def _user(data: Mapping[str, Any] | None) -> User:
    # The account of somebody who left GitHub is null, and shown as ghost.
    return User(str(data["login"]), int(data["id"])) if data else User("ghost", 10137)


def _labels(data: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(label["name"] for label in data.get("labels", ()))


def _issue(data: Mapping[str, Any]) -> Issue:
    return Issue(
        int(data["number"]),
        data.get("body") or "",
        _user(data["user"]),
        _labels(data),
        "pull_request" in data,
        data["state"] == "open",
        data.get("title") or "",
        data.get("author_association") or "",
    )


def _pull(data: Mapping[str, Any]) -> Pull:
    repository = data["head"].get("repo")
    return Pull(
        number=int(data["number"]),
        title=data["title"],
        user=_user(data["user"]),
        head=data["head"]["sha"],
        head_repository=repository["full_name"] if repository else "",
        base=data["base"]["ref"],
        draft=bool(data.get("draft")),
        open=data["state"] == "open",
        merged=bool(data.get("merged_at")),
        created=data["created_at"],
        labels=_labels(data),
        body=data.get("body") or "",
        association=data.get("author_association") or "",
    )
