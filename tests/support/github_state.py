"""What the stand-in of GitHub holds, and what its endpoints do: ``Hub``. ``github`` serves it over HTTP."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Failure = tuple[int, dict[str, str], Any]  # any answer: status, headers, JSON
BOT = "github-actions[bot]"
TOKEN = "ghs_a-token-of-the-tests"
SECONDARY: Failure = (403, {}, {"message": "You have exceeded a secondary rate limit."})
BAD_GATEWAY: Failure = (502, {}, {"message": "Server Error"})


class Missing(Exception):
    """404."""


class Unprocessable(Exception):
    """422, with a message, and where there are several reasons each of them."""

    def __init__(self, message: str, *reasons: str) -> None:
        super().__init__(message)
        self.reasons = reasons


@dataclass
class Hub:
    """The state, and what a test does to it. ``git`` runs the real Git in the bare repository."""

    git_dir: Path
    url: str = ""
    repository: str = "taxonomists/garden"
    page_size: int = 100
    issues: dict[int, Json] = field(default_factory=dict)
    pulls: dict[int, Json] = field(default_factory=dict)
    files: dict[int, list[Json]] = field(default_factory=dict)
    comments: dict[int, list[Json]] = field(default_factory=dict)
    permissions: dict[str, str] = field(default_factory=dict)
    reviews: dict[int, list[Json]] = field(default_factory=dict)
    notes: dict[int, list[Json]] = field(default_factory=dict)  # beside lines, of reviews
    check_runs: list[Json] = field(default_factory=list)
    commits: dict[str, list[int]] = field(default_factory=dict)
    releases: dict[int, Json] = field(default_factory=dict)
    uploaded: dict[str, bytes] = field(default_factory=dict)
    dispatched: list[Json] = field(default_factory=list)
    too_large: set[int] = field(default_factory=set)  # pull requests whose diff GitHub gives up on
    runs: dict[int, Json] = field(default_factory=dict)  # those that are no night on main
    asked: list[tuple[str, str]] = field(default_factory=list)
    fail: list[Failure] = field(default_factory=list)
    lost: list[str] = field(
        default_factory=list
    )  # ends of paths: done once, and the answer is lost
    tokens: set[str] = field(default_factory=set)
    ids: int = 1000
    lock: threading.Lock = field(default_factory=threading.Lock)

    def git(self, *words: str, given: bytes = b"", more: dict[str, str] | None = None) -> str:
        return self.git_bytes(*words, given=given, more=more).decode().strip()

    def git_bytes(
        self, *words: str, given: bytes = b"", more: dict[str, str] | None = None
    ) -> bytes:
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_DIR": str(self.git_dir),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{f"GIT_{who}_NAME": "GitHub" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "noreply@github.com" for who in ("AUTHOR", "COMMITTER")},
            **(more or {}),
        }
        done = subprocess.run(
            ["git", *words], env=environment, input=given, capture_output=True, check=False
        )
        if done.returncode:
            raise Unprocessable(done.stderr.decode(errors="replace"))
        return done.stdout

    def user(self, login: str) -> Json:
        kind = "Bot" if login.endswith("[bot]") else "User"
        return {"login": login, "id": 583231 + len(login), "type": kind, "site_admin": False}

    def issue(self, number: int, body: str, login: str, **more: Any) -> Json:
        """Open an issue, or edit the body of the one that is there."""
        if number in self.issues:
            self.issues[number]["body"] = body
            return self.issues[number]
        self.issues[number] = {
            "number": number,
            "title": "[leaf]",
            "body": body,
            "state": "open",
            "user": self.user(login),
            "labels": [],
            "author_association": "NONE",
            "created_at": "2026-11-01T00:00:00Z",
            "updated_at": "2026-11-01T00:00:00Z",
            **more,
        }
        return self.issues[number]

    def pull(self, number: int, head: str, login: str = "ada", **more: Any) -> Json:
        """Open a pull request from a fork; ``branch`` and ``paths`` may be given."""
        branch, paths = more.pop("branch", f"work-{number}"), more.pop("paths", [])
        fork = more.pop("fork", f"{login}/garden")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        created = more.pop("created_at", now)
        labels = [{"name": name} for name in more.pop("labels", [])]
        self.issue(number, "", login, pull_request={}, labels=labels)
        self.pulls[number] = {
            "number": number,
            "title": f"Pull request {number}",
            "body": "",
            "state": "open",
            "draft": False,
            "merged_at": None,
            "user": self.user(login),
            "author_association": "CONTRIBUTOR",
            "head": {
                "ref": branch,
                "sha": head,
                "repo": {"full_name": fork},
                "label": f"{fork.split('/')[0]}:{branch}",
            },
            "base": {"ref": "main", "sha": "0" * 40, "repo": {"full_name": self.repository}},
            "created_at": created,
            "updated_at": created,
            **more,
        }
        self.files[number] = [{"filename": path, "status": "added"} for path in paths]
        return self.pulls[number]

    def diff(self, number: int) -> None:
        """Let the pull request's files be those that Git finds between main and its head."""
        span = f"main...{self.pulls[number]['head']['sha']}"
        told = self.git("diff", "--no-renames", "--name-status", "-z", span).split("\0")
        self.files[number] = [
            self._changed(span, letter, path)
            for letter, path in zip(told[::2], told[1::2], strict=False)
        ]

    def _changed(self, span: str, letter: str, path: str) -> Json:
        """One file as GitHub lists it; it shows no patch of a large or binary one."""
        words = {"A": "added", "D": "removed"}
        head = self.git("rev-parse", f"{span.split('...')[1]}^{{commit}}")
        sha = "" if letter == "D" else self.git("rev-parse", f"{head}:{path}")
        found = {"filename": path, "status": words.get(letter, "modified"), "sha": sha}
        whole = self.git_bytes("diff", "--no-renames", span, "--", f":(literal){path}").decode()
        patch = whole[whole.find("\n@@ ") + 1 :] if "\n@@ " in whole else ""
        if patch and patch.count("\n") <= 20_000:
            found["patch"] = patch.removesuffix("\n")
        return found

    def said(self, number: int, login: str = BOT) -> list[str]:
        """The comments of one person, in order."""
        found = self.comments.get(number, [])
        return [one["body"] for one in found if one["user"]["login"] == login]

    def labels(self, number: int) -> set[str]:
        return {label["name"] for label in self.issues[number]["labels"]}

    def add_comment(self, number: int, login: str, body: str) -> Json:
        self.ids += 1
        made = {
            "id": self.ids,
            "user": self.user(login),
            "body": body,
            "created_at": "2026-11-01T00:00:00Z",
        }
        self.comments.setdefault(number, []).append(made)
        return made

    def counted(self, method: str, pattern: str) -> int:
        return sum(m == method and bool(re.search(pattern, path)) for m, path in self.asked)

    # --- the endpoints: (method, pattern) → answer

    def repo(self, _: Json) -> Json:
        return {"full_name": self.repository, "default_branch": "main", "private": False}

    def get_issue(self, _: Json, number: str) -> Json:
        return self._issue(number)

    def list_issues(self, query: Json) -> list[Json]:
        wanted = {name for name in query.get("labels", "").split(",") if name}
        return [one for n, one in sorted(self.issues.items()) if wanted <= self.labels(n)]

    def new_issue(self, body: Json) -> Json:
        number = max([0, *self.issues]) + 1
        labels = [{"name": name} for name in body.get("labels", [])]
        return self.issue(number, body["body"], BOT, title=body["title"], labels=labels)

    def get_comments(self, _: Json, number: str) -> list[Json]:
        self._issue(number)
        return self.comments.get(int(number), [])

    def new_comment(self, body: Json, number: str) -> Json:
        self._issue(number)
        if len(body["body"]) > 65_536 or not body["body"].strip():
            raise Unprocessable("body is too long (maximum is 65536 characters)")
        return self.add_comment(int(number), BOT, body["body"])

    def edit_comment(self, body: Json, comment: str) -> Json:
        for one in (one for found in self.comments.values() for one in found):
            if one["id"] == int(comment):
                one["body"] = body["body"]
                return one
        raise Missing

    def add_labels(self, body: Json, number: str) -> list[Json]:
        there = self._issue(number)["labels"]
        known = self.labels(int(number))
        there += [{"name": name} for name in body["labels"] if name not in known]
        return list(there)

    def remove_label(self, _: Json, number: str, name: str) -> list[Json]:
        there = self._issue(number)["labels"]
        if name not in self.labels(int(number)):
            raise Missing
        there[:] = [label for label in there if label["name"] != name]
        return list(there)

    def permission(self, _: Json, login: str) -> Json:
        return {"permission": self.permissions.get(login, "read"), "user": self.user(login)}

    def list_pulls(self, query: Json) -> list[Json]:
        state, head = query.get("state", "open"), query.get("head", "")
        return [
            self._pull(str(number))
            for number, pull in sorted(self.pulls.items(), reverse=True)
            if state in ("all", pull["state"]) and head in ("", pull["head"]["label"])
        ]

    def get_pull(self, _: Json, number: str) -> Json:
        return self._pull(number)

    def pull_files(self, _: Json, number: str) -> list[Json]:
        if int(number) in self.too_large:
            raise Unprocessable("Sorry, this diff is taking too long to generate.")
        return self.files[int(number)]

    def pull_reviews(self, _: Json, number: str) -> list[Json]:
        return self.reviews.get(int(number), [])

    def new_pull(self, body: Json) -> Json:
        owner = self.repository.split("/")[0]
        if self.list_pulls({"head": f"{owner}:{body['head']}"}):
            raise Unprocessable("A pull request already exists")
        number = max([0, *self.issues]) + 1
        more = {name: body[name] for name in ("title", "body", "draft")}
        sha = self._ref(f"heads/{body['head']}")
        self.pull(number, sha, BOT, branch=body["head"], fork=self.repository, **more)
        self.diff(number)
        self.issues[number]["body"] = body["body"]
        return self._pull(str(number))

    def commit_pulls(self, _: Json, sha: str) -> list[Json]:
        return [self._pull(str(number)) for number in self.commits.get(sha, [])]

    def new_check_run(self, body: Json) -> Json:
        self.check_runs.append(body)
        return {"id": len(self.check_runs), **body}

    def workflow(self, _: Json, name: str) -> Json:
        return {"id": sum(name.encode()), "path": f".github/workflows/{name}", "state": "active"}

    def a_run(self, _: Json, number: str) -> Json:
        night = {"workflow_id": 1, "head_branch": "main", "event": "schedule"}
        told = {"id": int(number), "head_repository": {"id": 1}, **night}
        return {**told, **self.runs.get(int(number), {})}

    def dispatch(self, body: Json, workflow: str) -> None:
        self._ref(f"heads/{body['ref']}")
        self.dispatched.append({"workflow": int(workflow), **body})

    def new_tag(self, body: Json) -> Json:
        """An annotated tag as an object; nothing names it yet."""
        who = "GitHub <noreply@github.com> 1767225600 +0000"
        head = f"object {body['object']}\ntype {body['type']}\ntag {body['tag']}\ntagger {who}"
        return {
            "sha": self.git("mktag", given=f"{head}\n\n{body['message'].strip()}\n".encode()),
            **body,
        }

    def get_ref(self, _: Json, name: str) -> Json:
        sha = self._ref(name)
        kind = self.git("cat-file", "-t", sha)
        return {"ref": f"refs/{name}", "object": {"type": kind, "sha": sha}}

    def new_ref(self, body: Json) -> Json:
        self.git("update-ref", body["ref"], body["sha"], "0" * 40)
        return {"ref": body["ref"], "object": {"type": "commit", "sha": body["sha"]}}

    def move_ref(self, body: Json, branch: str) -> Json:
        now = self._ref(f"heads/{branch}")
        if self.git("merge-base", now, body["sha"]) != now:
            raise Unprocessable("Update is not a fast forward")
        self.git("update-ref", f"refs/heads/{branch}", body["sha"], now)
        return {"ref": f"refs/heads/{branch}", "object": {"type": "commit", "sha": body["sha"]}}

    def get_commit(self, _: Json, sha: str) -> Json:
        told = self.git("show", "-s", "--format=%T%n%cI%n%B", sha)
        tree, date, message = told.split("\n", 2)
        who = {"name": "GitHub", "email": "noreply@github.com", "date": date}
        return {"sha": sha, "tree": {"sha": tree}, "message": message, "committer": who}

    def list_commits(self, query: Json) -> list[Json]:
        since = [f"--since={query['since']}"] if "since" in query else []
        told = self.git("log", "--format=%H", *since, query["sha"], "--", query["path"])
        return [{"sha": sha} for sha in told.splitlines()]

    def a_commit(self, _: Json, ref: str) -> Json:
        try:
            sha = self.git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        except Unprocessable:
            raise Unprocessable(f"No commit found for SHA: {ref}") from None
        date = self.git("show", "-s", "--format=%cI", sha)
        return {"sha": sha, "commit": {"committer": {"date": date}}}

    def contents(self, query: Json, path: str) -> Json:
        try:
            data = self.git_bytes("show", f"{query['ref']}:{path}")
        except Unprocessable:
            raise Missing from None
        content = base64.encodebytes(data).decode()
        return {"path": path, "encoding": "base64", "content": content, "sha": ""}

    def get_blob(self, _: Json, sha: str) -> Json:
        try:
            data = self.git_bytes("cat-file", "blob", sha)
        except Unprocessable:
            raise Missing from None
        content = base64.encodebytes(data).decode()
        return {"sha": sha, "size": len(data), "encoding": "base64", "content": content}

    def new_blob(self, body: Json) -> Json:
        data = base64.b64decode(body["content"])
        return {"sha": self.git("hash-object", "-w", "--stdin", given=data)}

    def new_tree(self, body: Json) -> Json:
        index = {"GIT_INDEX_FILE": str(self.git_dir / f"index-{threading.get_ident()}")}
        self.git("read-tree", body["base_tree"], more=index)
        for entry in body["tree"]:
            if entry["sha"] is None:
                self.git("rm", "--cached", "--quiet", "--", entry["path"], more=index)
                continue
            info = f"{entry['mode']},{entry['sha']},{entry['path']}"
            self.git("update-index", "--add", "--cacheinfo", info, more=index)
        return {"sha": self.git("write-tree", more=index)}

    def new_commit(self, body: Json) -> Json:
        author = {f"GIT_AUTHOR_{key.upper()}": value for key, value in body["author"].items()}
        parents = [word for sha in body["parents"] for word in ("-p", sha)]
        given = body["message"].encode()
        return {"sha": self.git("commit-tree", body["tree"], *parents, given=given, more=author)}

    def _issue(self, number: str) -> Json:
        if int(number) not in self.issues:
            raise Missing
        return self.issues[int(number)]

    def _pull(self, number: str) -> Json:
        if int(number) not in self.pulls:
            raise Missing
        return {**self.pulls[int(number)], "labels": self._issue(number)["labels"]}

    def _ref(self, name: str) -> str:
        """``heads/NAME`` or ``tags/NAME``."""
        try:
            return self.git("rev-parse", "--verify", "--quiet", f"refs/{name}")
        except Unprocessable:
            raise Missing from None
