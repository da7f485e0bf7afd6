"""``graft flows``: which flows there are, and what is wrong with one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.common import add_parser
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, RecipeError

if TYPE_CHECKING:
    from pipelines.generate.steps import Flow

HELP = "list the flows that leaves go through, or check one"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    validate = add_parser(
        actions, "validate", "say what is wrong with a flow's YAML, ours or InstructLab's"
    )
    validate.set_defaults(command=_validate)
    validate.add_argument("files", nargs="+", metavar="FILE")


def _list(args: argparse.Namespace) -> int:
    from pipelines.generate.flow import flow_names, load_flow

    for name in flow_names():
        print(_line(load_flow(name)))
    return EXIT_OK


def _line(flow: Flow) -> str:
    """What a flow is for, in one line: its kind of rows, the leaves, the steps, who is asked."""
    from pipelines.generate.flow import kinds_of
    from pipelines.generate.steps import Ask

    asks = [step for step in flow.steps if isinstance(step, Ask)]
    judges = sum(step.role == "judge" for step in asks)
    judged = f"{judges} of a judge" if judges else "no judge"
    return (
        f"{flow.name}: rows {flow.rows} · for {', '.join(kinds_of(flow))} · phase {flow.phase} · "
        f"{len(flow.steps)} steps, {len(asks)} ask, {judged}"
    )


def _validate(args: argparse.Namespace) -> int:
    from pipelines.generate.draft import told
    from pipelines.generate.flow import read_flow

    code = EXIT_OK
    for file in args.files:
        path = Path(file)
        if path.is_dir():
            path = path / "flow.yaml"
        if not path.is_file():
            raise RecipeError(f"{path}: there is no such file.")
        flow, findings = read_flow(path, file)
        if findings:
            print(told(findings))
        if flow is None:
            code = EXIT_FINDINGS
        else:
            print(_line(flow))
    return code
