"""The report as one self-contained HTML page: records in, a document out.

No script, no remote address; the policy in its head allows one style sheet, by its hash, and
nothing else, so that even a slip in escaping could load and run nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from importlib import resources

from pipelines.records import ItemResult, LeafScore, Pooled, Scores
from pipelines.report import view
from pipelines.report.escape import html_text
from pipelines.report.plot import loss_plot, plot
from pipelines.report.view import ReportInput, Table

CSS = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
PANEL_ROWS = 40  # of the plot; the table below it has every leaf


def html(report: ReportInput) -> str:
    """A complete document, UTF-8, ends with a newline."""
    verdict = report.evaluation.verdict
    release = report.facts.get("release") or report.facts.get("Release") or ""
    title = html_text(f"Graft: {verdict}{' · ' if release else ''}{release}", 200)
    style = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    blocks = [
        *_verdict(report),
        *_leaves(report, "changed", "Changed leaves"),
        *_corrections(report),
        *_leaves(report, "panel", "Earlier leaves"),
        *_transcripts(report),
        *_data(report),
        *_facts(report),
    ]
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{title}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>",
            *blocks,
            "</main>\n</body>\n</html>\n",
        ]
    )


def _verdict(report: ReportInput) -> list[str]:
    verdict = report.evaluation.verdict
    blocks = [
        f'<h1>Graft: <span class="verdict {verdict.lower()}">{verdict}</span></h1>',
        f"<p>{view.VERDICTS[verdict]}</p>",
    ]
    if report.demonstration:
        blocks.append(f'<p class="note"><strong>A demonstration.</strong> {view.DEMONSTRATION}</p>')
    return [*blocks, _list(report.evaluation.reasons), _pools(report)]


def _pools(report: ReportInput) -> str:
    rows = [
        (
            name,
            str(pooled.items),
            str(pooled.clusters),
            *(f"{arm.token_f1:.2f} / {arm.exact_match:.2f}" for arm in _arms(pooled)),
            f"{view.signed(pooled.difference)} ({view.bounds(pooled.interval)})",
            view.p_text(pooled.p_value),
        )
        for name, pooled in view.pools(report.evaluation)
    ]
    header = ("", "Items", "Clusters", "Base", "Previous", "Candidate", "Difference in F1", "p")
    table = Table("Together: token F1 / exact match", header, tuple(rows))
    return _table(table) if rows else ""


def _arms(score: LeafScore | Pooled) -> tuple[Scores, ...]:
    return score.base, score.previous, score.candidate


def _leaves(report: ReportInput, role: str, title: str) -> list[str]:
    leaves = view.leaves_of(report.evaluation, role)
    if not leaves:
        return [f"<h2>{title}</h2>", f"<p>{title}: none has an exam.</p>"]
    wins, ties, losses = view.counts(report.items, role)
    drawn = leaves[:PANEL_ROWS] if role == "panel" else leaves
    blocks = [f"<h2>{title}</h2>"]
    if any(leaf.items for leaf in drawn):
        left_out = len(leaves) - len(drawn)
        more = f" The {len(drawn)} with the greatest loss; {left_out} more in the table."
        blocks += [
            f"<figure>{plot(drawn, role, f'Token F1 before and after: {title.lower()}')}",
            "<figcaption>Token F1. Tick: base. Ring: previous release. Disc: candidate. Bar: "
            f"95&nbsp;% interval of the difference.{more if left_out else ''}</figcaption>"
            "</figure>",
        ]
    blocks.append(f"<p>Exact match: {wins} won, {ties} the same, {losses} lost.</p>")
    return [*blocks, _table(_leaf_table(leaves, title))]


def _corrections(report: ReportInput) -> list[str]:
    table = view.corrections(report)
    return [f"<h2>{table.title}</h2>", _table(table)] if table.rows else []


def _leaf_table(leaves: Sequence[LeafScore], title: str) -> Table:
    rows = [
        (
            leaf.leaf,
            leaf.verdict,
            str(leaf.items) + (f" + {leaf.leaked} leaked" if leaf.leaked else ""),
            *(view.score_text(arm.token_f1, leaf.items) for arm in _arms(leaf)),
            f"{view.signed(leaf.difference)} ({view.bounds(leaf.interval)})",
            view.p_text(leaf.p_value),
        )
        for leaf in leaves
    ]
    header = ("Leaf", "Verdict", "Items", "Base", "Previous", "Candidate", "Difference", "p (Holm)")
    return Table(f"{title}, token F1", header, tuple(rows), 2)


def _transcripts(report: ReportInput) -> list[str]:
    groups: dict[tuple[str, str], list[ItemResult]] = {}
    for one in view.items_in_order(report.items):
        groups.setdefault((one.item.role, one.item.leaf), []).append(one)
    blocks = ["<h2>Transcripts</h2>"] if groups else []
    for (role, leaf), items in sorted(groups.items()):
        won = sum(view.flip_word(one) == "won" for one in items)
        lost = sum(view.flip_word(one) == "lost" for one in items)
        blocks.append(
            f"<details><summary><bdi>{html_text(leaf, 300)}</bdi> ({role}, {len(items)} items, "
            f"{won} won, {lost} lost)</summary>"
        )
        blocks += [_transcript(one) for one in items]
        blocks.append("</details>")
    return blocks


def _transcript(one: ItemResult) -> str:
    arms = (
        ("base", one.base, one.base_scores),
        ("previous", one.previous, one.previous_scores),
        ("candidate", one.candidate, one.candidate_scores),
    )
    answers = "".join(
        f"<dt>{name}, F1 {scores.token_f1:.2f}</dt>"
        f'<dd dir="auto">{html_text(text.strip() or view.EMPTY_ANSWER)}</dd>'
        for name, text, scores in arms
    )
    return (
        f'<article><p class="flip">{view.flip_word(one)}</p><dl>'
        f'<dt>{view.asked_by(one)}</dt><dd dir="auto">{html_text(one.item.prompt)}</dd>'
        f'<dt>wanted</dt><dd dir="auto">{html_text(one.item.reference)}</dd>{answers}'
        "</dl></article>"
    )


def _data(report: ReportInput) -> list[str]:
    tables = [_table(table) for table in view.data_card(report)]
    return ["<h2>Data card</h2>", _list(view.data_lines(report)), *tables]


def _facts(report: ReportInput) -> list[str]:
    if not report.facts:
        return []
    rows = "".join(
        f"<dt>{html_text(label)}</dt><dd>"
        + (f"<pre>{html_text(text)}</pre>" if view.is_command(label) else html_text(text))
        + "</dd>"
        for label, text in report.facts.items()
    )
    figure = ""
    if report.losses:
        figure = (
            f"<figure>{loss_plot(report.losses)}<figcaption>Loss on the answers, by training step."
            "</figcaption></figure>"
        )
    return ["<h2>This run</h2>", figure, f'<dl class="facts">{rows}</dl>']


def _list(lines: Iterable[str]) -> str:
    items = "".join(f'<li dir="auto">{html_text(line)}</li>' for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _table(table: Table) -> str:
    """A table that scrolls by itself where the screen is narrow."""
    name = html_text(table.title)
    head = "".join(f'<th scope="col">{html_text(cell)}</th>' for cell in table.header)
    body = "".join(f"<tr>{_cells(row, table.texts)}</tr>" for row in table.rows)
    return (
        f'<div class="scroll" role="region" aria-label="{name}" tabindex="0"><table>'
        f"<caption>{name}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: Sequence[str], texts: int) -> str:
    first, *rest = row
    cells = [
        f"<td{'' if column < texts else ' class=number'}>{html_text(cell)}</td>"
        for column, cell in enumerate(rest, 1)
    ]
    return f'<th scope="row"><bdi>{html_text(first)}</bdi></th>{"".join(cells)}'
