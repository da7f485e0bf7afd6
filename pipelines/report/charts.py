"""Ledger flow, score history and forgetting: plain figures in, a ``Chart`` out.

What is drawn is said in words too.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.records import Json
from pipelines.report.drawing import LEFT, RIGHT, Chart, Group, Mark, end_of, line, mark, words
from pipelines.report.escape import one_line
from pipelines.report.inputs import ReleaseScores

STEP, BAR = 30, 8
ENDS = ("kept", "duplicate", "filtered", "unparsed", "failed")
LEDGER_STEPS, RELEASES, LEAVES = 60, 8, 30
CELL, MAP_ROW, MAP_TOP = 40, 36, 20
BESIDE, LETTER = 190, 6  # the least room for a label beside its cells; the width of a letter
LEVELS = (-0.5, -0.25, -0.1, -0.02, 0.02, 0.1, 1.01)  # what is below the n-th is of class heat-n
HEIGHT = 110
SPARKS = "▁▂▃▄▅▆▇█"


# --- the ledger ------------------------------------------------------------------------------


def ledger_plot(ledger: Json) -> Chart:
    """One bar a step, as long as what came out of it, in the parts that it went to."""
    steps = list(ledger["steps"])[:LEDGER_STEPS]
    most = max((_total(step) for step in steps), default=0) or 1
    groups = [Group(tuple(_legend()))]
    for index, step in enumerate(steps, 1):
        y = STEP * index
        name = f"{one_line(str(step['flow']))}: {one_line(str(step['step']))}"
        counts = f"{step['in']} → {step['kept']}"
        marks = (
            words("label", LEFT, y + 14, end_of(name, 42)),
            words("value", RIGHT, y + 14, counts, "end"),
            *_bars(step, y + 18, most),
        )
        groups.append(Group(marks, f"{name} {counts}"))
    told = "; ".join(group.told for group in groups[1:])
    height = STEP * len(groups) + 4
    return Chart("ledger", "From seeds to kept rows", told, height, tuple(groups))


def _legend() -> list[Mark]:
    """What each colour stands for."""
    marks = []
    for at, end in enumerate(ENDS):
        x = LEFT + at * (RIGHT - LEFT) / len(ENDS)
        marks += [mark("rect", end, x=x, y=6, width=8, height=8), words("axis", x + 12, 14, end)]
    return marks


def _total(step: Json) -> int:
    return sum(int(step[end]) for end in ENDS)


def _bars(step: Json, y: int, most: int) -> list[Mark]:
    marks, x = [], float(LEFT)
    for end in ENDS:
        width = int(step[end]) / most * (RIGHT - LEFT)
        if width:
            marks.append(mark("rect", end, x=x, y=y, width=width, height=BAR))
        x += width
    return marks


# --- the releases ----------------------------------------------------------------------------


def history_plot(history: Sequence[ReleaseScores]) -> Chart:
    """The mean score of each release as a line with a point each; the first and the last are named."""
    shown = [one for one in history if one.scores]
    means = [sum(one.scores.values()) / len(one.scores) for one in shown]
    across = (RIGHT - LEFT - 20) / max(1, len(means) - 1)
    at = [(LEFT + 10 + n * across, 16 + (1 - mean) * HEIGHT) for n, mean in enumerate(means)]
    bottom = 16 + HEIGHT
    axes = (
        *(line("grid", (LEFT, y), (RIGHT, y)) for y in (16, bottom)),
        words("axis", LEFT, 12, "1"),
        mark("polyline", "loss", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in at)),
    )
    groups = []
    for index, ((x, y), mean) in enumerate(zip(at, means, strict=True)):
        marks = [mark("circle", "candidate", cx=x, cy=y, r=4)]
        if index in (0, len(at) - 1):
            anchor = "start" if index == 0 else "end"
            marks += [
                words("value", x, y - 10 if y > 60 else y + 20, f"{mean:.2f}", anchor),
                words("axis", x, bottom + 16, end_of(shown[index].release, 24), anchor),
            ]
        told = f"{one_line(shown[index].release)} {mean:.2f} over {len(shown[index].scores)} leaves"
        groups.append(Group(tuple(marks), told))
    told = "; ".join(group.told for group in groups)
    return Chart("history", "Score history", told, bottom + 26, (Group(axes), *groups))


def forgetting(history: Sequence[ReleaseScores]) -> dict[str, list[tuple[float, float] | None]]:
    """Leaf → for each release its score and the difference from when it was last taught.

    None where the release was not examined on the leaf. Leaves with the greatest loss at their last
    score come first.
    """
    found: dict[str, list[tuple[float, float] | None]] = {}
    first: dict[str, float] = {}
    for index, one in enumerate(history):
        for leaf, score in one.scores.items():
            row = found.setdefault(leaf, [None] * len(history))
            if leaf in one.taught:
                first[leaf] = score
            row[index] = (score, score - first.setdefault(leaf, score))

    def last(leaf: str) -> tuple[float, str]:
        return next(cell[1] for cell in reversed(found[leaf]) if cell is not None), leaf

    return {leaf: found[leaf] for leaf in sorted(found, key=last)}


def spark(score: float | None) -> str:
    """A score of 0..1 as one character, for lines of text; a dot for none."""
    return "·" if score is None else SPARKS[min(7, int(max(0.0, score) * 8))]


def heat_map(history: Sequence[ReleaseScores]) -> Chart:
    """A row a leaf, a cell for each of the last releases: the score in words, the loss in colour."""
    recent = history[-RELEASES:]
    rows = {leaf: cells[-RELEASES:] for leaf, cells in forgetting(history).items()}
    rows = {leaf: cells for leaf, cells in rows.items() if any(cells)}
    start = RIGHT - CELL * len(recent)
    # With few releases a label stands beside its cells, else above them.
    above = 14 if start < BESIDE else 0
    row, letters = MAP_ROW - 14 + above, 56 if above else (start - LEFT) // LETTER - 1
    groups = [Group(tuple(_names(recent, start)))]
    for index, leaf in enumerate(list(rows)[:LEAVES]):
        y = MAP_TOP + row * index
        marks = [words("label", LEFT, y + (10 if above else 13), end_of(leaf, letters))]
        for column, cell in enumerate(rows[leaf]):
            marks += _cell(cell, start + CELL * column, y + above)
        scores = " ".join(f"{cell[0]:.2f}" if cell else "–" for cell in rows[leaf])
        groups.append(Group(tuple(marks), f"{one_line(leaf)} {scores}"))
    told = "; ".join(group.told for group in groups[1:])
    height = MAP_TOP + row * (len(groups) - 1)
    if len(rows) > LEAVES:
        more = f"{len(rows) - LEAVES} more leaves: graft log --scores"
        groups.append(Group((words("axis", LEFT, height + 12, more),)))
    name, title = "forgetting", "Forgetting by leaf and release"
    return Chart(name, title, told, height + 20, tuple(groups))


def _names(releases: Sequence[ReleaseScores], start: int) -> list[Mark]:
    """The heads of the columns: month and day of a release, "now" for this run."""
    names = [one_line(one.release).removeprefix("v").partition(".")[2][:8] for one in releases]
    return [
        words("axis", start + CELL * column + CELL / 2, 12, name or "now", "middle")
        for column, name in enumerate(names)
    ]


def _cell(cell: tuple[float, float] | None, x: float, y: int) -> list[Mark]:
    if cell is None:
        return []
    score, difference = cell
    level = next(n for n, edge in enumerate(LEVELS) if difference < edge)
    return [
        mark("rect", f"heat-{level}", x=x, y=y, width=CELL - 2, height=18),
        words("heat-text", x + CELL / 2, y + 13, f"{score:.2f}", "middle"),
    ]
