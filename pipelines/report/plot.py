"""The before/after plot: leaf scores in, one inline SVG out, without script, style or link.

One row a leaf, labelled above its line so that it can be read on a telephone: a tick for the base,
a ring for the previous release, a disc for the candidate, and about it a bar for the 95 % interval
of the difference. Shapes tell the arms apart; colour only helps. The classes are in report.css.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.records import LeafScore
from pipelines.report import view
from pipelines.report.escape import html_text, one_line

WIDTH, LEFT, RIGHT = 360, 12, 348
TOP, ROW, BOTTOM = 12, 46, 26
LOSS_HEIGHT, POINTS = 110, 120
LABEL = 46  # characters that fit the width


def plot(leaves: Sequence[LeafScore], name: str, title: str) -> str:
    """Scores of leaves that have items; ``name`` makes the ids unique in the page."""
    shown = [leaf for leaf in leaves if leaf.items]
    height = TOP + ROW * len(shown) + BOTTOM
    described = "; ".join(_sentence(leaf) for leaf in shown)
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">',
        f'<title id="{name}-title">{html_text(title)}</title>',
        f'<desc id="{name}-desc">{html_text(described, 20_000)}</desc>',
        *_axis(height - BOTTOM),
        *(part for index, leaf in enumerate(shown) for part in _row(leaf, TOP + ROW * index)),
        "</svg>",
    ]
    return "\n".join(parts)


def loss_plot(losses: Sequence[float]) -> str:
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
    told = f"from {means[0]:.2f} to {means[-1]:.2f} over {len(losses)} steps"
    return "\n".join(
        [
            f'<svg class="plot" viewBox="0 0 {WIDTH} {bottom + BOTTOM}" role="img" '
            'aria-labelledby="loss-title loss-desc">',
            f'<title id="loss-title">Training loss</title><desc id="loss-desc">{told}</desc>',
            f'<line class="grid" x1="{LEFT}" y1="{bottom}" x2="{RIGHT}" y2="{bottom}"/>',
            f'<text class="axis" x="{LEFT}" y="{TOP}">{most:.2f}</text>',
            f'<text class="axis" x="{LEFT}" y="{bottom + 16}">1</text>',
            f'<text class="axis" x="{RIGHT}" y="{bottom + 16}" text-anchor="end">{len(losses)}</text>',
            f'<polyline class="loss" points="{points}"/>',
            "</svg>",
        ]
    )


def _sentence(leaf: LeafScore) -> str:
    return (
        f"{one_line(leaf.leaf)}: previous {leaf.previous.token_f1:.2f}, candidate "
        f"{leaf.candidate.token_f1:.2f}, difference {view.bounds(leaf.interval)}"
    )


def _x(value: float) -> str:
    return f"{LEFT + max(0.0, min(1.0, value)) * (RIGHT - LEFT):.1f}"


def _axis(bottom: int) -> list[str]:
    parts = []
    for step in range(5):
        x = _x(step / 4)
        anchor = {0: "start", 4: "end"}.get(step, "middle")
        parts.append(f'<line class="grid" x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}"/>')
        at = f'x="{x}" y="{bottom + 16}" text-anchor="{anchor}"'
        parts.append(f'<text class="axis" {at}>{step / 4:g}</text>')
    return parts


def _row(leaf: LeafScore, top: int) -> list[str]:
    """The interval is that of the difference, so it is drawn from the previous score."""
    before, now = leaf.previous.token_f1, leaf.candidate.token_f1
    known = leaf.interval != view.UNKNOWN
    low, high = (_x(before + end if known else now) for end in leaf.interval)
    base, label, y = _x(leaf.base.token_f1), top + 16, top + 32
    return [
        f'<text class="label" x="{LEFT}" y="{label}">{html_text(_label(leaf.leaf))}</text>',
        f'<text class="value" x="{RIGHT}" y="{label}" text-anchor="end">'
        f"{view.signed(leaf.difference)}</text>",
        f'<line class="interval" x1="{low}" y1="{y}" x2="{high}" y2="{y}"/>',
        f'<line class="move" x1="{_x(before)}" y1="{y}" x2="{_x(now)}" y2="{y}"/>',
        f'<line class="base" x1="{base}" y1="{y - 7}" x2="{base}" y2="{y + 7}"/>',
        f'<circle class="previous" cx="{_x(before)}" cy="{y}" r="7"/>',
        f'<circle class="candidate {leaf.verdict}" cx="{_x(now)}" cy="{y}" r="4"/>',
    ]


def _label(leaf: str) -> str:
    """The end of a long path says more than its beginning."""
    text = one_line(leaf)
    return text if len(text) <= LABEL else "…" + text[-(LABEL - 1) :]
