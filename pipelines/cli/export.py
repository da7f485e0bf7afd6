"""``graft export``: the training rows of a release or a run, for other trainers."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.cli.common import TARGET, cache, say, target_option
from pipelines.errors import EXIT_OK, GraftError, UsageError

HELP = "write the training rows of a release or a run for other trainers"
# The names of export.FORMATS, which is not imported for the sake of --help.
FORMATS = ("messages", "instructlab", "openai", "trl")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="messages",
        help="how rows are written; docs/generation.md tells each (default: messages)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--release", metavar="TAG", help="default: the last")
    which.add_argument("--run", type=Path, metavar="DIR", help="rows of this run: runs/… or runs/")
    parser.add_argument("--system", metavar="TEXT", default="", help="a system turn for every row")
    target_option(parser)
    parser.add_argument(
        "out", metavar="OUT", help="a file, or - ; with --format instructlab a folder"
    )


def command(args: argparse.Namespace) -> int:
    from pipelines.export import export, release_rows, run_rows
    from pipelines.release.targets import open_target

    if args.format == "instructlab" and (args.out == "-" or Path(args.out).is_file()):
        raise UsageError(f"--format instructlab writes two files: {args.out} must be a folder.")
    if args.format != "instructlab" and Path(args.out).is_dir():
        raise UsageError(f"{args.out} is a folder; name a file in it.")
    if args.run is not None:
        directory = _run(args.run)
        rows, name = run_rows(directory), directory.name
    else:
        target = open_target(args.target or TARGET, cache())
        tag = args.release or target.head()
        if tag is None:
            raise GraftError("The target holds no release yet; name a run with --run.")
        rows, name = release_rows(target, tag), tag
    for place, count in sorted(export(rows, args.format, args.system, args.out, name).items()):
        say(f"{count} rows in {place}")
    return EXIT_OK


def _run(path: Path) -> Path:
    """A run, or the latest of a folder of runs."""
    latest = path / "latest"
    return path / latest.read_text(encoding="utf-8").strip() if latest.is_file() else path
