"""``graft import``: questions and answers from a table, into a new leaf or one that is there."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.authoring import (
    SKILL_FLAGS,
    from_root,
    given,
    leaf_flags,
    show_check,
    shown,
    write_leaf,
)
from pipelines.cli.common import say, taxonomy
from pipelines.cli.new import KINDS
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, GraftError, UsageError

if TYPE_CHECKING:
    from pipelines.author.columns import Import
    from pipelines.author.place import Places
    from pipelines.author.tables.sheet import Sheet

HELP = "make or extend a leaf from a table: CSV, XLSX, DOCX"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a table with a question and an answer a row")
    parser.add_argument("--kind", choices=KINDS, help="what a new leaf teaches")
    leaf_flags(parser, SKILL_FLAGS)
    parser.add_argument(
        "--columns",
        default="",
        metavar="question=NAME,answer=NAME[,context=NAME]",
        help="headers or numbers of the columns (default: question, answer, context)",
    )
    parser.add_argument("--sheet", default="", metavar="NAME", help="one sheet or table alone")
    parser.add_argument("--encoding", default="", help="of a CSV file that is not UTF-8")
    parser.add_argument("--delimiter", default="", metavar="SIGN", help="of a CSV file")


def command(args: argparse.Namespace) -> int:
    from pipelines.author.place import kind_of, read_places
    from pipelines.author.tables import read_tables
    from pipelines.author.tables.sheet import Reading
    from pipelines.leaves import WorkTree

    root = taxonomy(args)
    if not args.path:
        raise UsageError("Name the leaf with --path, one that is there or a new one.")
    places = read_places(WorkTree(root))
    path = from_root(root, args.path).strip("/")
    sheets = read_tables(Path(args.file), Reading(args.encoding, args.delimiter))
    if path in places.leaves:
        return _extend(args, root, path, sheets)
    return _make(args, root, args.kind or kind_of(path), sheets, places)


def _make(
    args: argparse.Namespace, root: Path, kind: str, sheets: list[Sheet], places: Places
) -> int:
    """A new leaf from the table's rows."""
    from pipelines.author.columns import import_rows
    from pipelines.author.leaf import NewLeaf, filled, lacking
    from pipelines.author.signoff import author_name
    from pipelines.author.sound import CONTEXT

    leaf = filled(NewLeaf(), given(args))
    leaf = replace(leaf, kind=kind, created_by=leaf.created_by or author_name(root))
    if missing := [flag for flag in lacking(leaf) if flag != "--seed"]:
        raise UsageError(
            f"There is no leaf {args.path} yet, and for a new one {', '.join(missing)} must be given."
        )
    rows = import_rows(sheets, args.columns, args.sheet, context=CONTEXT[kind], known=())
    _tell(rows)
    path = write_leaf(root, replace(leaf, seeds=rows.seeds), places)
    return show_check(root, path, commit=f"Add the leaf {path}" if args.commit else "") or _code(
        rows
    )


def _extend(args: argparse.Namespace, root: Path, path: str, sheets: list[Sheet]) -> int:
    """The rows at the end of a leaf that is there."""
    from pipelines.artifacts import write_atomic
    from pipelines.author.columns import import_rows
    from pipelines.author.extend import context_wanted, extended, known_seeds, read_leaf_source
    from pipelines.author.leaf import gathered
    from pipelines.leaves import LEAF_FILE, is_knowledge

    if extra := sorted(given(args).keys() - {"path", "kind"}):
        raise UsageError(f"{path} is there already, so --{extra[0].replace('_', '-')} has no use.")
    file = root / path / LEAF_FILE
    data = file.read_bytes()
    source = read_leaf_source(data, str(shown(file)))
    knowledge = is_knowledge(path, source.data)
    known = known_seeds(source.data)
    wanted = context_wanted(known, knowledge=knowledge)
    rows = import_rows(sheets, args.columns, args.sheet, context=wanted, known=known)
    _tell(rows)
    seeds = gathered(rows.seeds, knowledge=knowledge)
    write_atomic(file, extended(data, str(shown(file)), seeds, knowledge=knowledge))
    print(f"{shown(file)}: {len(rows.seeds)} questions are added.")
    message = f"Add questions to {path}" if args.commit else ""
    return show_check(root, path, commit=message) or _code(rows)


def _tell(rows: Import) -> None:
    """Say what was taken how, and every row that was not taken; ``GraftError`` where none was."""
    for note in rows.notes:
        say(f"note: {note}")
    for line in rows.unused:
        say(f"not used: {line}.")
    if not rows.seeds:
        raise GraftError(
            f"No row can be used ({len(rows.unused)} were looked at); nothing is written."
        )


def _code(rows: Import) -> int:
    return EXIT_FINDINGS if rows.unused else EXIT_OK
