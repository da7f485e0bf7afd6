"""``graft check``: find what is wrong in leaves."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from pipelines.cli.common import taxonomy
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, UsageError

HELP = "find what is wrong in leaves"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="leaves or files; default: all")
    parser.add_argument("--format", choices=("text", "json", "github"), default="text")
    parser.add_argument(
        "--also",
        nargs="+",
        action="extend",
        default=[],
        metavar="REF",
        help="branches to compare with too, such as open pull requests",
    )


def command(args: argparse.Namespace) -> int:
    from pipelines.check import check
    from pipelines.check.policy import load_policy
    from pipelines.check.render import FORMATS
    from pipelines.cli.near import compared
    from pipelines.leaves import WorkTree

    root = taxonomy(args)
    policy = next(
        (p for p in (root / "graft.yaml", root.parent / "graft.yaml") if p.is_file()), None
    )
    prefix = Path(os.path.relpath(root)).as_posix()
    paths = [_below(path, root) for path in args.paths] or None
    result = compared(
        partial(check, WorkTree(root), load_policy(policy), paths, "" if prefix == "." else prefix),
        root,
        whole=paths is None or "." in paths,
        also=args.also,
    )
    print(FORMATS[args.format](result), end="")
    errors = any(finding.severity == "error" for finding in result.findings)
    return EXIT_FINDINGS if errors else EXIT_OK


def _below(path: str, root: Path) -> str:
    """A path that the user gave, from the taxonomy's root."""
    full = Path(os.path.abspath(path))
    if not full.is_relative_to(root.resolve()):
        raise UsageError(f"{path} is not inside the taxonomy {root}.")
    if not full.exists():
        raise UsageError(f"{path}: there is no such file or folder.")
    return full.relative_to(root.resolve()).as_posix()
