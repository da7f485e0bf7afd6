"""What ``new``, ``draft`` and ``import`` share: a leaf's flags, writing it, its check, its commit."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.common import cache, policy, say
from pipelines.errors import EXIT_FINDINGS, EXIT_OK

if TYPE_CHECKING:
    from pipelines.author.drafting import Draft
    from pipelines.author.leaf import NewLeaf
    from pipelines.author.place import Places
    from pipelines.backends import Call
    from pipelines.documents import Document

_FLAGS = {
    "path": ("PATH", "where the leaf belongs, as in history/printing/gutenberg_press"),
    "title": ("TEXT", "title of the document or the examples, for attribution.txt"),
    "link": ("URL", "where that work can be found (default: -, your own)"),
    "licence": ("SPDX", "its licence, one of those that the policy permits"),
    "creator": ("NAMES", "who wrote it"),
    "created_by": ("NAME", "your name on GitHub (default: what Git knows)"),
    "domain": ("TEXT", "knowledge: the domain, in a word or two"),
    "outline": ("TEXT", "knowledge: what the document covers, in one line"),
}
SKILL_FLAGS = {
    "task": ("TEXT", "skills: the task, in one sentence"),
    "document": ("FILE", "knowledge: the document, Markdown or plain text; it is copied"),
}


def leaf_flags(parser: argparse.ArgumentParser, more: Mapping[str, tuple[str, str]]) -> None:
    """A flag for each text of a leaf that the command takes, and ``--commit``."""
    for name, (metavar, text) in {**_FLAGS, **more}.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=text)
    parser.add_argument("--commit", action="store_true", help="git commit -s what was written")


def given(args: argparse.Namespace) -> dict[str, str]:
    """The texts of the leaf that flags give."""
    names = ("kind", *_FLAGS, *SKILL_FLAGS)
    found = {name: getattr(args, name, None) for name in names}
    return {name: text for name, text in found.items() if text is not None}


def from_root(root: Path, path: str) -> str:
    """A leaf's path from the root, also where it was given as a path on disk (taxonomy/…)."""
    from pipelines.leaves import ROOTS

    full = Path(os.path.abspath(path))
    if path and path.split("/")[0] not in ROOTS and full.is_relative_to(root.resolve()):
        inner = full.relative_to(root.resolve()).as_posix()
        return inner if inner.split("/")[0] in ROOTS else path
    return path


def write_leaf(root: Path, leaf: NewLeaf, places: Places, *, draft: bool = False) -> str:
    """Write a new leaf whose texts are all given; gives its path from the root."""
    from pipelines.author.leaf import tidied
    from pipelines.author.place import nearly_the_same, place
    from pipelines.author.plant import leaf_files, plant
    from pipelines.author.scalars import on_one_line
    from pipelines.author.sound import sound

    path = place(leaf.kind, from_root(root, leaf.path), places)
    leaf = sound(replace(tidied(leaf), path=path), policy(root).licences)
    folder = plant(root, path, leaf_files(leaf, draft=draft))
    for new, neighbour in nearly_the_same(path, places):
        say(f"warning: there is {on_one_line(neighbour)} already; is {new} the same, misspelled?")
    print(f"{shown(folder)} is written.")
    return path


def proposed(document: Document, recipe: str, contexts: int) -> Draft:
    """Questions on a document, from the teacher of a recipe; its answers are kept."""
    import asyncio

    from pipelines.author.drafting import draft
    from pipelines.backends import open_backend
    from pipelines.generate.completions import Completions
    from pipelines.recipe import load_recipe

    settings = load_recipe(recipe).teacher
    with Completions(cache() / "calls.sqlite") as calls, asyncio.Runner() as runner:
        teacher = open_backend(settings)

        async def asked(wanted: Sequence[Call]) -> list[str]:
            given = await asyncio.gather(*(calls.answer(call, teacher) for call in wanted))
            return [answer.text for answer in given]

        try:
            return draft(document, settings, lambda wanted: runner.run(asked(wanted)), contexts)
        finally:
            runner.run(teacher.close())


def show_check(root: Path, path: str, *, commit: str = "") -> int:
    """Check one leaf and print what is found; ``commit``: the message of a commit, where one is due."""
    from pipelines.author.signoff import commit as commit_folder
    from pipelines.check import check
    from pipelines.check.render import FORMATS
    from pipelines.leaves import WorkTree

    prefix = Path(os.path.relpath(root)).as_posix()
    result = check(WorkTree(root), policy(root), [path], "" if prefix == "." else prefix)
    sys.stdout.writelines(FORMATS["text"](result))
    if commit and result.failed:
        say("It is not committed: mend what was found, then run git add and git commit -s.")
    elif commit:
        print(commit_folder(root, root / path, commit))
    return EXIT_FINDINGS if result.failed else EXIT_OK


def shown(path: Path) -> Path:
    """A path as a person would type it here."""
    return Path(os.path.relpath(path))
