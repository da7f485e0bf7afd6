"""``graft check``: find what is wrong in leaves."""

from __future__ import annotations

import argparse
import contextlib
import os
import posixpath
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.common import below, beside, cache, policy, prefix, taxonomy
from pipelines.cli.head import Head, crowded, head, head_options, misplaced, unsigned
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, UsageError
from pipelines.leaf_files import LEAF_FILE, ROOTS, VETO_FILE

if TYPE_CHECKING:
    from pipelines.check.subject import Rule
    from pipelines.findings import Finding, Tree
    from pipelines.policy import Policy

HELP = "find what is wrong in leaves"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="leaves or files; default: all")
    parser.add_argument(
        "--documents", action="store_true", help="also fetch and convert every document"
    )
    parser.add_argument(
        "--outdated", action="store_true", help="also say which pinned documents have moved on"
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "github"),
        default="text",
        help="lines for people, JSON (schema/findings.json), or annotations of a pull request",
    )
    parser.add_argument(
        "--policy",
        metavar="FILE",
        help="what is accepted (default: graft.yaml in the taxonomy or beside it)",
    )
    parser.add_argument(
        "--policy-ref",
        metavar="REF",
        help="read the policy from this commit, as CI does, not from the files at hand",
    )
    parser.add_argument("--rule", action="append", metavar="ID", help="only this rule; repeatable")
    parser.add_argument(
        "--also",
        nargs="+",
        action="extend",
        default=[],
        metavar="REF",
        help="branches to compare with too, such as open pull requests",
    )
    parser.add_argument(
        "--compat",
        choices=("instructlab",),
        default="",
        help="give the verdict of instructlab-schema 0.4.2 and apply no rule of our own",
    )
    head_options(parser)
    parser.add_argument(
        "--signed-off",
        action="store_true",
        help="with --base: also that every commit since then is signed off by its author",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core)")


def command(args: argparse.Namespace) -> int:
    from pipelines.check import How, check
    from pipelines.check.parallel import processors
    from pipelines.check.render import FORMATS, as_text, wants_colour
    from pipelines.check.subject import CheckResult
    from pipelines.cli.near import compared
    from pipelines.yaml_source import MAX_FINDINGS

    root = taxonomy(args)
    accepted = _policy(args, root)
    rules = _rules(args.rule)
    if args.documents or args.outdated:
        from pipelines.check.remote import remote_rules

        remote = remote_rules(cache(), accepted, fetch=args.documents, outdated=args.outdated)
        rules = {**rules, **remote}
    other = head(args, root)
    if args.signed_off and (other is None or other.whole):
        raise UsageError("--signed-off reads the commits between --base and --head; name both.")
    beside_it = _vetoes_beside(args, root, other) if "vetoes" in rules else ()
    tree, paths = _tree(args, root, other)
    how = How(args.compat, args.jobs or processors())
    run = partial(check, tree, accepted, paths, prefix(root), rules=rules, how=how)
    too_many = crowded(other, accepted) if other is not None else None
    if too_many:
        result = CheckResult(0, (too_many,))
    elif args.compat:
        result = run()
    else:
        result = compared(run, root, whole=paths is None or "." in paths, also=args.also)
    signed = unsigned(other) if args.signed_off and other is not None else ()
    lost = () if args.compat or args.rule else _misplaced(args, root, other)
    result = result._replace(
        findings=(*signed, *beside_it, *islice(lost, MAX_FINDINGS), *result.findings)
    )
    if args.format == "text":
        sys.stdout.writelines(as_text(result, colour=wants_colour(sys.stdout, os.environ)))
    else:
        sys.stdout.writelines(FORMATS[args.format](result))
    errors = any(finding.severity == "error" for finding in result.findings)
    return EXIT_FINDINGS if errors else EXIT_OK


def _tree(
    args: argparse.Namespace, root: Path, other: Head | None
) -> tuple[Tree, Sequence[str] | None]:
    """Whose leaves are checked, and which of them; None for all."""
    from pipelines.work_tree import WorkTree

    if other is not None:
        return other.tree, other.changed
    if not args.paths:
        plain = not (args.compat or args.rule)
        return WorkTree(root), [".", *_other_folders(root)] if plain else None
    above = _vetoes_above(root)
    return WorkTree(root), [below(path, root) for path in args.paths if not _is(path, above)]


def _other_folders(root: Path) -> Iterator[str]:
    """What lies beside the roots and may hold a leaf by mistake; nothing where other things belong there."""
    if not (root / ".git").exists():
        for entry in os.scandir(root):
            folder = entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            if entry.name == LEAF_FILE or (folder and entry.name not in ROOTS):
                yield entry.name


def _misplaced(args: argparse.Namespace, root: Path, other: Head | None) -> Iterator[Finding]:
    """Leaves beside the taxonomy's folder, as of one who has left out its name."""
    from pipelines.check.strays import outside
    from pipelines.work_tree import WorkTree

    if other is not None:
        yield from () if other.whole else misplaced(other, root)
    elif not args.paths and args.taxonomy is None and root != Path():
        for file in (file for top in ROOTS for file in WorkTree(Path()).files(top)):
            if posixpath.basename(file) == LEAF_FILE:
                yield outside(file, prefix(root))


def _vetoes_above(root: Path) -> Path | None:
    """The vetoes.jsonl beside the taxonomy's folder; None where there is none, or it lies inside."""
    found = beside(root, VETO_FILE)
    return None if found is None or _is(str(root / VETO_FILE), found) else found


def _is(path: str, file: Path | None) -> bool:
    return file is not None and os.path.realpath(path) == os.path.realpath(file)


def _vetoes_beside(args: argparse.Namespace, root: Path, other: Head | None) -> Iterator[Finding]:
    """What is wrong with the vetoes that lie beside the taxonomy's folder; those in it are the rule's."""
    from pipelines.check.vetoes import found_in
    from pipelines.vetoes import veto_bytes
    from pipelines.yaml_source import MAX_FINDINGS

    above = _vetoes_above(root) if other is None else root.parent / VETO_FILE
    if args.compat or above is None or (args.paths and not any(_is(p, above) for p in args.paths)):
        return iter(())
    data = veto_bytes(above) if other is None else _vetoes_of(other, root)
    shown = Path(os.path.relpath(above)).as_posix()
    return islice(found_in(data, shown), MAX_FINDINGS)


def _vetoes_of(other: Head, root: Path) -> bytes:
    """The vetoes beside the taxonomy's folder in a commit; none where its folder has some, or is all."""
    folder = other.repository.prefix(root)
    if not folder:
        return b""
    with contextlib.suppress(FileNotFoundError):
        other.tree.read(VETO_FILE)
        return b""
    with contextlib.suppress(FileNotFoundError):
        return other.repository.tree(other.commit, posixpath.dirname(folder)).read(VETO_FILE)
    return b""


def _policy(args: argparse.Namespace, root: Path) -> Policy:
    """The policy that was named, or the one of the tree; of a commit where one is named."""
    from pipelines.check.policy import load_policy

    if args.policy_ref:
        return _policy_of_commit(args, root)
    if args.policy:
        if not Path(args.policy).is_file():
            raise UsageError(f"--policy {args.policy}: there is no such file.")
        return load_policy(Path(args.policy))
    return policy(root)


def _policy_of_commit(args: argparse.Namespace, root: Path) -> Policy:
    """As ``_policy``, from Git's objects alone: nothing in the work tree has a say."""
    from pipelines.check.policy import POLICY_FILE, Policy, parse_policy
    from pipelines.git import open_repository

    repository = open_repository(root)
    folder = repository.prefix(root)
    if args.policy:
        above = repository.prefix(Path(args.policy).absolute().parent)
        usual = [posixpath.join(above, Path(args.policy).name)]
    else:
        usual = [posixpath.join(top, POLICY_FILE) for top in (folder, posixpath.dirname(folder))]
    tree = repository.tree(args.policy_ref, "")
    for path in usual:
        with contextlib.suppress(FileNotFoundError):
            return parse_policy(tree.read(path), f"{args.policy_ref}:{path}")
    if args.policy:
        raise UsageError(f"--policy {args.policy}: {args.policy_ref} holds no such file.")
    return Policy()


def _rules(names: Sequence[str] | None) -> Mapping[str, Rule]:
    """The rules of these ids; without any ``RULES`` itself, which worker processes know."""
    from pipelines.check import RULES

    for name in names or ():
        if name not in RULES:
            raise UsageError(f"There is no rule {name}; the rules are: {', '.join(RULES)}.")
    return {name: RULES[name] for name in names} if names else RULES
