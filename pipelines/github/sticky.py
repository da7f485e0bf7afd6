"""One comment of ours on an issue, written anew in place: a hidden first line says which one it is.

In: a number, a name, facts and Markdown. Out: the comment there, made or edited. A comment is ours where
its *author* is our own login and its first line is our mark; what others write, and what we quote of them
further down, is never taken for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.github.api import GitHub

LONGEST = 65_000  # characters; GitHub takes 65,536
_MARK = re.compile(r"<!-- graft:(?P<name>[a-z]+)(?P<facts>(?: [a-z_]+=[\w./:+-]*)*) -->")
_FACT = re.compile(r"[\w./:+-]*")


@dataclass(frozen=True, slots=True)
class Sticky:
    """A comment that is there, and the facts in its first line."""

    id: int
    facts: Mapping[str, str]
    body: str


def find(github: GitHub, number: int, name: str) -> Sticky | None:
    """Our comment of that name; the oldest, should there be several."""
    for comment in github.comments(number):
        if comment.author == github.bot:
            found = _MARK.fullmatch(comment.body.split("\n", 1)[0].rstrip("\r"))
            if found is not None and found["name"] == name:
                facts = dict(fact.split("=", 1) for fact in found["facts"].split())
                return Sticky(comment.id, facts, comment.body)
    return None


def put(
    github: GitHub, number: int, name: str, body: str, facts: Mapping[str, str] | None = None
) -> None:
    """Write it, in place where it is there."""
    write(github, number, find(github, number, name), whole(name, body, facts or {}))


def write(github: GitHub, number: int, there: Sticky | None, whole: str) -> None:
    """Edit the comment that was found, or make it; what says the same already is left alone."""
    if there is None:
        github.comment(number, whole)
    elif there.body.replace("\r\n", "\n") != whole:
        github.edit_comment(there.id, whole)


def whole(name: str, body: str, facts: Mapping[str, str]) -> str:
    """The comment's text: its mark with the facts, then the body, cut to what GitHub takes."""
    for key, value in facts.items():
        if not _FACT.fullmatch(value):
            raise ValueError(f"the fact {key} would break the mark")
    line = " ".join([f"graft:{name}", *(f"{key}={value}" for key, value in facts.items())])
    text = f"<!-- {line} -->\n{body}"
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST].rsplit("\n", 1)[0] + "\n\n… (cut: too long for a comment)\n"
