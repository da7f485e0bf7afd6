"""The report: the records of a run in, Markdown for a comment or a job's summary and an HTML page out; pure.

Whatever was contributed or generated is hostile: it goes through ``escape`` on its way out.
"""

from __future__ import annotations

from pipelines.report.charts import forgetting, spark
from pipelines.report.files import FORMS, read_report, write_report
from pipelines.report.html import html
from pipelines.report.inputs import Drawn, ReleaseScores, ReportInput
from pipelines.report.markdown import markdown, summary
from pipelines.report.why import taught, why

__all__ = [
    "FORMS",
    "Drawn",
    "ReleaseScores",
    "ReportInput",
    "forgetting",
    "html",
    "markdown",
    "read_report",
    "spark",
    "summary",
    "taught",
    "why",
    "write_report",
]
