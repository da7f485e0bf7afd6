"""``graft status``: how far a run is."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipelines.cli.common import read_text
from pipelines.errors import EXIT_OK

HELP = "show how far a run is"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help="default: the latest")


def command(args: argparse.Namespace) -> int:
    runs = Path("runs")
    directory = args.run or runs / read_text(runs / "latest", "There is no run here yet.").strip()
    decided = json.loads(read_text(directory / "plan.json", f"{directory} is not a run."))
    print(f"{directory}: {decided['action']}: {decided['reason']}")
    weights = "base" if decided["action"] == "bootstrap" else "adapter"
    for name in ("dataset", weights, "evaluation", "report", "release"):
        done = (directory / name / "stage.json").is_file()
        print(f"  {name:10} {'finished' if done else 'not yet'}")
    return EXIT_OK
