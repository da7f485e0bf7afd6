"""``graft new``: make a leaf, by asking for it or from flags."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.authoring import (
    SKILL_FLAGS,
    given,
    leaf_flags,
    show_check,
    write_leaf,
)
from pipelines.cli.common import policy, read_text, say, taxonomy
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from pipelines.author.leaf import NewLeaf, NewSeed
    from pipelines.author.near import Questions
    from pipelines.author.place import Places

HELP = "make a leaf: asked for step by step, or from flags"
KINDS = ("knowledge", "grounded", "freeform", "foundational")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind", choices=KINDS, help="what the leaf teaches")
    leaf_flags(parser, SKILL_FLAGS)
    parser.add_argument(
        "--seed",
        action="append",
        nargs="+",
        metavar="TEXT",
        help="QUESTION ANSWER [CONTEXT], once for each seed; pairs with one context are one seed",
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help="JSON with the same names and seed_examples as in qna.yaml; - is standard input",
    )


def command(args: argparse.Namespace) -> int:
    from pipelines.author.near import Questions
    from pipelines.author.place import read_places
    from pipelines.leaves import WorkTree

    root = taxonomy(args)
    tree = WorkTree(root)
    places = read_places(tree)
    questions = Questions(tree, sorted(places.leaves))
    if not (given(args) or args.seed or args.source):
        return _asked(root, places, questions, commit=args.commit)
    leaf = _from_flags(args, root)
    _hint(leaf, questions)
    path = write_leaf(root, leaf, places)
    return show_check(root, path, commit=f"Add the leaf {path}" if args.commit else "")


def _from_flags(args: argparse.Namespace, root: Path) -> NewLeaf:
    """The leaf that ``--from`` and the flags give; a flag outdoes the file."""
    from pipelines.author.leaf import NewLeaf, filled, from_json, lacking
    from pipelines.author.place import kind_of
    from pipelines.author.signoff import author_name
    from pipelines.cli.authoring import from_root

    leaf = from_json(_json(args.source), args.source) if args.source else NewLeaf()
    leaf = filled(replace(leaf, seeds=(*leaf.seeds, *_seeds(args.seed or []))), given(args))
    kind = leaf.kind or kind_of(from_root(root, leaf.path))
    leaf = replace(leaf, kind=kind, created_by=leaf.created_by or author_name(root))
    if missing := lacking(leaf):
        raise UsageError(
            f"The leaf still lacks {', '.join(missing)}; give them, or run graft new without flags on "
            "a terminal to be asked."
        )
    return leaf


def _json(source: str) -> object:
    if source == "-":
        try:
            text = sys.stdin.buffer.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UsageError("--from -: standard input is not UTF-8.") from None
    else:
        text = read_text(Path(source), f"{source} cannot be read.")
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise UsageError(f"--from {source}: this is not JSON: {error}.") from None
    except RecursionError:
        raise UsageError(f"--from {source}: the JSON is nested too deep.") from None


def _seeds(groups: list[list[str]]) -> list[NewSeed]:
    from pipelines.author.leaf import NewSeed
    from pipelines.records import QuestionAnswer

    found = []
    for words in groups:
        if not 2 <= len(words) <= 3:
            raise UsageError(
                f"--seed takes QUESTION ANSWER and perhaps CONTEXT, not {len(words)} texts; put each "
                "in quotes."
            )
        context = words[2] if len(words) == 3 else ""
        found.append(NewSeed(context, (QuestionAnswer(words[0], words[1]),)))
    return found


def _hint(leaf: NewLeaf, questions: Questions) -> None:
    """Say which questions the tree asks already."""
    for seed in leaf.seeds:
        for pair in seed.pairs:
            for asked in questions.near(pair.question):
                say(f"warning: nearly the same question: {asked}")
    if questions.left_out:
        say(f"note: {questions.left_out} leaves of this large tree were not compared.")


def _asked(root: Path, places: Places, questions: Questions, *, commit: bool) -> int:
    """The wizard."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "There is no terminal to ask on: give --kind, --path, --title, --licence, --creator, "
            "--created-by, --seed, and --task (skills) or --document, --domain and --outline "
            "(knowledge), or --from FILE."
        )
    from pipelines.author.asking import Terminal
    from pipelines.author.kept import Kept
    from pipelines.author.signoff import author_name, in_repository
    from pipelines.author.wizard import Setting, Wizard

    terminal = Terminal()
    kept = Kept(Path(os.environ.get("GRAFT_CACHE", ".graft")))
    setting = Setting(places, questions, policy(root).licences, author_name(root))
    leaf = Wizard(terminal, setting, kept).run()
    if not commit and in_repository(root):
        commit = terminal.confirm("Commit it with your sign-off (git commit -s)?", False)
    path = write_leaf(root, leaf, places)
    kept.clear()
    return show_check(root, path, commit=f"Add the leaf {path}" if commit else "")
