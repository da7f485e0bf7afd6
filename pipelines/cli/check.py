"""``graft check``: find what is wrong in leaves."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from pipelines.cli.common import taxonomy
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, UsageError

HELP = "find what is wrong in leaves"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="leaves or files; default: all")
    parser.add_argument("--format", choices=("text", "json", "github"), default="text")
    parser.add_argument(
        "--compat",
        choices=("instructlab",),
        default="",
        help="give the verdict of instructlab-schema 0.4.2 and apply no rule of our own",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core)")


def command(args: argparse.Namespace) -> int:
    from pipelines.check import How, check
    from pipelines.check.parallel import processors
    from pipelines.check.policy import load_policy
    from pipelines.check.render import FORMATS
    from pipelines.work_tree import WorkTree

    root = taxonomy(args)
    policy = next(
        (p for p in (root / "graft.yaml", root.parent / "graft.yaml") if p.is_file()), None
    )
    prefix = Path(os.path.relpath(root)).as_posix()
    result = check(
        WorkTree(root),
        load_policy(policy),
        [_below(path, root) for path in args.paths] or None,
        "" if prefix == "." else prefix,
        how=How(args.compat, args.jobs or processors()),
    )
    print(FORMATS[args.format](result), end="")
    errors = any(finding.severity == "error" for finding in result.findings)
    return EXIT_FINDINGS if errors else EXIT_OK


def _below(path: str, root: Path) -> str:
    """A path that the user gave, from the taxonomy's root."""
    # The folder may be reached through links; a link at the end is the reader's to refuse.
    folder, name = os.path.split(os.path.abspath(path))
    full = Path(os.path.realpath(folder), name)
    if not full.is_relative_to(root.resolve()):
        raise UsageError(f"{path} is not inside the taxonomy {root}.")
    if not os.path.lexists(full):
        raise UsageError(f"{path}: there is no such file or folder.")
    return full.relative_to(root.resolve()).as_posix()
