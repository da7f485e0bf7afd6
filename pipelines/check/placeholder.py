"""Rule `placeholder`: what a form or an example left to be filled in has been filled in."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from pipelines.check.about import About
from pipelines.check.passages import (
    MOST,
    Passage,
    attribution,
    documents,
    folded_text,
    place,
    values,
)
from pipelines.check.policy import Policy
from pipelines.check.subject import LeafRule, LeafSubject
from pipelines.findings import Finding
from pipelines.schemas import describe, show
from pipelines.text import normalise

# Nobody means these, whatever field they fill: dots, and words that say "later".
_WHOLE = re.compile(
    r"(?:…|\.\.\.)+[.?]?|(?:[^\W\d_]+ )(?:…|\.\.\.)\?"
    r"|(?:todo|tbd|tba|fixme|xxx+|placeholder|fill me in|fill this in|to be filled in|changeme)\W*"
    r"|(?:TODO|TBD|FIXME):.*"
    r"|(?:your|insert|enter|add|write) (?:question|answer|context|text|name|description)"
    r"(?: (?:text|goes))?(?: here)?\W*"
    r"|lorem ipsum dolor\b.*",
    re.IGNORECASE | re.DOTALL,
)
# Angle brackets around what is wanted, as in <your-github-name>. Markup such as <div> is none.
_BRACKETS = re.compile(
    r"<(?:(?:your|insert|enter|add|fill|replace|put|todo)[ _-][^<>\n]{1,80}"
    r"|(?:(?:full|the|a|an)[ _-])?(?:question|answer|context|commit|sha|repo|repository|author|creator"
    r"|licence|license|title|user-?name|github[ _-]?(?:user-?)?name|domain|description)"
    r"(?:[ _-](?:text|hash|sha|url|id|name|here))?)>",
    re.IGNORECASE,
)
# The examples of CONTRIBUTING.md and of the forms, and InstructLab's; normalised.
_EXAMPLES = frozenset(
    normalise(text)
    for text in (
        "your-github-name",
        "your-github-username",
        "your_github_username",
        "your username",
        "github username",
        "One to four sentences, copied letter by letter from the document beside this file. "
        "Line breaks may differ.",
        "One line that says what the document covers.",
        "Your question here",
        "Your answer here",
    )
)
_BEGINNINGS = frozenset(text[:4] for text in _EXAMPLES)
_LONGEST_EXAMPLE = 160
_DOCUMENT_LINE = re.compile(
    r"^[ \t]*(?:(?:TODO|TBD|FIXME)[ \t]*$|(?i:lorem ipsum dolor)\b)", re.MULTILINE
)
_IN_DOCUMENTS = ("todo", "tbd", "fixme", "lorem")
_FIELD = re.compile(r"^[ \t]*[A-Za-z ]{4,30}:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)


def check(leaf: LeafSubject, policy: Policy) -> Iterator[Finding]:
    """Yield a finding for each text that is a placeholder, or whose short field holds one."""
    yield from itertools.islice(_placeholders(leaf), MOST)


def _placeholders(leaf: LeafSubject) -> Iterator[Finding]:
    for passage in values(leaf):
        found = _found(passage.text, short=passage.at is not None and _is_short(passage.at))
        if found:
            message = f"{describe(passage.at or ())} is still the placeholder {show(found)}."
            yield _finding(leaf, passage, 0, message)
    credit = attribution(leaf)
    for match in _FIELD.finditer(credit.text) if credit else ():
        found = _found(match[1], short=True)
        if credit and found:
            message = f"The placeholder {show(found)} is still in the attribution."
            yield _finding(leaf, credit, match.start(1), message)
    folded = folded_text(leaf)
    for document in documents(leaf) if any(word in folded for word in _IN_DOCUMENTS) else ():
        for match in _DOCUMENT_LINE.finditer(document.text):
            message = f"The placeholder {show(match[0].strip())} is still in the document."
            start = match.end() - len(match[0].lstrip())
            yield _finding(leaf, document, start, message)


def _is_short(at: tuple[str | int, ...]) -> bool:
    """Fields that never speak *about* a placeholder, so that one within them was left in."""
    return bool(at) and at[0] in ("created_by", "domain", "document")


def _found(text: str, *, short: bool) -> str:
    """The placeholder that a text is, or that stands in it; "" where there is none."""
    stripped = text.strip()
    if _WHOLE.fullmatch(stripped):
        return stripped
    begins = stripped[:4].casefold() in _BEGINNINGS and len(stripped) <= _LONGEST_EXAMPLE
    if begins and normalise(stripped) in _EXAMPLES:
        return stripped
    if "<" not in stripped:
        return ""
    inner = _BRACKETS.search(stripped) if short else _BRACKETS.fullmatch(stripped.rstrip(".?!"))
    return inner[0] if inner else ""


def _finding(leaf: LeafSubject, passage: Passage, offset: int, message: str) -> Finding:
    where = place(leaf, passage, offset)
    if passage.at is not None and leaf.source is not None:
        where = leaf.source.value_at(passage.at)
    return Finding("placeholder", "error", passage.path, *where, message, "Fill it in.")


RULE = LeafRule(
    check,
    About(
        "error",
        "No placeholder of a form or an example is left: `…`, `TODO`, `<your-name>`, lorem ipsum.",
        "Fill it in, or delete it.",
    ),
)
