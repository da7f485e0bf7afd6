"""``graft fix``: mend spaces, line ends and layout of leaves, never what they say."""

from __future__ import annotations

import argparse
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.common import below, policy, prefix, say, taxonomy
from pipelines.cli.head import crowded, head, head_options
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, GraftError, UsageError

if TYPE_CHECKING:
    from pipelines.findings import Tree
    from pipelines.fix import Fixed

HELP = "mend spaces, line ends and layout of leaves, never what they say"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="leaves or files; default: all")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if a file would change"
    )
    parser.add_argument("--diff", action="store_true", help="write nothing; show what would change")
    head_options(parser)
    parser.add_argument(
        "--strip",
        action="store_true",
        help="also delete spaces at line ends inside | and > blocks, where they belong to the text",
    )
    parser.add_argument(
        "--quote",
        action="store_true",
        help="also put Yes, No, numbers and dates in quotes where text belongs, as they are written",
    )


def command(args: argparse.Namespace) -> int:
    from pipelines.fix import Repairs, fix
    from pipelines.work_tree import WorkTree

    root = taxonomy(args)
    dry = args.check or args.diff
    other = head(args, root)
    if other is not None and not dry:
        raise UsageError("A commit cannot be mended; add --check or --diff to --head.")
    tree = WorkTree(root) if other is None else other.tree
    paths: Sequence[str] | None = list(_fixable(args.paths, root)) if args.paths else None
    if other is not None:
        paths = other.changed
        if too_many := crowded(other, policy(root)):
            raise GraftError(f"{too_many.message} {too_many.hint}")
    files = changed = failed = 0
    for found in fix(tree, paths, Repairs(strip=args.strip, quote=args.quote)):
        done = _do(tree, found, prefix(root), args)
        files += 1
        changed += done.changes
        failed += done.failed
    verb = "would change" if dry else "changed"
    noun = "file" if files == 1 else "files"
    print(f"{files} {noun} looked at: {changed} {verb}, {failed} with errors.")
    return EXIT_FINDINGS if failed or (args.check and changed) else EXIT_OK


def _do(tree: Tree, fixed: Fixed, before: str, args: argparse.Namespace) -> Fixed:
    """Write one file, or show what would be written, and say what was found."""
    from pipelines.fix import write
    from pipelines.text import visible
    from pipelines.work_tree import WorkTree

    dry = args.check or args.diff
    if fixed.changes and not dry and isinstance(tree, WorkTree):
        fixed = write(tree, fixed)
    name = visible(posixpath.join(before, fixed.path))
    for finding in fixed.findings:
        place = f"{name}:{finding.line}:{finding.column}: {finding.severity}"
        said = visible(f"{finding.message} {finding.hint}".rstrip())
        say(f"{place}: {said} [{finding.rule}]")
    if fixed.changes and args.diff:
        print("\n".join(visible(line) for line in _diff(fixed, name)))
    elif fixed.changes:
        print(f"{'would change' if dry else 'changed'}: {name}")
    return fixed


def _diff(fixed: Fixed, name: str) -> Iterator[str]:
    """The lines of a unified diff, without line ends."""
    import difflib

    old, new = (data.decode("utf-8", "replace").split("\n") for data in (fixed.before, fixed.after))
    # What is mended ends with a newline; what was there may not.
    new.pop()
    last = old.pop()
    old += [f"{last}\n\\ No newline at end of file"] if last else []
    for line in difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm=""):
        yield from line.split("\n")


def _fixable(paths: Sequence[str], root: Path) -> Iterator[str]:
    """The given paths from the root, less the files that belong to no leaf, each of which is told."""
    from pipelines.fix import is_fixable

    for given in paths:
        path = below(given, root)
        if is_fixable(path) or (root / path).is_dir():
            yield path
        else:
            say(f"{given}: left alone; only qna.yaml and attribution.txt of leaves are mended.")
