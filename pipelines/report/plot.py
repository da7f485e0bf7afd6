"""The before/after plot and the training loss: scores in, a ``Chart`` out.

One row a leaf, labelled above its line so that it can be read on a telephone: a tick for the base,
a ring for the previous release, a disc for the candidate, and about it a bar for the 95 % interval
of the difference. Shapes tell the arms apart; colour only helps.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.records import LeafScore
from pipelines.report import view
from pipelines.report.drawing import LEFT, RIGHT, Chart, Group, Mark, end_of, line, mark, words
from pipelines.report.escape import one_line

TOP, ROW, BOTTOM = 12, 46, 26
LOSS_HEIGHT, POINTS = 110, 120
LABEL = 46  # characters that fit the width


def plot(leaves: Sequence[LeafScore], name: str, title: str) -> Chart:
    """Scores of leaves that have items; ``name`` makes the ids unique in the page."""
    shown = [leaf for leaf in leaves if leaf.items]
    height = TOP + ROW * len(shown) + BOTTOM
    rows = tuple(
        Group(_row(leaf, TOP + ROW * at), _sentence(leaf)) for at, leaf in enumerate(shown)
    )
    told = "; ".join(row.told for row in rows)
    return Chart(name, title, told, height, (Group(_axis(height - BOTTOM)), *rows))


def loss_plot(losses: Sequence[float]) -> Chart:
    """Mean training loss over the steps, as one line of at most ``POINTS`` points."""
    size = -(-len(losses) // POINTS)
    parts = [losses[at : at + size] for at in range(0, len(losses), size)]
    means = [sum(part) / len(part) for part in parts]
    most = max(means) or 1.0
    across = (RIGHT - LEFT) / max(1, len(means) - 1)
    points = " ".join(
        f"{LEFT + at * across:.1f},{TOP + (1 - mean / most) * LOSS_HEIGHT:.1f}"
        for at, mean in enumerate(means)
    )
    bottom = TOP + LOSS_HEIGHT
    marks = (
        line("grid", (LEFT, bottom), (RIGHT, bottom)),
        words("axis", LEFT, TOP - 3, f"{most:.2f}"),
        words("axis", LEFT, bottom + 16, "1"),
        words("axis", RIGHT, bottom + 16, str(len(losses)), "end"),
        mark("polyline", "loss", points=points),
    )
    told = f"from {means[0]:.2f} to {means[-1]:.2f} over {len(losses)} steps"
    return Chart("loss", "Training loss", told, bottom + BOTTOM, (Group(marks),))


def _sentence(leaf: LeafScore) -> str:
    return (
        f"{one_line(leaf.leaf)}: previous {leaf.previous.token_f1:.2f}, candidate "
        f"{leaf.candidate.token_f1:.2f}, difference {view.bounds(leaf.interval)}"
    )


def _x(value: float) -> float:
    return LEFT + max(0.0, min(1.0, value)) * (RIGHT - LEFT)


def _axis(bottom: int) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    for step in range(5):
        x = _x(step / 4)
        anchor = {0: "start", 4: "end"}.get(step, "middle")
        marks.append(line("grid", (x, TOP), (x, bottom)))
        marks.append(words("axis", x, bottom + 16, f"{step / 4:g}", anchor))
    return tuple(marks)


def _row(leaf: LeafScore, top: int) -> tuple[Mark, ...]:
    """The interval is that of the difference, so it is drawn from the previous score."""
    before, now = leaf.previous.token_f1, leaf.candidate.token_f1
    known = leaf.interval != view.UNKNOWN
    low, high = (_x(before + end if known else now) for end in leaf.interval)
    base, label, y = _x(leaf.base.token_f1), top + 16, top + 32
    return (
        words("label", LEFT, label, end_of(leaf.leaf, LABEL)),
        words("value", RIGHT, label, view.signed(leaf.difference), "end"),
        line("interval", (low, y), (high, y)),
        line("move", (_x(before), y), (_x(now), y)),
        line("base", (base, y - 7), (base, y + 7)),
        mark("circle", "previous", cx=_x(before), cy=y, r=7),
        mark("circle", f"candidate {leaf.verdict}", cx=_x(now), cy=y, r=4),
    )
