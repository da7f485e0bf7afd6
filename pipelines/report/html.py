"""The report as one self-contained HTML page: records in, a document out.

Jinja writes it from templates/ and escapes every value. There is no remote address; the policy in the
page's head allows one style sheet and one script, by their hashes, and nothing else, so that even a slip
in escaping could load and run nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from pipelines.records import LeafScore
from pipelines.report import author, scores, view
from pipelines.report.charts import heat_map, history_plot, ledger_plot
from pipelines.report.drawing import Chart
from pipelines.report.escape import clean, cut
from pipelines.report.inputs import ReportInput
from pipelines.report.plot import loss_plot, plot
from pipelines.report.transcripts import AMOUNTS, COLUMNS, transcripts
from pipelines.report.view import Table

if TYPE_CHECKING:
    from jinja2 import Environment


def _file(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


CSS, SCRIPT = _file("report.css"), _file("report.js")
POLICY = (
    f"default-src 'none'; style-src {_hash(CSS)}; script-src {_hash(SCRIPT)}; base-uri 'none'; "
    "form-action 'none'"
)
BUDGET = 5_000_000  # bytes
MANY = 3000  # items from which on the transcripts wait until they are wanted
PANEL_ROWS = 40  # of the plot; the table below it has every leaf


@dataclass(frozen=True, slots=True)
class Group:
    """The leaves of one role as the page shows them."""

    title: str
    leaves: int
    chart: Chart | None
    caption: str
    wins: str
    table: Table
    others: Table


def html(report: ReportInput) -> str:
    """A complete document, UTF-8, at most ``BUDGET`` bytes where the transcripts allow it."""
    from markupsafe import Markup

    page = environment().get_template("report.html")
    rows = environment().get_template("transcripts.jinja")
    told = _told(report)
    given = {"columns": COLUMNS, "waiting": len(report.items) > MANY}
    source = ""
    for amount in AMOUNTS:
        written = Markup(rows.render(given, leaves=transcripts(report, amount)))
        source = page.render(told, transcripts=written if report.items else "")
        if len(source.encode()) <= BUDGET:
            break
    return source


def svg(chart: Chart) -> str:
    """A chart alone."""
    parts: Any = environment().get_template("parts.jinja").module
    return str(parts.chart(chart))


@functools.cache
def environment() -> Environment:
    """Every value is cleaned and escaped on its way out, and a name that is not there is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("pipelines.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    made.filters["cut"] = cut
    made.tests["command"] = view.is_command
    return made


def _told(report: ReportInput) -> dict[str, Any]:
    """What the page's template asks for, worked out and not escaped."""
    from markupsafe import Markup

    evaluation = report.evaluation
    release = report.facts.get("release") or report.facts.get("Release") or ""
    past = len(report.history) > 1
    return {
        "report": report,
        "policy": POLICY,
        "style": Markup(CSS),
        "script": Markup(SCRIPT),
        "title": f"Graft: {evaluation.verdict}{' · ' if release else ''}{release}",
        "verdict": evaluation.verdict,
        "opening": " ".join(author.opening(report)),
        "demonstration": view.DEMONSTRATION,
        "reasons": (view.VERDICTS[evaluation.verdict], *evaluation.reasons),
        "groups": [
            _group(report, "changed", "Changed leaves"),
            _group(report, "panel", "Earlier leaves"),
        ],
        "wrong": author.wrong_answers(report),
        "wrong_line": author.wrong_line(report),
        "corrections": view.corrections(report),
        "pooled": scores.pooled(evaluation),
        "judge": scores.judge_table(evaluation),
        "judge_line": scores.judge_line(evaluation),
        "no_values": view.NO_VALUES if evaluation.values is None else "",
        "value_scores": view.value_scores(report),
        "values_told": view.VALUES,
        "value_changes": view.value_changes(report),
        "history": history_plot(report.history) if past else None,
        "forgetting": heat_map(report.history) if past else None,
        "drawn": author.drawn_rows(report),
        "read": author.READ,
        "data_lines": view.data_lines(report),
        "ledger": ledger_plot(report.ledger) if report.ledger.get("steps") else None,
        "data_card": view.data_card(report),
        "loss": loss_plot(report.losses) if report.losses else None,
    }


def _group(report: ReportInput, role: str, title: str) -> Group:
    leaves = view.leaves_of(report.evaluation, role)
    chart, caption = _before_and_after(leaves, role, title)
    return Group(
        title,
        len(leaves),
        chart,
        caption,
        view.wins(report.items, role),
        scores.leaf_table(leaves, title),
        scores.other_scores(report.evaluation, leaves, title),
    )


def _before_and_after(
    leaves: Sequence[LeafScore], role: str, title: str
) -> tuple[Chart | None, str]:
    drawn = leaves[:PANEL_ROWS] if role == "panel" else leaves
    if not any(leaf.items for leaf in drawn):
        return None, ""
    left_out = len(leaves) - len(drawn)
    more = f" The {len(drawn)} with the greatest loss; {left_out} more in the table."
    caption = (
        "Token F1. Tick: base. Ring: previous release. Disc: candidate. Bar: 95 % interval of the "
        f"difference.{more if left_out else ''}"
    )
    return plot(drawn, role, f"Token F1 before and after: {title.lower()}"), caption
