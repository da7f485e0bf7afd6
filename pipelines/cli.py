"""The command line: ``graft`` = ``python -m pipelines``. Run ``graft --help``.

One short function a command; heavy imports stay inside, so that ``graft check`` starts at once.
Results go to standard output, progress to standard error. Exit codes are those of ``errors``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pipelines.errors import (
    EXIT_BUG,
    EXIT_FINDINGS,
    EXIT_OK,
    EXIT_RESUMABLE,
    GraftError,
    UsageError,
)

if TYPE_CHECKING:
    from pipelines.records import Plan
    from pipelines.situation import Options

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # Read once, when torch starts its threads: idle ones sleep, or a busy core slows each step tenfold.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    args = _parser().parse_args(argv)
    command: Command = args.command
    try:
        return command(args)
    except GraftError as error:
        print(f"graft: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("graft: stopped; run the same command again to go on from here.", file=sys.stderr)
        return EXIT_RESUMABLE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except Exception:
        traceback.print_exc()
        print("graft: this is a bug of Graft's; please report it with the above.", file=sys.stderr)
        return EXIT_BUG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graft", description="Grow a language model from a taxonomy of skills and knowledge."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    check = _add(commands, "check", _check, "find what is wrong in leaves")
    check.add_argument("paths", nargs="*", metavar="PATH", help="leaves or files; default: all")
    check.add_argument("--format", choices=("text", "json", "github"), default="text")

    diff = _add(commands, "diff", _diff, "show what changed in the taxonomy, leaf by leaf")
    diff.add_argument("base", nargs="?", default="HEAD", metavar="BASE", help="default: HEAD")
    diff.add_argument("head", nargs="?", metavar="HEAD", help="default: the files as they are now")
    diff.add_argument("--format", choices=("text", "json"), default="text")

    run = _add(commands, "run", _run, "generate, train, evaluate, report and release what changed")
    run.add_argument("--recipe", default="tiny", help="a recipe's name or file (default: tiny)")
    run.add_argument("--base", help="the branch that this one leaves; only its own changes count")
    run.add_argument("--run", type=Path, metavar="DIR", help="where runs are kept (default: runs/)")
    run.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    _target_option(run)

    status = _add(commands, "status", _status, "show how far a run is")
    status.add_argument("run", nargs="?", type=Path, metavar="RUN", help="default: the latest")

    log = _add(commands, "log", _log, "list the releases, newest first")
    _target_option(log)

    release = _add(commands, "release", None, "look after releases")
    actions = release.add_subparsers(metavar="ACTION", required=True)
    verify = _add(actions, "verify", _verify, "check every digest and the ancestry of a release")
    verify.add_argument("tag", nargs="?", metavar="TAG", help="default: the last")
    _target_option(verify)
    withdraw = _add(actions, "withdraw", _withdraw, "take a leaf out of the model for good")
    withdraw.add_argument("leaf", metavar="LEAF")
    withdraw.add_argument("--reason", default="withdrawn by its author")
    withdraw.add_argument("--recipe", default="tiny")
    withdraw.add_argument("--plan", action="store_true", help="say what it would take; do nothing")
    _target_option(withdraw)

    _add(commands, "doctor", _doctor, "say what this machine can run, and what is missing")
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    function: Command | None,
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    if function is not None:
        parser.set_defaults(command=function)
        parser.add_argument(
            "--taxonomy", type=Path, metavar="DIR", help="another tree (default: taxonomy/, or .)"
        )
    return parser


def _target_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", help="where releases live (default: folder:releases/)")


def _taxonomy(args: argparse.Namespace) -> Path:
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


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _check(args: argparse.Namespace) -> int:
    from pipelines.check import check
    from pipelines.check.policy import load_policy
    from pipelines.check.render import FORMATS
    from pipelines.leaves import WorkTree

    root = _taxonomy(args)
    policy = next(
        (p for p in (root / "graft.yaml", root.parent / "graft.yaml") if p.is_file()), None
    )
    prefix = Path(os.path.relpath(root)).as_posix()
    result = check(
        WorkTree(root),
        load_policy(policy),
        [_below(path, root) for path in args.paths] or None,
        "" if prefix == "." else prefix,
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


def _diff(args: argparse.Namespace) -> int:
    from pipelines.changes import changeset_to_json, diff
    from pipelines.git import open_repository
    from pipelines.leaves import WorkTree
    from pipelines.situation import readable

    root = _taxonomy(args)
    repository = open_repository(root)
    prefix = repository.prefix(root)
    if args.head is None:
        base, head = repository.resolve(args.base), "work tree"
        after = readable(WorkTree(root))
    else:
        base, head = repository.merge_base(args.base, args.head), repository.resolve(args.head)
        after = readable(repository.tree(head, prefix))
    before = readable(repository.tree(base, prefix))
    found = diff(before, after, base_name=base, head_name=head)
    if args.format == "json":
        print(json.dumps(changeset_to_json(found), indent=2, ensure_ascii=False))
        return EXIT_OK
    for change in found.changes:
        origin = f" (was {change.previous_leaf})" if change.previous_leaf else ""
        seeds = change.seeds
        counts = f"seeds +{len(seeds.added)} -{len(seeds.removed)} ~{len(seeds.changed)}"
        print(f"{change.status:9} {change.leaf}{origin}  {counts}  redoes: {change.invalidates}")
    if not found.changes:
        print("No leaf changed.")
    return EXIT_OK


def _options(args: argparse.Namespace) -> Options:
    from pipelines.situation import Options

    root = _taxonomy(args)
    return Options(
        taxonomy=root,
        recipe=getattr(args, "recipe", "tiny"),
        base=getattr(args, "base", None),
        target=args.target or "folder:releases",
        runs=getattr(args, "run", None) or Path("runs"),
        cache=Path(os.environ.get("GRAFT_CACHE", ".graft")),
    )


def _run(args: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    from pipelines.run import plan, run

    options = _options(args)
    if args.plan:
        _, _, decided = plan(options)
        _print_plan(decided)
        return EXIT_OK
    outcome = run(options, _say)
    if outcome.evaluation is not None and outcome.directory is not None:
        print(f"verdict: {outcome.evaluation.verdict}")
        for reason in outcome.evaluation.reasons:
            print(f"  {reason}")
        print(f"report:  {outcome.directory / 'report' / 'report.html'}")
    print(f"release: {outcome.release or 'none'}")
    if outcome.plan.action == "nothing":
        print("Nothing to do.")
    return EXIT_OK if outcome.accepted else EXIT_FINDINGS


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _print_plan(decided: Plan) -> None:
    print(f"{decided.action}: {decided.reason}")
    print(f"compares with: {decided.previous or 'nothing'}")
    print(f"continues:     {decided.continues or 'nothing'}")
    for leaf in decided.learn:
        print(f"  learn {leaf}{' (corrected)' if leaf in decided.corrected else ''}")
    for gone in decided.retired:
        print(f"  drop  {gone.leaf} ({gone.reason})")


def _status(args: argparse.Namespace) -> int:
    runs = Path("runs")
    directory = args.run or runs / _read(runs / "latest", "There is no run here yet.").strip()
    decided = json.loads(_read(directory / "plan.json", f"{directory} is not a run."))
    print(f"{directory}: {decided['action']}: {decided['reason']}")
    weights = "base" if decided["action"] == "bootstrap" else "adapter"
    for name in ("dataset", weights, "evaluation", "report", "release"):
        done = (directory / name / "stage.json").is_file()
        print(f"  {name:10} {'finished' if done else 'not yet'}")
    return EXIT_OK


def _read(path: Path, missing: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise GraftError(missing) from None


def _log(args: argparse.Namespace) -> int:
    from pipelines.release.targets import open_target

    target = open_target(args.target or "folder:releases")
    for tag in reversed(target.tags()):
        manifest = target.manifest(tag)
        verdict = manifest.evaluation.get("verdict", "")
        origin = manifest.continues or "nothing"
        print(f"{tag}  {len(manifest.leaves)} leaves  {verdict}  continues {origin}")
    if target.head() is None:
        print("There is no release yet.")
    return EXIT_OK


def _verify(args: argparse.Namespace) -> int:
    from pipelines.release.targets import open_target
    from pipelines.release.verify import verify

    target = open_target(args.target or "folder:releases")
    tag = args.tag or target.head()
    if tag is None:
        raise GraftError("The target holds no release yet.")
    problems = verify(target, tag)
    print("\n".join(problems) or f"{tag}: every digest agrees.")
    return EXIT_FINDINGS if problems else EXIT_OK


def _withdraw(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from pipelines.plan import make_plan
    from pipelines.recipe import load_recipe
    from pipelines.situation import look, wanted

    now = look(_options(args))
    if now.past is None or args.leaf not in now.past.previous.leaves:
        raise GraftError(f"The last release does not hold the leaf {args.leaf}.")
    content_hash = now.past.previous.leaves[args.leaf].content_hash
    past = replace(now.past, withdrawn=frozenset({*now.past.withdrawn, content_hash}))
    _print_plan(make_plan(wanted(now), past, load_recipe(args.recipe)))
    if not args.plan:
        now.target.withdraw(args.leaf, content_hash, args.reason)
        print(f"{args.leaf} is withdrawn; delete it from the tree, and `graft run` rebuilds.")
    return EXIT_OK


def _doctor(args: argparse.Namespace) -> int:
    from pipelines.doctor import examine

    for line in examine():
        print(line)
    return EXIT_OK
