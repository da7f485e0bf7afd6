"""``/graft …`` in a comment on a pull request → who may, at which commit, and what is done or handed on.

In: an ``issue_comment`` event. Out: ``Asked``, for the jobs that follow (``precheck`` and ``preview``), or an
answer at once (``trace``, ``veto``). Whether its author may is asked of GitHub now, never of the event; a
command that is edited in later counts for nothing; and what is run is bound to the commits that were the
heads when it was looked at. A commit named in the command must be that head.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import GraftError
from pipelines.github import sticky
from pipelines.github.api import GitHub, NewCommit, Pull, event_number
from pipelines.github.client import NotThere
from pipelines.report.escape import markdown_fence, markdown_inline
from pipelines.vetoes import LONGEST_REASON

PREFIX = "/graft"
MOST_PULLS = 10
HELP = (
    "`/graft precheck` · `/graft preview [#NUMBER …] [COMMIT]` · `/graft trace LEAF` · "
    "`/graft veto ROW why`"
)
_NUMBER = re.compile(r"#?(\d{1,9})")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_ROW = re.compile(r"[0-9a-f]{8,32}")

# What a row or a leaf came from: as JSON, and as text.
Trace = Callable[[str], tuple[Mapping[str, Any], str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the following jobs do: ``command`` "" for nothing; ``heads`` as (number, commit)."""

    command: str = ""
    heads: tuple[tuple[int, str], ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Counter:
    """Where commands are taken. ``veto_file``: the path of vetoes.jsonl in the repository."""

    github: GitHub
    trace: Trace
    veto_file: str


@dataclass(frozen=True, slots=True)
class _Command:
    """One command by a person with the right, on an open pull request."""

    login: str
    pull: Pull
    words: list[str]


def handle(counter: Counter, event: Mapping[str, Any]) -> Asked:
    """Do it, or say to the following jobs what to do; what is refused is answered, or passed over."""
    comment = event.get("comment")
    issue = event.get("issue")
    if event.get("action") != "created" or not isinstance(comment, dict):
        return Asked(said="No new comment; nothing to do.")
    lines = str(comment.get("body") or "").splitlines()
    words = lines[0].split() if lines else []
    if (
        not words
        or words[0] != PREFIX
        or not isinstance(issue, dict)
        or "pull_request" not in issue
    ):
        return Asked(said="No command on a pull request; nothing to do.")
    number = event_number(event, "issue")
    login = str((comment.get("user") or {}).get("login") or "")
    if not counter.github.may_write(login):
        # No answer: whoever may do nothing here shall not make this program write, either.
        return Asked(said=f"#{number}: the author of the comment may not write here; passed over.")
    try:
        pull = counter.github.pull(number)
        if not pull.open:
            raise GraftError("The pull request is closed.")
        name = words[1] if len(words) > 1 else ""
        if name not in COMMANDS:
            raise GraftError(f"There is no command of that name. There are: {HELP}")
        return COMMANDS[name](counter, _Command(login, pull, words[2:]))
    except GraftError as error:
        text = markdown_inline(str(error), 600) if HELP not in str(error) else str(error)
        counter.github.comment(number, f"<!-- graft:command -->\n{text}\n")
        return Asked(said=f"#{number}: refused; the pull request says why.")


def write_outputs(asked: Asked, path: Path) -> None:
    """GITHUB_OUTPUT: each value between delimiters that nobody can guess."""
    heads = " ".join(f"{number}:{commit}" for number, commit in asked.heads)
    with path.open("a", encoding="utf-8") as file:
        for name, value in (("command", asked.command), ("heads", heads)):
            end = f"end-{secrets.token_hex(16)}"
            file.write(f"{name}<<{end}\n{value}\n{end}\n")


# --- the commands --------------------------------------------------------------------------------


def _precheck(counter: Counter, command: _Command) -> Asked:
    _bound(command.pull, command.words)
    heads = ((command.pull.number, command.pull.head),)
    return Asked("precheck", heads, f"#{command.pull.number}: precheck of {command.pull.head}.")


def _preview(counter: Counter, command: _Command) -> Asked:
    """This pull request and others, in one batch; each must have passed its checks as it stands."""
    numbers = [command.pull.number]
    commits = []
    for word in command.words:
        # Seven digits and more are the beginning of a commit unless a # says otherwise.
        if _NUMBER.fullmatch(word) and (word.startswith("#") or len(word) < 7):
            numbers.append(int(word.removeprefix("#")))
        else:
            commits.append(word)
    _bound(command.pull, commits)
    numbers = list(dict.fromkeys(numbers))
    if len(numbers) > MOST_PULLS:
        raise GraftError(f"A batch holds at most {MOST_PULLS} pull requests.")
    heads = []
    for number in numbers:
        try:
            pull = command.pull if number == command.pull.number else counter.github.pull(number)
        except NotThere:
            raise GraftError(f"There is no pull request {number}.") from None
        if not pull.open:
            raise GraftError(f"Pull request {number} is closed.")
        report = sticky.find(counter.github, number, "report")
        facts = report.facts if report else {}
        if facts.get("head") != pull.head or facts.get("checks") != "pass":
            raise GraftError(
                f"The checks of pull request {number} have not passed at {pull.head[:10]}, its newest "
                "commit; a preview comes after them."
            )
        heads.append((number, pull.head))
    told = " ".join(f"#{number}" for number, _ in heads)
    return Asked("preview", tuple(heads), f"A preview of {told}.")


def _bound(pull: Pull, commits: list[str]) -> None:
    """A commit that is named must be the head: the person read that one and no later one."""
    for commit in commits:
        if not _COMMIT.fullmatch(commit):
            raise GraftError(f"{commit[:40]} is neither a commit nor a pull request.")
        if not pull.head.startswith(commit):
            raise GraftError(
                f"The newest commit is {pull.head[:10]} and not {commit[:10]}: look at what was pushed "
                "since, and ask again."
            )


def _trace(counter: Counter, command: _Command) -> Asked:
    if len(command.words) != 1:
        raise GraftError("Write /graft trace and the path of one leaf, or the id of a row.")
    _, text = counter.trace(command.words[0])
    body = f"What is kept of it:\n\n{markdown_fence(text, 20_000)}\n"
    counter.github.comment(command.pull.number, f"<!-- graft:command -->\n{body}")
    return Asked(said=f"#{command.pull.number}: traced.")


def _veto(counter: Counter, command: _Command) -> Asked:
    """A line of vetoes.jsonl on a branch of its own, and a pull request: a second person merges it."""
    row, reason = command.words[0] if command.words else "", " ".join(command.words[1:])
    if not _ROW.fullmatch(row) or not reason or len(reason) > LONGEST_REASON:
        raise GraftError("Write /graft veto, the id of a row, and why nobody may be taught it.")
    if not reason.isprintable():
        raise GraftError("The reason holds a character that cannot be shown.")
    found, _ = counter.trace(row)
    line = {"row": found["row"], "leaf": found["leaf"] or "", "reason": reason, "by": command.login}
    github = counter.github
    base = github.default_branch()
    start = github.head(base)
    if start is None:
        raise GraftError(f"The branch {base} has no commit yet.")
    there = github.file(counter.veto_file, start.sha)
    if f'"{found["row"]}"'.encode() in there:
        raise GraftError("This row is vetoed already.")
    text = there + (b"" if not there or there.endswith(b"\n") else b"\n")
    text += json.dumps(line, ensure_ascii=False).encode() + b"\n"
    branch = f"graft/veto-{str(found['row'])[:12]}"
    title = f"Veto the row {str(found['row'])[:12]}"
    author = github.user(command.login)
    message = f"{title}\n\nAsked for on #{command.pull.number}.\n\n"
    message += f"Signed-off-by: {author.login} <{author.address}>\n"
    new = NewCommit(branch, start.sha, message, author, {counter.veto_file: text})
    if github.head(branch) is None:
        github.commit(new, start.tree, fresh=True)
    told = (
        f"Asked for by {command.login} on #{command.pull.number}: {markdown_inline(reason, 500)}\n"
    )
    number = github.open_pull(title, branch, base, told)
    github.comment(
        command.pull.number, f"<!-- graft:command -->\nThe veto is pull request #{number}.\n"
    )
    return Asked(said=f"#{command.pull.number}: the veto is #{number}.")


COMMANDS: dict[str, Callable[[Counter, _Command], Asked]] = {
    "precheck": _precheck,
    "preview": _preview,
    "trace": _trace,
    "veto": _veto,
}
