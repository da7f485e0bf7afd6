"""Pieces of the HTML page: plain text in, escaped elements out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.report.escape import html_text
from pipelines.report.view import Table


def bullets(lines: Iterable[str]) -> str:
    items = "".join(f'<li dir="auto">{html_text(line)}</li>' for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def table_block(table: Table, kind: str = "") -> str:
    """A table that scrolls by itself where the screen is narrow; ``kind`` is a class for its style."""
    name = html_text(table.title)
    head = "".join(f'<th scope="col">{html_text(cell)}</th>' for cell in table.header)
    # Where all is words, a phone stacks the cells, each under the name of its column.
    labels = [f' data-label="{html_text(cell)}"' if kind else "" for cell in table.header]
    body = "".join(f"<tr>{_cells(row, labels, table.texts)}</tr>" for row in table.rows)
    return (
        f'<div class="scroll {kind}" role="region" aria-label="{name}" tabindex="0"><table>'
        f"<caption>{name}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: Sequence[str], labels: Sequence[str], texts: int) -> str:
    first, *rest = row
    cells = [
        f"<td{labels[column]}{'' if column < texts else ' class=number'}>{html_text(cell)}</td>"
        for column, cell in enumerate(rest, 1)
    ]
    return f'<th scope="row"{labels[0]}><bdi>{html_text(first)}</bdi></th>{"".join(cells)}'
