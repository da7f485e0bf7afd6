"""``graft draft``: propose a knowledge leaf from a document, to be read by a person."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

from pipelines.cli.authoring import (
    from_root,
    given,
    leaf_flags,
    proposed,
    show_check,
    write_leaf,
)
from pipelines.cli.common import say, taxonomy
from pipelines.errors import UsageError

HELP = "propose a knowledge leaf from a document"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "document",
        metavar="DOCUMENT",
        help="Markdown, text, HTML, PDF, DOCX or reStructuredText; it is copied beside the leaf",
    )
    leaf_flags(parser, {})
    parser.add_argument(
        "--contexts", type=int, default=8, metavar="N", help="passages at most (default: 8)"
    )
    parser.add_argument(
        "--recipe", default="tiny", help="whose teacher writes the questions (default: tiny)"
    )


def command(args: argparse.Namespace) -> int:
    from pipelines.author.leaf import LEAST_SEEDS, NewLeaf, filled, lacking
    from pipelines.author.place import place, read_places, slug
    from pipelines.author.plant import read_document
    from pipelines.author.signoff import author_name
    from pipelines.documents import Document
    from pipelines.leaves import WorkTree

    root = taxonomy(args)
    if args.contexts < LEAST_SEEDS:
        raise UsageError(f"--contexts {args.contexts}: a leaf needs {LEAST_SEEDS} at least.")
    text = read_document(Path(args.document))
    title = args.title or _title(text, args.document)
    leaf = filled(NewLeaf(kind="knowledge"), given(args))
    path = from_root(root, leaf.path)
    area = path.removeprefix("knowledge/").split("/")[0].replace("_", " ")
    leaf = replace(
        leaf,
        title=title,
        domain=leaf.domain or area,
        created_by=leaf.created_by or author_name(root),
    )
    given_later = {"--outline", "--seed", "--domain"}  # the domain follows from the path
    missing = [flag for flag in lacking(leaf) if flag not in given_later]
    if missing:
        like = f", for example --path knowledge/AREA/TOPIC/{slug(title)}"
        raise UsageError(
            f"A draft still lacks {', '.join(missing)}{like if '--path' in missing else ''}."
        )
    places = read_places(WorkTree(root))
    place("knowledge", path, places)  # before the teacher is asked
    found = proposed(Document(args.document, text, title), args.recipe, args.contexts)
    leaf = replace(leaf, outline=leaf.outline or found.outline, seeds=found.seeds)
    path = write_leaf(root, leaf, places, draft=True)
    code = show_check(root, path, commit=f"Draft the leaf {path}" if args.commit else "")
    say(
        "The questions were proposed by a program: read each one, mend it, then delete the first line."
    )
    return code


def _title(text: str, path: str) -> str:
    """The first heading of level one; without any, the file's name in words."""
    heading = re.search(r"^#[ \t]+(.+?)[ \t#]*$", text, re.MULTILINE)
    return heading[1] if heading else Path(path).stem.replace("_", " ")
