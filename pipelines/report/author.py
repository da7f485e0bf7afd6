"""What the author of a leaf and a reviewer without statistics read: sentences and tables, unescaped.

In: ``ReportInput``. Out: the two sentences that a report opens with, the wrong answers with their
reasons, and the rows that were drawn to be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipelines.records import ItemResult
from pipelines.report.inputs import ReportInput
from pipelines.report.view import EMPTY_ANSWER, Table, leaves_of
from pipelines.report.why import MEANINGS

NAMED = 3
READ = (
    "Drawn by chance, the same ones each time, from every step that made rows. Read each beside what it "
    "came from. “graft trace ROW” tells all of a row; one that is wrong is vetoed by a line in "
    "vetoes.jsonl (CONTRIBUTING.md, What happens then)."
)


def opening(report: ReportInput) -> tuple[str, str]:
    """What was asked and how many answers are right; what that means. No figure needs explaining."""
    changed = _counted(report, "changed")
    panel = _counted(report, "panel")
    if changed:
        first = (
            f"The model was asked {_questions(changed)} about {_names(report)} that it never saw in "
            f"training: {_right(changed)}."
        )
        return first, f"{_meaning(report)}{_older(panel)}."
    if panel:
        first = (
            f"Nothing that changed could be asked about, so the model was asked {_questions(panel)} "
            f"about what it was taught before: {_right(panel)}."
        )
        return first, f"{_meaning(report)}."
    return (
        "The model was asked nothing, because no leaf has an exam; an exam takes four seed examples.",
        "So nobody can say from this report whether it got better or worse.",
    )


def _counted(report: ReportInput, role: str) -> list[ItemResult]:
    return [one for one in report.items if one.item.role == role and not one.item.leaked]


def _questions(items: Sequence[ItemResult]) -> str:
    return "1 question" if len(items) == 1 else f"{len(items):,} questions"


def _names(report: ReportInput) -> str:
    names = [
        leaf.leaf.rsplit("/", 1)[-1].replace("_", " ")
        for leaf in leaves_of(report.evaluation, "changed")
        if leaf.items
    ]
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _right(items: Sequence[ItemResult]) -> str:
    now, before = _numbers(items)
    return f"{now} {'is' if now == 1 else 'are'} answered right now, {before} before"


def _numbers(items: Sequence[ItemResult]) -> tuple[int, int]:
    return (
        sum(one.candidate_scores.exact_match == 1 for one in items),
        sum(one.previous_scores.exact_match == 1 for one in items),
    )


def _meaning(report: ReportInput) -> str:
    evaluation = report.evaluation
    if evaluation.verdict == "PASS":
        return "So it has learnt from the contribution, and kept what it knew"
    if evaluation.verdict == "REGRESSION":
        return "So something got worse, and this model should not replace the one before"
    if evaluation.changed and evaluation.changed.difference <= 0:
        return "Nothing shows that it has learnt from the contribution"
    return "That is too little to tell whether the contribution helped"


def _older(panel: Sequence[ItemResult]) -> str:
    if not panel:
        return ""
    now, before = _numbers(panel)
    right = f"{now} {'is' if now == 1 else 'are'} right now, {before} before"
    return f"; of {_questions(panel)} about what it was taught earlier, {right}"


def wrong_line(report: ReportInput) -> str:
    """How many answers are wrong for which reason; "" where none is."""
    found = Counter(report.why.values())
    parts = [
        f"{found[reason]} {reason} ({told})" for reason, told in MEANINGS.items() if found[reason]
    ]
    total = sum(found.values())
    many = "1 answer is" if total == 1 else f"{total} answers are"
    return f"{many} wrong: {'; '.join(parts)}. Judged by words alone." if parts else ""


def wrong_answers(report: ReportInput) -> Table:
    """Each wrong answer of a changed leaf, what was expected, and why."""
    order = list(MEANINGS)
    found = [
        (report.why[one.item.id], one)
        for one in report.items
        if one.item.role == "changed" and one.item.id in report.why
    ]
    found.sort(key=lambda pair: (pair[1].item.leaf, order.index(pair[0]), pair[1].item.id))
    rows = tuple(
        (
            one.item.question,
            one.item.reference,
            one.candidate.strip() or EMPTY_ANSWER,
            reason,
            one.item.leaf,
        )
        for reason, one in found
    )
    header = ("Question", "Expected", "Answer now", "Why", "Leaf")
    return Table("Wrong answers and why", header, rows, len(header))


def drawn_rows(report: ReportInput, width: int = 600) -> Table:
    """The rows to be read; of a source ``width`` characters around the answer that it should hold."""
    rows = tuple(
        (
            one.row,
            one.step,
            one.question,
            one.answer,
            around(one.source, one.answer, width),
            f"{one.leaf}: {one.where}",
        )
        for one in report.drawn
    )
    header = ("Row", "Made by", "Question", "Answer", "Source", "Where")
    return Table("Rows to read", header, rows, len(header))


def around(source: str, answer: str, width: int) -> str:
    """At most about ``width`` characters of ``source``, the answer in their middle where it stands there."""
    if len(source) <= width:
        return source
    found = max(0, source.casefold().find(answer.casefold().rstrip(".") or "\0"))
    start = max(0, min(found + len(answer) // 2 - width // 2, len(source) - width))
    end = start + width
    return ("…" if start else "") + source[start:end] + ("…" if end < len(source) else "")
