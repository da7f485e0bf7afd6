"""An issue that was filled in through a form → a draft pull request with its leaf, and an answer.

In: a number, for the issue itself is read anew: an event may be older than its text. Out: a commit on
``graft/issue-N`` by the contributor, signed off, a draft pull request, and one comment on the issue that is
kept up to date. Whatever the issue says is data: it comes into no shell, no path and no log as it is.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.errors import GraftError
from pipelines.findings import Finding
from pipelines.github import sticky
from pipelines.github.api import GitHub, Head, Issue, NewCommit
from pipelines.github.client import Refused
from pipelines.github.contribution import Desk, Made, document_names, make, questions_text
from pipelines.github.form import Form, parse
from pipelines.leaf_files import ROOTS
from pipelines.report.escape import markdown_code, markdown_fence, markdown_inline

NAME = "issue"
_TRAILER = re.compile(r"^Graft-(Issue|Leaf|Documents): (.*)$", re.MULTILINE)
_PATH = re.compile(rf"(?:{'|'.join(ROOTS)})(?:/[\w.-]+)+")
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Office:
    """Where contributions go: ``prefix`` is the taxonomy's folder in the repository, "" at its top."""

    github: GitHub
    forms: Sequence[Form]
    desk: Desk
    prefix: str


@dataclass(frozen=True, slots=True)
class _Branch:
    """What is on the issue's branch; ``ours`` where its last commit is one that was made here."""

    name: str
    head: Head | None
    leaf: str = ""
    documents: tuple[str, ...] = ()
    ours: bool = True


def issue_to_leaf(office: Office, number: int) -> str:
    """Do what the issue asks for; one sentence on what was done, fit for a log."""
    issue = office.github.issue(number)
    if issue.is_pull:
        return f"#{number} is a pull request; nothing to do."
    if not issue.open:
        return f"#{number} is closed; nothing to do."
    filled = parse(issue.body, office.forms)
    if filled is None:
        return f"#{number} was not filled in through a form; nothing to do."
    branch = _branch(office.github, number)
    if branch.head is not None and not branch.ours:
        sticky.put(office.github, number, NAME, _edited_elsewhere(office, branch))
        return f"#{number}: others have committed to {branch.name}; it is left to them."
    if branch.head is not None and _closed(office.github, branch):
        return f"#{number}: its pull request was closed; nothing to do."
    made = make(filled, issue.user.login, office.desk, branch.leaf)
    pull = _published(office, issue, made, branch) if made.fit else 0
    body = _answer(issue, made, pull, filled.kind)
    sticky.put(office.github, number, NAME, body)
    if not made.fit:
        return f"#{number}: no leaf yet; the issue says what is missing."
    return f"#{number}: {made.path} is in pull request #{pull}."


def _branch(github: GitHub, number: int) -> _Branch:
    name = f"graft/issue-{number}"
    head = github.head(name)
    if head is None:
        return _Branch(name, None)
    told = dict(_TRAILER.findall(head.message))
    leaf = told.get("Leaf", "")
    ours = told.get("Issue") == str(number) and _PATH.fullmatch(leaf) is not None
    documents = tuple(one for one in told.get("Documents", "").split() if "/" not in one)
    return _Branch(name, head, leaf if ours else "", documents, ours)


def _closed(github: GitHub, branch: _Branch) -> bool:
    """Whether somebody closed or merged the pull request: an edit opens no second one."""
    states = [pull.open for pull in github.pulls_from(branch.name, "all")]
    return bool(states) and not any(states)


def _published(office: Office, issue: Issue, made: Made, branch: _Branch) -> int:
    """The number of the pull request that now has the leaf."""
    github = office.github
    base = github.default_branch()
    start = branch.head or github.head(base)
    if start is None:
        raise GraftError(f"The branch {base} has no commit yet.")
    gone = set(branch.documents) - set(document_names(made.files))
    files = {
        posixpath.join(office.prefix, made.path, name): data
        for name, data in {**made.files, **dict.fromkeys(gone)}.items()
    }
    verb = "Correct" if made.corrects else "Add"
    title = f"{verb} {made.path}"
    new = NewCommit(branch.name, start.sha, _message(title, issue, made), issue.user, files)
    try:
        github.commit(new, start.tree, fresh=branch.head is None)
    except Refused as error:
        if error.status != 422:
            raise
        raise GraftError(f"{branch.name} moved while this was written; run this again.") from None
    return github.open_pull(title, branch.name, base, _pull_body(issue, made))


def _message(title: str, issue: Issue, made: Made) -> str:
    """A commit's message: no word of the contributor's is in it, so that none can close an issue."""
    names = " ".join(document_names(made.files))
    trailers = [
        f"Graft-Issue: {issue.number}",
        f"Graft-Leaf: {made.path}",
        *([f"Graft-Documents: {names}"] if names else []),
        f"Signed-off-by: {issue.user.login} <{issue.user.address}>",
    ]
    return "\n".join([title, "", f"Filled in as issue #{issue.number}.", "", *trailers]) + "\n"


# --- what is said --------------------------------------------------------------------------------


def _pull_body(issue: Issue, made: Made) -> str:
    lines = [
        f"`{made.path}`, from the form that {markdown_inline(issue.user.login)} filled in as "
        f"#{issue.number}. Its author edits that issue, and this pull request follows.",
        *(
            ["Some questions were proposed by a program; its author is asked to read them."]
            if made.drafted
            else []
        ),
        "The folder was chosen by the words that its neighbours share with it; move it where it belongs.",
        f"Closes #{issue.number}",
    ]
    return "\n\n".join(lines) + "\n"


def _answer(issue: Issue, made: Made, pull: int, kind: str) -> str:
    blocks: list[str] = []
    if pull:
        blocks.append(
            f"Thank you. Your text is now the leaf {markdown_code(made.path)}, in the draft pull request "
            f"#{pull}. To change anything, edit this issue: the pull request follows."
        )
    else:
        blocks.append(
            "Thank you. There is no pull request for this text yet. Mend what stands here by editing this "
            "issue (the three dots above its text, then *Edit*); it is looked at again at once."
        )
    blocks += _list("What has to be mended", [*made.problems, *_told(made.findings, "error")])
    blocks += _list("What a reviewer will look at", _told(made.findings, "warning"))
    blocks += _list("Notes", made.notes)
    if made.drafted and pull:
        blocks += _proposal(made)
    elif pull and kind != "correction":
        blocks.append("A reviewer is next; you need do nothing.")
    return "\n\n".join(blocks) + "\n"


def _told(findings: Sequence[Finding], severity: str) -> list[str]:
    """Findings as sentences; where many say the same, once."""
    said = [f"{one.message} {one.hint}".strip() for one in findings if one.severity == severity]
    return list(dict.fromkeys(said))


def _list(title: str, sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    lines = [f"- {markdown_inline(sentence, 500)}" for sentence in sentences[:_SHOWN]]
    if len(sentences) > _SHOWN:
        lines.append(f"- … and {len(sentences) - _SHOWN} more.")
    return [f"**{title}**", "\n".join(lines)]


def _proposal(made: Made) -> list[str]:
    return [
        "**Questions proposed by a program: please read them**",
        "The text below is what the pull request has. Where a question or an answer is wrong or clumsy, "
        "copy all of it into the field for questions of this issue (*Edit*), mend it there and save. "
        "`C:` is a passage of your document, word for word; `Q:` and `A:` belong to the passage above "
        "them. What stands in the field is taken as yours, and is no longer marked as a proposal.",
        markdown_fence(questions_text(made.drafted), 40_000),
    ]


def _edited_elsewhere(office: Office, branch: _Branch) -> str:
    found = next(iter(office.github.pulls_from(branch.name, "all")), None)
    where = f"pull request #{found.number}" if found else f"the branch `{branch.name}`"
    return (
        f"A reviewer has worked on {where} since, so edits of this issue no longer change it. Please say "
        "there what you would like to be different.\n"
    )
