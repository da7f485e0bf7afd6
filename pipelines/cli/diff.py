"""``graft diff``: what changed in the taxonomy, leaf by leaf."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipelines.cli.common import (
    TARGET,
    cache,
    format_option,
    printable,
    say,
    target_option,
    taxonomy,
)
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, GraftError, ReleaseError, UsageError

if TYPE_CHECKING:
    from pipelines.changes import Recorded
    from pipelines.compare import Moment, Problem, Sides
    from pipelines.git import Repository
    from pipelines.records import Change, ExamSplit, Leaf
    from pipelines.trees import CommitTree

HELP = "show what changed in the taxonomy, leaf by leaf"
INDEX, WORK_TREE = "index", "work tree"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "base",
        nargs="?",
        metavar="BASE",
        help="where HEAD left from: the two are compared from their merge base (default: HEAD); "
        "A...B is the same, A..B compares the two commits themselves",
    )
    parser.add_argument(
        "head", nargs="?", metavar="HEAD", help="default: the files as they are now"
    )
    parser.add_argument("--staged", action="store_true", help="compare with the index")
    parser.add_argument("--exact", action="store_true", help="compare with BASE itself")
    parser.add_argument(
        "--all", action="store_true", help="list also leaves whose meaning is as it was"
    )
    format_option(parser, "JSON as in schema/changes.json")
    target_option(parser)


def command(args: argparse.Namespace) -> int:
    from pipelines.compare import differing

    place = _place(args)
    names, base, head = _moments(_range(args), place)
    sides = differing(base, head, meaning_only=not args.all)
    found = sides.changes(*names, _recorded(args.target or TARGET))
    if args.all:
        found = sides.with_idle(found)
    for problem in sides.problems:
        say(_finding(problem, place.shown, names))
    if args.format == "json":
        from pipelines.changes import changeset_to_json

        print(json.dumps(changeset_to_json(found), indent=2))
    else:
        for change in found.changes:
            print(_line(change, sides))
        if not found.changes:
            print("No other leaf changed." if sides.problems else "No leaf changed.")
    return EXIT_FINDINGS if sides.problems else EXIT_OK


# --- what is compared ------------------------------------------------------------------------


class Asked(NamedTuple):
    """Two refs. No ``base``: HEAD; no ``head``: the work tree or the index."""

    base: str | None
    head: str | None
    exact: bool
    staged: bool


class Place(NamedTuple):
    """The taxonomy: its folder on disk, and ``prefix`` in the repository; ``shown`` before paths."""

    repository: Repository
    root: Path
    prefix: str
    shown: str


def _range(args: argparse.Namespace) -> Asked:
    """What the words of the command line ask for."""
    base, head, exact = args.base, args.head, args.exact
    dots = next((dots for dots in ("...", "..") if base is not None and dots in base), None)
    if dots is not None:
        if head is not None:
            raise UsageError(f"{base} names both commits already; leave out {head}.")
        if dots == "..." and exact:
            raise UsageError("A...B asks for the merge base and --exact for none; take A..B.")
        base, head = (ref or "HEAD" for ref in base.split(dots, 1))
        exact = dots == ".."
    if args.staged and head is not None:
        raise UsageError(f"--staged compares with the index; leave out {head}.")
    return Asked(base, head, exact, args.staged)


def _place(args: argparse.Namespace) -> Place:
    """The taxonomy; in a bare repository it is taxonomy/ there, or the whole of it."""
    from pipelines.git import open_repository

    try:
        root = taxonomy(args)
    except UsageError:
        # A bare repository shows no folder to find.
        root = Path()
        if args.taxonomy is not None or not _is_bare(root):
            raise
    repository = open_repository(root)
    if repository.bare:
        return Place(repository, root, "", "")
    shown = Path(os.path.relpath(root)).as_posix()
    return Place(repository, root, repository.prefix(root), "" if shown == "." else shown)


def _is_bare(folder: Path) -> bool:
    from pipelines.git import open_repository

    try:
        return open_repository(folder).bare
    except GraftError:
        return False


def _moments(asked: Asked, place: Place) -> tuple[tuple[str, str], CommitTree, Moment]:
    """The names of the two sides, and their trees."""
    from pipelines.git import NOTHING

    repository = place.repository
    base = None  # before the first commit every leaf is new
    if asked.base is not None or asked.head is not None or not repository.unborn:
        old, new = asked.base or "HEAD", asked.head or "HEAD"
        base = repository.resolve(old) if asked.exact else repository.merge_base(old, new)
    name = base or NOTHING
    if asked.head is not None:
        head = repository.resolve(asked.head)
        prefix = place.prefix or _bare_prefix(repository, head)
        return (name, head), repository.tree(base, prefix), repository.tree(head, prefix)
    if asked.staged:
        staged = repository.index(base, place.prefix)
        return (name, INDEX), staged.base, staged
    from pipelines.leaves import WorkTree

    now = repository.work_tree(base, place.prefix, WorkTree(place.root))
    return (name, WORK_TREE), now.base, now


def _bare_prefix(repository: Repository, commit: str) -> str:
    """Where a bare repository has its taxonomy: in taxonomy/ where there is one, else at its root."""
    if not repository.bare:
        return ""
    from pipelines.leaves import ROOTS

    inner = repository.tree(commit, "").listing("taxonomy")
    return "taxonomy" if any(root in inner for root in ROOTS) else ""


def _recorded(spec: str) -> Recorded:
    """The exam splits of the last release; its long manifest is read when the first is asked for."""

    @functools.cache
    def release() -> Recorded | None:
        kind, _, place = spec.partition(":")
        if kind == "folder" and place and not os.path.lexists(place):
            return None  # as most often: spare the import of what reads releases
        from pipelines.release.targets import open_target

        target = open_target(spec, cache())
        with _said():
            tag = target.head()
            if tag is not None:
                from pipelines.situation import Recorded

                return Recorded(target, target.manifest(tag))
        return None

    def ask(leaf: Leaf) -> ExamSplit | None:
        known = release()
        with _said():
            return known(leaf) if known else None
        return None

    return ask


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """A damaged release keeps nobody from seeing what changed."""
    try:
        yield
    except ReleaseError as error:
        say(f"graft: {error} Its exam seeds are taken for ordinary ones here.")


# --- what is said ----------------------------------------------------------------------------


def _line(change: Change, sides: Sides) -> str:
    """One change on one line."""
    from pipelines.changes import differences

    origin = f" (was {change.previous_leaf})" if change.previous_leaf else ""
    seeds = change.seeds
    counts = f"seeds +{len(seeds.added)} -{len(seeds.removed)} ~{len(seeds.changed)}"
    beside = ""
    if change.status in ("modified", "renamed"):
        old, new = sides.base[change.previous_leaf or change.leaf], sides.head[change.leaf]
        words = differences(old, new)
        beside = f" ({', '.join(words)})" if words else ""
    return printable(
        f"{change.status:9} {change.leaf}{origin}  {counts}  redoes: {change.invalidates}{beside}"
    )


def _finding(problem: Problem, shown: str, names: tuple[str, str]) -> str:
    """A leaf that was not compared: where it is broken, in which tree, and how to mend it."""
    error = problem.error
    name = names[problem.side == "head"]
    path = posixpath.join(shown, error.path)
    text = f"{path}:{error.line}:{error.column}: {error.message} {error.hint}".rstrip()
    return printable(f"{text} Not compared: so it is in the {problem.side}, {name}.")
