"""The report as Markdown: records in, a pull request's comment or the summary of a job out.

GitHub refuses a comment above 65,536 characters and drops a summary above 1,024 kB whole, so long
sections are shortened step by step, and each says how much of it was left out; the HTML report has
everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pipelines.records import ItemResult, LeafScore
from pipelines.report import author, scores, view
from pipelines.report.escape import (
    markdown_code,
    markdown_fence,
    markdown_inline,
    markdown_summary,
)
from pipelines.report.inputs import ReportInput
from pipelines.report.view import Table

BUDGET = 60_000  # characters of a comment
SUMMARY_BUDGET = 1_000_000  # bytes of a job's summary
BAR_WIDTH = 10
EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of each section is shown: table rows, examples, characters of a cell and a text."""

    rows: int
    examples: int
    cell: int
    text: int


STEPS = (
    Limits(100, 12, 200, 1000),
    Limits(50, 8, 160, 500),
    Limits(20, 5, 120, 300),
    Limits(10, 3, 100, 200),
    Limits(3, 1, 60, 100),
)
SUMMARY_STEPS = (Limits(1000, 200, 400, 2000), Limits(500, 50, 200, 1000), *STEPS)


def markdown(report: ReportInput) -> str:
    """The comment; ends with a newline."""
    return _fitting(report, STEPS, lambda text: len(text) <= BUDGET)


def summary(report: ReportInput) -> str:
    """The same with more of everything, for ``GITHUB_STEP_SUMMARY``."""
    return _fitting(report, SUMMARY_STEPS, lambda text: len(text.encode()) <= SUMMARY_BUDGET)


def _fitting(report: ReportInput, steps: Sequence[Limits], fits: Callable[[str], bool]) -> str:
    text = ""
    for limits in steps:
        text = _render(report, limits)
        if fits(text):
            break
    return text


def bar(value: float) -> str:
    """A score of 0..1 as a bar of ten characters, in eighths."""
    eighths = round(max(0.0, min(1.0, value)) * BAR_WIDTH * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[part] if part else "")).ljust(BAR_WIDTH, "░")


def _render(report: ReportInput, limits: Limits) -> str:
    blocks = [
        *_verdict(report, limits),
        *_changed(report, limits),
        *_wrong(report, limits),
        *_corrections(report, limits),
        *_panel(report, limits),
        *_all_scores(report, limits),
        *_values(report, limits),
        *_examples(report, limits),
        *_drawn(report, limits),
        *_data(report, limits),
        *_facts(report, limits),
    ]
    return "\n\n".join(blocks) + "\n"


def _verdict(report: ReportInput, limits: Limits) -> list[str]:
    evaluation = report.evaluation
    told = " ".join(markdown_inline(sentence, 600) for sentence in author.opening(report))
    blocks = [f"## Graft: {evaluation.verdict}", told]
    if report.demonstration:
        blocks.append(f"> **A demonstration.** {view.DEMONSTRATION}")
    lines = [f"- {view.VERDICTS[evaluation.verdict]}"]
    lines += [f"- {markdown_inline(reason, 600)}" for reason in evaluation.reasons[: limits.rows]]
    lines += _left_out(len(evaluation.reasons), limits.rows, "- … and {} more reasons.")
    return [*blocks, "\n".join(lines)]


def _changed(report: ReportInput, limits: Limits) -> list[str]:
    leaves = view.leaves_of(report.evaluation, "changed")
    if not leaves:
        return ["### Changed leaves", "No changed leaf has an exam."]
    return [
        "### Changed leaves",
        _scores(leaves, limits),
        view.wins(report.items, "changed"),
        "Token F1; *difference* is candidate less previous release, with its 95 % interval.",
    ]


def _wrong(report: ReportInput, limits: Limits) -> list[str]:
    """Why the wrong answers of the changed leaves are wrong, for their author."""
    table = author.wrong_answers(report)
    if not table.rows:
        return []
    return [
        author.wrong_line(report),
        *_folded(f"{table.title} ({len(table.rows)})", _plain_table(table, limits)),
    ]


def _drawn(report: ReportInput, limits: Limits) -> list[str]:
    table = author.drawn_rows(report, limits.cell - 2)
    if not table.rows:
        return []
    return [
        f"### {table.title}",
        markdown_inline(author.READ, 600),
        *_folded(f"{len(table.rows)} rows", _plain_table(table, limits)),
    ]


def _corrections(report: ReportInput, limits: Limits) -> list[str]:
    table = view.corrections(report)
    return [f"### {table.title}", _plain_table(table, limits)] if table.rows else []


def _values(report: ReportInput, limits: Limits) -> list[str]:
    if report.evaluation.values is None:
        return ["### Values", view.NO_VALUES]
    scores, changes = view.value_scores(report), view.value_changes(report)
    blocks = ["### Values"]
    if scores.rows:
        blocks += [_plain_table(scores, limits), view.VALUES]
    if changes.rows:
        title = f"{changes.title} ({len(changes.rows)})"
        blocks += _folded(title, _plain_table(changes, limits))
    return (
        blocks if len(blocks) > 1 else [*blocks, "No probe decides, and no answer changed sides."]
    )


def _panel(report: ReportInput, limits: Limits) -> list[str]:
    leaves = view.leaves_of(report.evaluation, "panel")
    if not leaves:
        return ["### Earlier leaves", "No earlier leaf has an exam, so there is no panel."]
    fallen = [leaf for leaf in leaves if leaf.verdict == "regressed"]
    blocks = ["### Earlier leaves"]
    if fallen:
        blocks.append(f"**{len(fallen)} of {len(leaves)} regressed:**")
        blocks.append(_scores(fallen, limits))
    pooled = report.evaluation.panel
    if pooled:
        blocks.append(
            f"Panel of {pooled.leaves} leaves, {pooled.items} items: "
            f"{pooled.previous.token_f1:.2f} → {pooled.candidate.token_f1:.2f}, "
            f"difference {view.signed(pooled.difference)} ({view.bounds(pooled.interval)}), "
            f"margin {report.evaluation.margin:.2f}. {view.wins(report.items, 'panel')}"
        )
    return [
        *blocks,
        *_folded("Every earlier leaf, the greatest loss first", _scores(leaves, limits)),
    ]


def _scores(leaves: Sequence[LeafScore], limits: Limits) -> str:
    rows = []
    for leaf in leaves[: limits.rows]:
        now, before = leaf.candidate.token_f1, leaf.previous.token_f1
        arms = [f"{before:.2f} {bar(before)}", f"{now:.2f} {bar(now)}"] if leaf.items else ["", ""]
        rows.append(
            [
                markdown_code(leaf.leaf, limits.cell),
                view.score_text(leaf.base.token_f1, leaf.items),
                *arms,
                f"{view.signed(leaf.difference)} ({view.bounds(leaf.interval)})",
                scores.items_text(leaf),
                leaf.verdict,
            ]
        )
    header = ["Leaf", "Base", "Previous", "Candidate", "Difference", "Items", "Verdict"]
    return _table(header, rows, 1, _left_out(len(leaves), limits.rows, "… and {} more leaves."))


def _all_scores(report: ReportInput, limits: Limits) -> list[str]:
    """Every metric that was measured, and a judge's word."""
    evaluation = report.evaluation
    changed = view.leaves_of(evaluation, "changed")
    told = scores.other_scores(evaluation, changed, "Changed leaves")
    tables = [scores.pooled(evaluation), told, scores.judge_table(evaluation)]
    blocks = ["### Scores", markdown_inline(scores.judge_line(evaluation), 600)]
    for table in tables:
        blocks += _folded(table.title, _plain_table(table, limits)) if table.rows else []
    return blocks


def _examples(report: ReportInput, limits: Limits) -> list[str]:
    flips = [
        one
        for one in view.items_in_order(report.items)
        if view.flipped(one) and not one.item.leaked
    ]
    if not flips:
        return []
    blocks = ["### Answers that changed sides"]
    for one in flips[: limits.examples]:
        title = f"{view.flip_word(one)}: {one.item.question}"
        blocks += _folded(title, markdown_fence(_transcript(one, limits.text), 6 * limits.text))
    return blocks + _left_out(
        len(flips), limits.examples, "… and {} more; the HTML report has them all."
    )


def _transcript(one: ItemResult, limit: int) -> str:
    parts = (
        ("leaf", one.item.leaf),
        (view.asked_by(one), one.item.prompt),
        ("wanted", one.item.reference),
        ("base", one.base),
        ("previous", one.previous),
        ("candidate", one.candidate),
    )
    return "\n".join(
        f"{name}: {text[:limit].strip() or view.EMPTY_ANSWER}" + ("…" if len(text) > limit else "")
        for name, text in parts
    )


def _data(report: ReportInput, limits: Limits) -> list[str]:
    lines = [f"- {markdown_inline(line, 4 * limits.cell)}" for line in view.data_lines(report)]
    blocks = ["### Data card", "\n".join(lines)]
    for table in view.data_card(report):
        blocks += _folded(f"{table.title} ({len(table.rows)})", _plain_table(table, limits))
    return blocks


def _plain_table(table: Table, limits: Limits) -> str:
    header = [markdown_inline(cell, limits.cell) for cell in table.header[:12]]
    rows = [
        [markdown_inline(cell, limits.cell) for cell in row[:12]]
        for row in table.rows[: limits.rows]
    ]
    left_out = _left_out(len(table.rows), limits.rows, "… and {} more rows.")
    return _table(header, rows, table.texts, left_out)


def _facts(report: ReportInput, limits: Limits) -> list[str]:
    facts = list(report.facts.items())[:40]
    rows = [
        [markdown_inline(label, limits.cell), markdown_inline(text, 2 * limits.cell)]
        for label, text in facts
        if not view.is_command(label)
    ]
    blocks = ["### This run", _table(["", ""], rows, 2, [])] if rows else []
    for label, text in facts:
        if view.is_command(label):
            blocks += [f"{markdown_inline(label, limits.cell)}:", markdown_fence(text, 1000)]
    return blocks


def _folded(title: str, body: str) -> list[str]:
    return [f"<details><summary>{markdown_summary(title)}</summary>", body, "</details>"]


def _table(
    header: Sequence[str], rows: Iterable[Sequence[str]], texts: int, after: Sequence[str]
) -> str:
    """Rows of escaped cells; ``after`` follows below the table."""
    align = ["---" if column < texts else "---:" for column in range(len(header))]
    lines = [f"| {' | '.join(row)} |" for row in (header, align, *rows)]
    return "\n".join([*lines, *(f"\n{line}" for line in after)])


def _left_out(total: int, shown: int, sentence: str) -> list[str]:
    return [sentence.format(total - shown)] if total > shown else []
