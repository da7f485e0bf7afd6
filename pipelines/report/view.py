"""What both forms of the report show, worked out once from the records.

In: ``ReportInput``. Out: scores in words, leaves and items in reading order, the tables of the data
card as plain rows. Nothing here is escaped: whoever renders a cell escapes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.records import (
    Evaluation,
    ItemResult,
    LeafScore,
    Pooled,
    ProbeResult,
    ValueResult,
    ValueScore,
)
from pipelines.report.escape import one_line
from pipelines.report.inputs import ReportInput

MINUS = "\N{MINUS SIGN}"
UNKNOWN = (-1.0, 1.0)
DEMONSTRATION = (
    "This student is a tiny demonstration model, trained on the answers of a rule-based teacher. "
    "The figures are measured and show that the machinery works; it is not a useful chatbot."
)
VERDICTS = {
    "PASS": "The changed leaves are better and the earlier ones held.",
    "INCONCLUSIVE": "The exam cannot tell yet, or not everything was shown.",
    "REGRESSION": "Something that was known, or a value of the community, got worse.",
}
EMPTY_ANSWER = "(no answer)"


@dataclass(frozen=True, slots=True)
class Table:
    """Plain cells; the first ``texts`` columns are words, the others are numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


def signed(value: float) -> str:
    """A difference, +0.62 or 0.00, with a real minus sign."""
    text = f"{value:+.2f}".replace("-", MINUS)
    return "0.00" if text[1:] == "0.00" else text


def bounds(interval: tuple[float, float]) -> str:
    """An interval in words; all of -1..1 is what a single context leaves open."""
    if interval == UNKNOWN:
        return "no interval"
    return f"{signed(interval[0])} to {signed(interval[1])}"


def p_text(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def score_text(value: float, items: int) -> str:
    return f"{value:.2f}" if items else "none"


def leaves_of(evaluation: Evaluation, role: str) -> list[LeafScore]:
    """Changed leaves by path; panel leaves with the greatest loss first."""
    found = [leaf for leaf in evaluation.leaves if leaf.role == role]
    if role == "changed":
        return sorted(found, key=lambda leaf: leaf.leaf)
    return sorted(found, key=lambda leaf: (leaf.verdict != "regressed", leaf.difference, leaf.leaf))


def pools(evaluation: Evaluation) -> list[tuple[str, Pooled]]:
    both = (("changed", evaluation.changed), ("earlier", evaluation.panel))
    return [(name, pooled) for name, pooled in both if pooled]


def flipped(result: ItemResult) -> int:
    """1 where the candidate alone is right, -1 where the previous release alone is, else 0."""
    return int(result.candidate_scores.exact_match) - int(result.previous_scores.exact_match)


def flip_word(result: ItemResult) -> str:
    if result.item.leaked:
        return "leaked, not counted"
    return {1: "won", -1: "lost", 0: "same"}[flipped(result)]


def asked_by(result: ItemResult) -> str:
    return "asked by the teacher" if result.item.synthetic else "asked"


def items_in_order(items: Iterable[ItemResult]) -> list[ItemResult]:
    """Losses on the panel first, then what the changed leaves won and lost, then the rest."""

    def key(one: ItemResult) -> tuple[int, int, str, str]:
        flip = 0 if one.item.leaked else flipped(one)
        lost = 0 if flip < 0 and one.item.role == "panel" else 1
        return lost, -abs(flip), one.item.leaf, one.item.id

    return sorted(items, key=key)


def wins(items: Iterable[ItemResult], role: str) -> str:
    """How exact match went among the items that count."""
    flips = [flipped(one) for one in items if one.item.role == role and not one.item.leaked]
    won, same, lost = (flips.count(flip) for flip in (1, 0, -1))
    return f"Exact match: {won} won, {same} the same, {lost} lost."


def corrections(report: ReportInput) -> Table:
    """Each question with a corrected answer, those first whose old one is still there."""

    def row(one: ProbeResult) -> tuple[str, ...]:
        said = (one.previous.strip() or EMPTY_ANSWER, one.candidate.strip() or EMPTY_ANSWER)
        return one.leaf, one.question, one.old, one.new, *said, probe_word(one)

    ordered = sorted(report.evaluation.probes, key=lambda one: (one.gone, not one.known, one.leaf))
    header = ("Leaf", "Question", "Old answer", "New answer", "Previous", "Candidate", "Old one is")
    return Table("Corrected answers", header, tuple(map(row, ordered)), len(header))


def probe_word(one: ProbeResult) -> str:
    """What became of the old answer."""
    if not one.gone:
        return "still there" if one.known else "there"
    return "gone" if one.known else "not there, nor was it before"


NO_VALUES = "The taxonomy has no values.yaml with probes, so nothing was asked about its community's values."
MOST_CHANGES = 100  # of value probes; evaluation.json has them all
VALUES = (
    "Mean score of the probes in values.yaml, 0 to 1, higher is better; difference: candidate less previous "
    "release, with its 95 % interval. Words are counted, nobody judged: docs/evaluation.md says what that "
    "cannot see."
)


def value_scores(report: ReportInput) -> Table:
    """The kinds of value probes, then the principles, those that are worse first."""
    found = report.evaluation.values
    ordered = sorted(found.scores if found else (), key=lambda one: one.verdict != "worse")
    header = (
        "Principle",
        "What it asks",
        "Verdict",
        "Probes",
        "Base",
        "Previous",
        "Candidate",
        "Difference",
        "Flips",
    )
    return Table("Values", header, tuple(map(_value_row, ordered)), 3)


def _value_row(one: ValueScore) -> tuple[str, ...]:
    arms = (one.base, one.previous, one.candidate)
    return (
        one.name,
        one.says,
        one.verdict,
        f"{one.compared}" + (f" of {one.probes}" if one.compared < one.probes else ""),
        *("none" if arm is None else f"{arm:.2f}" for arm in arms),
        f"{signed(one.difference)} ({bounds(one.interval)})",
        f"{one.worse} worse, {one.better} better",
    )


def value_changes(report: ReportInput) -> Table:
    """Each value probe whose answers changed sides or became abusive, the worse first."""

    def row(one: ValueResult) -> tuple[str, ...]:
        title = one.probe.principle.id + ("" if one.probe.decides else " (does not count)")
        said = (_texts(answers) for answers in (one.previous, one.candidate))
        return title, _texts(one.probe.prompts), *said, value_word(one)

    found = report.evaluation.values
    rows = tuple(map(row, found.changed[:MOST_CHANGES] if found else ()))
    header = ("Principle", "Asked", "Previous", "Candidate", "Now")
    return Table("Value probes whose answers changed sides", header, rows, len(header))


def _texts(texts: Sequence[str]) -> str:
    """The questions or answers of one probe, its variants one beside the other."""
    return " / ".join(one_line(text, 600) or EMPTY_ANSWER for text in texts)


def value_word(one: ValueResult) -> str:
    """What became of the answers to a value probe."""
    before, now = one.previous_score or 0.0, one.candidate_score or 0.0
    word = "worse" if now < before else "better" if now > before else "the same"
    return f"{word}: {before:.2f} → {now:.2f}" + (", abusive" if one.abusive else "")


def data_card(report: ReportInput) -> list[Table]:
    """The tables of the data card, those without a row left out."""
    tables = [_changes(report), _composition(report), _ledger(report), _rejects(report)]
    return [table for table in tables if table.rows]


def data_lines(report: ReportInput) -> list[str]:
    """What the data card says in sentences."""
    plan = report.plan
    calls = report.ledger.get("calls", {})
    leaked = sum(one.item.leaked for one in report.items)
    lines = [
        f"Plan: {plan.action}. {plan.reason}",
        f"Compared with {plan.previous or 'no earlier release'}; "
        f"weights continued from {plan.continues or 'the bare base'}.",
        f"Teacher calls: {calls.get('made', 0)} made, {calls.get('reused', 0)} read back.",
        f"Contamination: {leaked} of {len(report.items)} exam items are too close to training "
        "rows; they are shown and left out of every figure.",
    ]
    if plan.retired:
        names = ", ".join(f"{one.leaf} ({one.reason})" for one in plan.retired)
        lines.append(f"No longer taught, though the weights may have seen it: {names}.")
    return lines


def is_command(label: str) -> bool:
    return label.casefold().startswith("command")


def _changes(report: ReportInput) -> Table:
    rows = []
    for change in report.changes.changes:
        seeds = change.seeds
        leaf = change.leaf
        if change.previous_leaf and change.previous_leaf != leaf:
            leaf = f"{leaf} (was {change.previous_leaf})"
        sizes = (len(seeds.added), len(seeds.changed), len(seeds.removed))
        rows.append((leaf, change.status, change.invalidates, *map(str, sizes)))
    header = ("Leaf", "Change", "Invalidates", "Seeds added", "Changed", "Removed")
    return Table("Changes", header, tuple(rows), 3)


def _composition(report: ReportInput) -> Table:
    columns = list(dict.fromkeys(name for row in report.composition.values() for name in row))
    rows = tuple(
        (leaf, *(str(row.get(name, 0)) for name in columns))
        for leaf, row in sorted(report.composition.items())
    )
    return Table("Rows trained on", ("Leaf", *columns), rows)


def _ledger(report: ReportInput) -> Table:
    keys = ("in", "parsed", "unparsed", "failed", "out", "kept", "filtered", "duplicate")
    rows = tuple(
        (str(step["flow"]), str(step["step"]), *(str(step[key]) for key in keys))
        for step in report.ledger.get("steps", ())
    )
    return Table("Ledger", ("Flow", "Step", *(key.capitalize() for key in keys)), rows, 2)


def _rejects(report: ReportInput) -> Table:
    ordered = sorted(report.rejects.items(), key=lambda entry: (-entry[1], entry[0]))
    rows = tuple((reason, str(count)) for reason, count in ordered)
    return Table("Rejected rows", ("Reason", "Rows"), rows)
