"""What several commands share: options, the taxonomy they work on, and where they talk."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import GraftError, UsageError

if TYPE_CHECKING:
    from pipelines.policy import Policy
    from pipelines.release.targets import Target
    from pipelines.situation import Options
    from pipelines.vetoes import Vetoes

TARGET = "folder:releases"


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    """The parser of one command, with what every command takes."""
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.add_argument(
        "--taxonomy", type=Path, metavar="DIR", help="another tree (default: taxonomy/, or .)"
    )
    return parser


def taxonomy(args: argparse.Namespace) -> Path:
    """The tree to work on: as named, else taxonomy/ here, else here if it is laid out as one."""
    if args.taxonomy is not None:
        if not args.taxonomy.is_dir():
            raise UsageError(f"--taxonomy {args.taxonomy}: there is no such folder.")
        return Path(args.taxonomy)
    tops = ("knowledge", "compositional_skills", "foundational_skills")
    if Path("taxonomy").is_dir():
        return Path("taxonomy")
    if any(Path(top).is_dir() for top in tops):
        return Path()
    raise UsageError("There is no taxonomy/ here; go to the repository's root or name --taxonomy.")


def policy(root: Path) -> Policy:
    """The graft.yaml of the taxonomy ``root``, in it or beside it; the default where there is none."""
    from pipelines.check.policy import POLICY_FILE, load_policy

    return load_policy(beside(root, POLICY_FILE))


def vetoes(root: Path) -> Vetoes:
    """The vetoes.jsonl of the taxonomy ``root``, found as its graft.yaml is."""
    from pipelines.vetoes import VETO_FILE, load_vetoes

    return load_vetoes(beside(root, VETO_FILE))


def beside(root: Path, name: str) -> Path | None:
    """The file of that name in the taxonomy or the folder above it."""
    usual = [root / name]
    if not (root / ".git").exists():  # what lies above a repository is not its own
        usual.append(root.resolve().parent / name)
    path = next((path for path in usual if path.is_file()), None)
    return path and Path(os.path.relpath(path))


def cache() -> Path:
    """Where fetched documents and the teacher's answers are kept."""
    return Path(os.environ.get("GRAFT_CACHE", ".graft"))


def below(path: str, root: Path) -> str:
    """A path that the user gave, from the taxonomy's root; symlinks at its end are not followed."""
    top, given = Path(os.path.realpath(root)), Path(os.path.abspath(path))
    if os.path.realpath(given) == str(top):
        return "."
    full = Path(os.path.realpath(given.parent)) / given.name
    if not full.is_relative_to(top):
        hint = "name the tree that holds it with --taxonomy"
        raise UsageError(f"{path} is not inside the taxonomy {root}; {hint}.")
    if not os.path.lexists(full):
        raise UsageError(f"{path}: there is no such file or folder.")
    return full.relative_to(top).as_posix()


def prefix(root: Path) -> str:
    """What stands before the paths of the taxonomy when they are shown; "" where it is here."""
    shown = Path(os.path.relpath(root)).as_posix()
    return "" if shown == "." else shown


def target_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--target",
        help="where releases live: folder:PATH, hub:OWNER/NAME (default: folder:releases/)",
    )


def released(args: argparse.Namespace, tag: str | None) -> tuple[Target, str]:
    """The target that is named, and the release ``tag`` there, the last one where that is None."""
    from pipelines.release.targets import open_target

    target = open_target(args.target or TARGET, cache())
    found = tag or target.head()
    if found is None:
        raise GraftError("The target holds no release yet; `graft run` makes the first.")
    return target, found


def runs_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="where runs are kept (default: runs/)"
    )


def format_option(parser: argparse.ArgumentParser, json: str) -> None:
    """``--format``: text for people, or JSON; ``json`` says of which schema, or when it counts."""
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help=f"{json} (default: text)"
    )


def options(args: argparse.Namespace) -> Options:
    from pipelines.situation import Options

    root = taxonomy(args)
    return Options(
        taxonomy=root,
        recipe=getattr(args, "recipe", "tiny"),
        base=getattr(args, "base", None),
        head=getattr(args, "head", None),
        search=getattr(args, "search", 0),
        try_held=getattr(args, "try_held", False),
        target=args.target or TARGET,
        runs=getattr(args, "run", None) or Path("runs"),
        cache=cache(),
        policy=policy(root),
        vetoes=vetoes(root),
        allow=frozenset(getattr(args, "allow", ())),
        approvers=tuple(getattr(args, "approved_by", ())),
    )


def say(text: str) -> None:
    """Tell on standard error how a command gets on."""
    print(printable(text), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Contributed and generated text may hold what a terminal would obey: shown as it is written."""
    from pipelines.text import visible

    return visible(text, keep="\n\t")


def read_text(path: Path, missing: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise GraftError(missing) from None
