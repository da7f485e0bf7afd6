"""The report as one self-contained HTML page: records in, a document out.

No remote address; the policy in its head allows one style sheet and one script, by their hashes, and
nothing else, so that even a slip in escaping could load and run nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from importlib import resources

from pipelines.records import LeafScore, Pooled, Scores
from pipelines.report import author, view
from pipelines.report.charts import heat_map, history_plot, ledger_plot
from pipelines.report.escape import html_text
from pipelines.report.inputs import ReportInput
from pipelines.report.markup import bullets, table_block
from pipelines.report.plot import loss_plot, plot
from pipelines.report.transcripts import AMOUNTS, transcripts
from pipelines.report.view import Table


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


CSS, SCRIPT = _file("report.css"), _file("report.js")
POLICY = (
    f"default-src 'none'; style-src {_hash(CSS)}; script-src {_hash(SCRIPT)}; base-uri 'none'; "
    "form-action 'none'"
)
BUDGET = 5_000_000  # bytes
PANEL_ROWS = 40  # of the plot; the table below it has every leaf


def html(report: ReportInput) -> str:
    """A complete document, UTF-8, at most ``BUDGET`` bytes, ends with a newline."""
    before = [
        *_verdict(report),
        *_leaves(report, "changed", "Changed leaves"),
        *_wrong(report),
        *_corrections(report),
        *_leaves(report, "panel", "Earlier leaves"),
        *_values(report),
        *_history(report),
        *_drawn(report),
    ]
    after = [*_data(report), *_facts(report)]
    page = ""
    for amount in AMOUNTS:
        page = _page(report, [*before, *transcripts(report, amount), *after])
        if len(page.encode()) <= BUDGET:
            break
    return page


def _page(report: ReportInput, blocks: Iterable[str]) -> str:
    release = report.facts.get("release") or report.facts.get("Release") or ""
    title = html_text(f"Graft: {report.evaluation.verdict}{' · ' if release else ''}{release}", 200)
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{title}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>",
            *blocks,
            f"</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        ]
    )


def _verdict(report: ReportInput) -> list[str]:
    verdict = report.evaluation.verdict
    blocks = [
        f'<h1>Graft: <span class="verdict {verdict.lower()}">{verdict}</span></h1>',
        f'<p class="opening">{html_text(" ".join(author.opening(report)))}</p>',
    ]
    if report.demonstration:
        blocks.append(f'<p class="note"><strong>A demonstration.</strong> {view.DEMONSTRATION}</p>')
    reasons = (view.VERDICTS[verdict], *report.evaluation.reasons)
    return [*blocks, bullets(reasons), _pools(report)]


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
    header = (
        "Leaves",
        "Items",
        "Clusters",
        "Base",
        "Previous",
        "Candidate",
        "Difference in F1",
        "p",
    )
    table = Table("Together: token F1 / exact match", header, tuple(rows))
    return table_block(table) if rows else ""


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
    return [*blocks, table_block(_leaf_table(leaves, title))]


def _wrong(report: ReportInput) -> list[str]:
    table = author.wrong_answers(report)
    if not table.rows:
        return []
    return [
        f"<h2>{table.title}</h2>",
        f"<p>{author.wrong_line(report)}</p>",
        table_block(table, "texts"),
    ]


def _drawn(report: ReportInput) -> list[str]:
    table = author.drawn_rows(report)
    if not table.rows:
        return []
    return [
        f"<h2>{table.title}</h2>",
        f"<p>{html_text(author.READ)}</p>",
        table_block(table, "texts"),
    ]


def _history(report: ReportInput) -> list[str]:
    if len(report.history) < 2:
        return []
    return [
        "<h2>Over the releases</h2>",
        f"<figure>{history_plot(report.history)}<figcaption>Mean token F1 of the leaves that each "
        "release was examined on.</figcaption></figure>",
        f"<figure>{heat_map(report.history)}<figcaption>Token F1 by leaf and release, the greatest "
        "loss first. The colour is the difference from the score when the leaf was last taught: the "
        "deeper the red, the more was forgotten.</figcaption></figure>",
    ]


def _corrections(report: ReportInput) -> list[str]:
    table = view.corrections(report)
    return [f"<h2>{table.title}</h2>", table_block(table, "texts")] if table.rows else []


def _values(report: ReportInput) -> list[str]:
    if report.evaluation.values is None:
        return ["<h2>Values</h2>", f"<p>{view.NO_VALUES}</p>"]
    scores, changes = view.value_scores(report), view.value_changes(report)
    blocks = ["<h2>Values</h2>"]
    if scores.rows:
        blocks += [table_block(scores, "texts figures"), f"<p>{view.VALUES}</p>"]
    if changes.rows:
        return [*blocks, table_block(changes, "texts")]
    return [*blocks, "<p>No answer to a value probe changed sides.</p>"]


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


def _data(report: ReportInput) -> list[str]:
    tables = [table_block(table) for table in view.data_card(report)]
    figure = ""
    if report.ledger.get("steps"):
        figure = (
            f"<figure>{ledger_plot(report.ledger)}<figcaption>What came into each step, and what "
            "became of it: kept, a duplicate, filtered, unreadable.</figcaption></figure>"
        )
    return ["<h2>Data card</h2>", bullets(view.data_lines(report)), figure, *tables]


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
