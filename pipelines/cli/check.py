"""``graft check``: find what is wrong in leaves."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from pipelines.cli.common import cache, policy, taxonomy
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, UsageError

HELP = "find what is wrong in leaves"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="leaves or files; default: all")
    parser.add_argument(
        "--documents", action="store_true", help="also fetch and convert every document"
    )
    parser.add_argument(
        "--outdated", action="store_true", help="also say which pinned documents have moved on"
    )
    parser.add_argument("--format", choices=("text", "json", "github"), default="text")


def command(args: argparse.Namespace) -> int:
    from pipelines.check import RULES, check
    from pipelines.check.render import FORMATS
    from pipelines.leaves import WorkTree

    root = taxonomy(args)
    accepted = policy(root)
    rules = dict(RULES)
    if args.documents or args.outdated:
        from pipelines.check.remote import remote_rules

        rules |= remote_rules(cache(), accepted, fetch=args.documents, outdated=args.outdated)
    prefix = Path(os.path.relpath(root)).as_posix()
    result = check(
        WorkTree(root),
        accepted,
        [_below(path, root) for path in args.paths] or None,
        "" if prefix == "." else prefix,
        rules=rules,
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
