"""The browser for transcripts: exam results in, a table for each leaf out, folded.

Every row can be read without the script; it only adds filters and a search (report.js). An exam may
have 25,000 items, so that the markup is terse: the head of a table names the columns, and a phone
gets them by style. Words of an answer that are not expected are underlined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.records import ItemResult
from pipelines.report import view
from pipelines.report.escape import html_text, one_line
from pipelines.report.inputs import ReportInput
from pipelines.text import tokens

WORD = re.compile(r"\S+|\s+")
COLUMNS = ("", "Question", "Expected", "Base", "Previous", "Candidate")
CLASSES = {
    "won": " class=won",
    "lost": " class=lost",
    "same": "",
    "leaked, not counted": " class=leaked",
}
CONTROLS = """<form class="controls" id="filters" hidden role="search" aria-label="Transcripts">
<label>Search <input id="search" type="search" autocomplete="off"></label>
<label>Answers <select id="outcome"><option value="">all</option><option value="won">won</option>
<option value="lost">lost</option><option value="same">the same</option>
<option value="leaked">leaked</option></select></label>
<label>Leaves <select id="role"><option value="">all</option><option value="changed">changed</option>
<option value="panel">earlier</option></select></label>
<p id="found" role="status"></p></form>"""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is shown: characters of a text, items of a leaf whose answers did not change sides."""

    text: int
    same: int


# Tried in turn until the page is small enough to be opened and passed on.
AMOUNTS = (
    Amount(4000, 10_000),
    Amount(600, 10_000),
    Amount(160, 10_000),
    Amount(60, 20),
    Amount(40, 2),
)


def transcripts(report: ReportInput, amount: Amount) -> Iterator[str]:
    """Heading, controls and one folded table a leaf."""
    groups: dict[tuple[str, str], list[ItemResult]] = {}
    for one in view.items_in_order(report.items):
        groups.setdefault((one.item.role, one.item.leaf), []).append(one)
    if not groups:
        return
    yield "<h2>Transcripts</h2>"
    yield (
        "<p>Won: the candidate is right where the previous release was wrong; lost: the other way "
        "round. <u>Underlined</u>: words that are not in the expected answer. =: as the answer "
        "before it.</p>"
    )
    yield CONTROLS
    for (role, leaf), items in sorted(groups.items()):
        yield from _leaf(leaf, role, items, report.why, amount)


def _leaf(
    leaf: str, role: str, items: list[ItemResult], why: Mapping[str, str], amount: Amount
) -> Iterator[str]:
    counts = [sum(view.flip_word(one) == word for one in items) for word in ("won", "lost")]
    same = [one for one in items if view.flip_word(one) == "same"]
    left_out = {one.item.id for one in same[amount.same :]}
    name = html_text(one_line(leaf, 300))
    yield (
        f'<details class="leaf {role}"><summary><bdi>{name}</bdi> ({role}, {len(items)} items, '
        f"{counts[0]} won, {counts[1]} lost)</summary>"
    )
    head = "".join(f'<th scope="col">{column or "Result"}</th>' for column in COLUMNS)
    yield f"<table class=items><caption>{name}</caption><thead><tr>{head}</tr></thead><tbody>"
    for one in items:
        if one.item.id not in left_out:
            yield _item(one, why.get(one.item.id, ""), amount.text)
    yield "</tbody></table>"
    if left_out:
        yield (
            f"<p>… and {len(left_out)} more whose answers did not change sides; "
            "evaluation/items.jsonl in the run's folder has them all.</p>"
        )
    yield "</details>"


def _item(one: ItemResult, why: str, limit: int) -> str:
    word = view.flip_word(one)
    notes = [word, *(["by the teacher"] if one.item.synthetic else []), *([why] if why else [])]
    expected = set(tokens(one.item.reference[:limit]))
    base = _answer(one.base, expected, limit)
    previous = "=" if one.previous == one.base else _answer(one.previous, expected, limit)
    now = "=" if one.candidate == one.previous else _answer(one.candidate, expected, limit)
    texts = (html_text(one.item.prompt, limit), html_text(one.item.reference, limit))
    # HTML lets the end tags of cells and rows be left out, and an unquoted class.
    cells = "<td>".join(("; ".join(notes), *texts, base, previous, now))
    return f"<tr{CLASSES[word]}><td>{cells}"


def _answer(text: str, expected: set[str], limit: int) -> str:
    """The answer, with runs of words that are not expected underlined."""
    shown = html_text(text.strip()[: 2 * limit], limit)
    if not shown:
        return view.EMPTY_ANSWER
    if not set(tokens(text[:limit])) - expected:
        return shown
    if not set(tokens(text[:limit])) & expected:
        return f"<u>{shown}</u>"
    return _marked(text.strip()[: 2 * limit], expected, limit)


def _marked(text: str, expected: set[str], limit: int) -> str:
    parts: list[tuple[bool, str]] = []
    for word in WORD.findall(view.shown(text, limit)):
        strange = bool(word.strip()) and not set(tokens(word)) <= expected
        if parts and (parts[-1][0] == strange or not word.strip()):
            parts[-1] = (parts[-1][0], parts[-1][1] + word)
        else:
            parts.append((strange, word))
    return "".join(
        f"<u>{html_text(part)}</u>" if strange else html_text(part) for strange, part in parts
    )
