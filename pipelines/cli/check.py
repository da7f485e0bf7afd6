"""``graft check``: find what is wrong in leaves."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipelines.cli.common import below, prefix, taxonomy
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, UsageError

if TYPE_CHECKING:
    from pipelines.check.subject import Rule

HELP = "find what is wrong in leaves"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="leaves or files; default: all")
    parser.add_argument("--format", choices=("text", "json", "github"), default="text")
    parser.add_argument("--rule", action="append", metavar="ID", help="only this rule; repeatable")


def command(args: argparse.Namespace) -> int:
    from pipelines.check import check
    from pipelines.check.policy import load_policy
    from pipelines.check.render import FORMATS
    from pipelines.leaves import WorkTree

    root = taxonomy(args)
    policy = next(
        (p for p in (root / "graft.yaml", root.parent / "graft.yaml") if p.is_file()), None
    )
    result = check(
        WorkTree(root),
        load_policy(policy),
        [below(path, root) for path in args.paths] or None,
        prefix(root),
        rules=_rules(args.rule),
    )
    print(FORMATS[args.format](result), end="")
    errors = any(finding.severity == "error" for finding in result.findings)
    return EXIT_FINDINGS if errors else EXIT_OK


def _rules(names: Sequence[str] | None) -> Mapping[str, Rule]:
    """The rules of these ids; all of them without any."""
    from pipelines.check import RULES

    for name in names or ():
        if name not in RULES:
            raise UsageError(f"There is no rule {name}; the rules are: {', '.join(RULES)}.")
    return {name: RULES[name] for name in names or RULES}
