"""The chart of ``nights.py``: the panel's token F1 night by night in, one SVG out.

A file of its own, so its colours stand in it; it is read on light and dark pages alike.
"""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 624, 20, 260
INK, LINE, JOINT = "#767676", "#1a6fb0", "#b0561a"


def chart(panel: Sequence[float | None], joint: float) -> str:
    """A dot and a line for each night that had a panel; dashes for the joint run on the last tree."""
    at = [
        (_x(number, len(panel)), _y(value))
        for number, value in enumerate(panel)
        if value is not None
    ]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{LINE}"/>' for x, y in at]
    level = f"{_y(joint):.1f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="sans-serif" font-size="12">',
        f"<title>Token F1 of the old leaves over {len(panel)} nights</title>",
        *_axes(len(panel)),
        f'<line x1="{LEFT}" y1="{level}" x2="{RIGHT}" y2="{level}" stroke="{JOINT}" '
        'stroke-width="1.5" stroke-dasharray="6 4"/>',
        f'<text x="{RIGHT}" y="{_y(joint) - 6:.1f}" text-anchor="end" fill="{JOINT}">joint run on '
        f"the last tree, {joint:.2f}</text>",
        f'<polyline points="{points}" fill="none" stroke="{LINE}" stroke-width="2"/>',
        *dots,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(number: int, count: int) -> float:
    return LEFT + (number + 0.5) * (RIGHT - LEFT) / max(1, count)


def _y(value: float) -> float:
    return BOTTOM - max(0.0, min(1.0, value)) * (BOTTOM - TOP)


def _axes(count: int) -> list[str]:
    parts = []
    for step in range(5):
        y = f"{_y(step / 4):.1f}"
        parts.append(
            f'<line x1="{LEFT}" y1="{y}" x2="{RIGHT}" y2="{y}" stroke="{INK}" opacity="0.3"/>'
        )
        parts.append(
            f'<text x="{LEFT - 6}" y="{y}" dy="4" text-anchor="end" fill="{INK}">{step / 4:g}</text>'
        )
    for number in range(count):
        parts.append(
            f'<text x="{_x(number, count):.1f}" y="{BOTTOM + 18}" text-anchor="middle" '
            f'fill="{INK}">{number + 1}</text>'
        )
    name = f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle" fill="{INK}">'
    return [*parts, f"{name}night; token F1 of the leaves that did not change</text>"]
