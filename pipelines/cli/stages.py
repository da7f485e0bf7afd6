"""``graft generate|train|evaluate|report``: what ``graft run`` does, up to that stage and no further.

What is finished already is kept, what is missing before the stage is made first. The stages share
their options; each is one object, since they differ in what they say at the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli import examine, precheck
from pipelines.cli.common import format_option, options, read_text, say
from pipelines.cli.costs import generating, training
from pipelines.cli.run import print_plan, print_verdict, run_options, stop_cleanly
from pipelines.errors import EXIT_FINDINGS, EXIT_OK

if TYPE_CHECKING:
    from pipelines.run import Outcome
    from pipelines.situation import Options, Until

Show = Callable[["Outcome", Path, argparse.Namespace], None]
FORMS = ("report.md", "summary.md", "report.html")  # what a folder of a report holds


@dataclass(frozen=True)
class Stage:
    """One command; ``show`` prints what came out of it, ``costs`` what --plan says beside the plan."""

    until: Until
    HELP: str
    show: Show
    costs: Callable[[argparse.Namespace, Options], None] | None = None

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        run_options(parser)
        if self.costs is not None:
            format_option(parser, "how --plan tells the costs; JSON as in schema/costs.json")
        if self.until == "report":
            parser.add_argument(
                "--from",
                dest="source",
                type=Path,
                metavar="FILE",
                help="print what this report.json says, whoever made it, and run nothing",
            )
            parser.add_argument(
                "--form",
                choices=FORMS,
                default=FORMS[0],
                help="the comment of a pull request, the summary of a job or the page (default: report.md)",
            )
        if self.until == "evaluate":
            parser.add_argument(
                "--precheck",
                action="store_true",
                help="ask the last release what it knows already of new leaves, and do nothing else",
            )
            format_option(parser, "how --precheck, --model and --aa tell it")
            examine.arguments(parser)

    def command(self, args: argparse.Namespace) -> int:
        if getattr(args, "source", None) is not None:
            _print_form(args.source, args.form)
            return EXIT_OK
        stop_cleanly()
        from pipelines.prepare import plan
        from pipelines.run import run

        wanted = replace(options(args), until=self.until)
        if getattr(args, "precheck", False):
            precheck.show(wanted, args.format)
            return EXIT_OK
        if self.until == "evaluate" and examine.wanted(args):
            return examine.show(wanted, args)
        if args.plan and self.costs is not None:
            self.costs(args, wanted)
            return EXIT_OK
        if args.plan:
            _, _, decided = plan(wanted)
            print_plan(decided)
            return EXIT_OK
        outcome = run(wanted, say)
        if outcome.directory is not None:
            self.show(outcome, outcome.directory, args)
        if outcome.plan.action == "nothing":
            print(f"Nothing to do: {outcome.plan.reason}.")
        return EXIT_OK if outcome.accepted else EXIT_FINDINGS


def _dataset(outcome: Outcome, run: Path, args: argparse.Namespace) -> None:
    print(f"dataset: {run / 'dataset'}")


def _weights(outcome: Outcome, run: Path, args: argparse.Namespace) -> None:
    print(f"weights: {run / ('base' if (run / 'base').is_dir() else 'adapter')}")


def _verdict(outcome: Outcome, run: Path, args: argparse.Namespace) -> None:
    if outcome.evaluation is not None:
        print_verdict(outcome.evaluation)
    print(f"evaluation: {run / 'evaluation' / 'evaluation.json'}")


def _page(outcome: Outcome, run: Path, args: argparse.Namespace) -> None:
    page = run / "report" / args.form
    print(read_text(page, f"{page} is missing; delete {run} and run again."), end="")


def _print_form(source: Path, form: str) -> None:
    from pipelines.report import FORMS, read_report

    print(FORMS[form](read_report(source)), end="")


GENERATE = Stage("generate", "make the training rows of what changed", _dataset, generating)
TRAIN = Stage(
    "train", "train what changed, its rows made first where they are missing", _weights, training
)
EVALUATE = Stage("evaluate", "ask the exam of what was trained, and give the verdict", _verdict)
REPORT = Stage("report", "write the report, and print it", _page)
