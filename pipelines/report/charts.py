"""Ledger flow, score history and forgetting as static SVG: plain figures in, inline SVG out.

As in ``plot``: no script, style or link inside, colours by the classes of report.css, and what is drawn
is said in words too.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.records import Json
from pipelines.report.escape import html_text, one_line
from pipelines.report.inputs import ReleaseScores

WIDTH, LEFT, RIGHT = 360, 12, 348
STEP, BAR = 30, 8
ENDS = ("kept", "duplicate", "filtered", "unparsed", "failed")
LEDGER_STEPS, RELEASES, LEAVES = 60, 8, 30
CELL, MAP_ROW, MAP_TOP = 40, 36, 20
LEVELS = (
    -0.5,
    -0.25,
    -0.1,
    -0.02,
    0.02,
    0.1,
    1.01,
)  # a difference below the n-th is of class heat-n
HEIGHT = 110
SPARKS = "▁▂▃▄▅▆▇█"


def _svg(name: str, title: str, described: str, height: int, parts: Sequence[str]) -> str:
    head = (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{html_text(title)}</title>'
        f'<desc id="{name}-desc">{html_text(described, 20_000)}</desc>'
    )
    return "\n".join([head, *parts, "</svg>"])


def _end(text: str, limit: int) -> str:
    """The end of a long path says more than its beginning."""
    line = one_line(text)
    return line if len(line) <= limit else "…" + line[-(limit - 1) :]


# --- the ledger ------------------------------------------------------------------------------


def ledger_plot(ledger: Json) -> str:
    """One bar a step, as long as what came out of it, in the parts that it went to."""
    steps = list(ledger["steps"])[:LEDGER_STEPS]
    most = max((_total(step) for step in steps), default=0) or 1
    parts, told = [], []
    for index, step in enumerate(steps):
        y = STEP * index
        name = f"{one_line(str(step['flow']))}: {one_line(str(step['step']))}"
        counts = f"{step['in']} → {step['kept']}"
        parts += [
            f'<text class="label" x="{LEFT}" y="{y + 14}">{html_text(_end(name, 42))}</text>',
            f'<text class="value" x="{RIGHT}" y="{y + 14}" text-anchor="end">{counts}</text>',
            *_bars(step, y + 18, most),
        ]
        told.append(f"{name} {counts}")
    return _svg("ledger", "From seeds to kept rows", "; ".join(told), STEP * len(steps) + 4, parts)


def _total(step: Json) -> int:
    return sum(int(step[end]) for end in ENDS)


def _bars(step: Json, y: int, most: int) -> list[str]:
    parts, x = [], float(LEFT)
    for end in ENDS:
        width = int(step[end]) / most * (RIGHT - LEFT)
        if width:
            parts.append(
                f'<rect class="{end}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}"/>'
            )
        x += width
    return parts


# --- the releases ----------------------------------------------------------------------------


def history_plot(history: Sequence[ReleaseScores]) -> str:
    """The mean score of each release as a line with a point each."""
    shown = [one for one in history if one.scores]
    means = [sum(one.scores.values()) / len(one.scores) for one in shown]
    across = (RIGHT - LEFT - 20) / max(1, len(means) - 1)
    at = [(LEFT + 10 + n * across, 16 + (1 - mean) * HEIGHT) for n, mean in enumerate(means)]
    bottom = 16 + HEIGHT
    parts = [
        f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{RIGHT}" y2="{y}"/>' for y in (16, bottom)
    ]
    parts.append(f'<text class="axis" x="{LEFT}" y="12">1</text>')
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    parts.append(f'<polyline class="loss" points="{points}"/>')
    for index, ((x, y), mean) in enumerate(zip(at, means, strict=True)):
        parts.append(f'<circle class="candidate" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        if index in (0, len(at) - 1):
            anchor = "start" if index == 0 else "end"
            where = f'x="{x:.1f}" text-anchor="{anchor}"'
            parts.append(
                f'<text class="value" {where} y="{y - 10 if y > 60 else y + 20:.1f}">{mean:.2f}</text>'
            )
            name = html_text(_end(shown[index].release, 24))
            parts.append(f'<text class="axis" {where} y="{bottom + 16}">{name}</text>')
    told = "; ".join(
        f"{one_line(one.release)} {mean:.2f} over {len(one.scores)} leaves"
        for one, mean in zip(shown, means, strict=True)
    )
    return _svg("history", "Score history", told, bottom + 26, parts)


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


def heat_map(history: Sequence[ReleaseScores]) -> str:
    """A row a leaf, a cell for each of the last releases: the score in words, the loss in colour."""
    recent = history[-RELEASES:]
    rows = {leaf: cells[-RELEASES:] for leaf, cells in forgetting(history).items()}
    rows = {leaf: cells for leaf, cells in rows.items() if any(cells)}
    names = list(rows)[:LEAVES]
    start = RIGHT - CELL * len(recent)
    parts = []
    for column, one in enumerate(recent):
        x = start + CELL * column + CELL / 2
        name = html_text(one_line(one.release).removeprefix("v").partition(".")[2][:8] or "now")
        parts.append(f'<text class="axis" x="{x}" y="12" text-anchor="middle">{name}</text>')
    told = []
    for index, leaf in enumerate(names):
        y = MAP_TOP + MAP_ROW * index
        parts.append(
            f'<text class="label" x="{LEFT}" y="{y + 10}">{html_text(_end(leaf, 56))}</text>'
        )
        for column, cell in enumerate(rows[leaf]):
            parts += _cell(cell, start + CELL * column, y + 14)
        told.append(f"{one_line(leaf)} {' '.join(f'{c[0]:.2f}' if c else '–' for c in rows[leaf])}")
    if len(rows) > len(names):
        y = MAP_TOP + MAP_ROW * len(names) + 12
        more = f"{len(rows) - len(names)} more leaves: graft log --scores"
        parts.append(f'<text class="axis" x="{LEFT}" y="{y}">{more}</text>')
    height = MAP_TOP + MAP_ROW * len(names) + 20
    return _svg("forgetting", "Forgetting by leaf and release", "; ".join(told), height, parts)


def _cell(cell: tuple[float, float] | None, x: float, y: int) -> list[str]:
    if cell is None:
        return []
    score, difference = cell
    level = next(n for n, edge in enumerate(LEVELS) if difference < edge)
    middle = f'x="{x + CELL / 2}" y="{y + 13}" text-anchor="middle"'
    return [
        f'<rect class="heat-{level}" x="{x}" y="{y}" width="{CELL - 2}" height="18"/>',
        f'<text class="heat-text" {middle}>{score:.2f}</text>',
    ]
