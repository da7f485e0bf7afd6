"""``graft run``: generate, train, evaluate, report and release what changed."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from pipelines.cli.common import options, runs_option, say, target_option
from pipelines.errors import EXIT_FINDINGS, EXIT_OK

if TYPE_CHECKING:
    from pipelines.recipe import Recipe
    from pipelines.records import Evaluation, Plan
    from pipelines.run import Outcome
    from pipelines.situation import Options

HELP = "generate, train, evaluate, report and release what changed"


# As situation.ALLOWABLE has them, which would bring Git with it.
ALLOWABLE = ("verdict", "failures", "licences")


def arguments(parser: argparse.ArgumentParser) -> None:
    run_options(parser)
    parser.add_argument(
        "--allow", action="append", choices=ALLOWABLE, default=[],
        help="release though this gate stands against it; the manifest and the card say so",
    )  # fmt: skip
    parser.add_argument(
        "--approved-by", action="append", default=[], metavar="NAME",
        help="who approved the release, for its manifest and card; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--sign", metavar="KEY",
        help="sign what is released; KEY as of `graft release sign` (default: GRAFT_SIGN, where it is set)",
    )  # fmt: skip
    parser.add_argument(
        "--search",
        type=int,
        default=0,
        metavar="RUNS",
        help="where the model got worse: find by halves, in so many runs more, the leaves that did it, "
        "and release the rest (default: 0)",
    )
    parser.add_argument(
        "--try-held", action="store_true",
        help="try the leaves again that an earlier search held back; an edited one is tried anyway",
    )  # fmt: skip


def run_options(parser: argparse.ArgumentParser) -> None:
    """What ``run`` and each of its stages take."""
    parser.add_argument("--recipe", default="tiny", help="a recipe's name or file (default: tiny)")
    parser.add_argument(
        "--base", help="the branch that this one leaves; only its own changes count"
    )
    parser.add_argument(
        "--head",
        metavar="REF",
        help="read the leaves from this commit; it is not checked out, and everything else stays",
    )
    runs_option(parser)
    parser.add_argument(
        "--plan", action="store_true", help="say what would be done, and do nothing"
    )
    target_option(parser)


def command(args: argparse.Namespace) -> int:
    stop_cleanly()
    from pipelines.prepare import plan
    from pipelines.run import run

    wanted = options(args)
    if args.plan:
        _, recipe, decided = plan(wanted)
        print_plan(decided)
        print_recipe(recipe)
        return EXIT_OK
    key = args.sign or os.environ.get("GRAFT_SIGN")
    signs = _signs(key) if key else None  # what is missing is told before hours are spent
    outcome = run(wanted, say)
    if outcome.evaluation is not None and outcome.directory is not None:
        print_verdict(outcome.evaluation)
        print(f"report:  {outcome.directory / 'report' / 'report.html'}")
    print(f"release: {outcome.release or 'none'}")
    if outcome.plan.action == "nothing":
        print("Nothing to do.")
    if signs is not None:
        signs(wanted, outcome)
    return EXIT_OK if outcome.accepted else EXIT_FINDINGS


def _signs(key: str) -> Callable[[Options, Outcome], None]:
    """What signs the release of a run."""
    from pipelines.release.manifest import MANIFEST
    from pipelines.release.signing import sign_made, signer
    from pipelines.release.targets import open_target

    config = signer(key)

    def signs(wanted: Options, outcome: Outcome) -> None:
        if outcome.release is not None:
            target = open_target(wanted.target, wanted.cache)
            built = (outcome.directory or wanted.runs) / "release" / MANIFEST
            say(f"sign: {sign_made(target, outcome.release, built, config)}")

    return signs


def stop_cleanly() -> None:
    """Let SIGTERM end a run as Ctrl-C does, also where Ctrl-C is not heard (behind a shell's ``&``)."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # asyncio ends its tasks in order only under Python's own handler: have it, and hear nothing.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)


def print_verdict(evaluation: Evaluation) -> None:
    from pipelines.text import visible

    print(f"verdict: {evaluation.verdict}")
    for reason in evaluation.reasons:
        print(f"  {visible(reason)}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C would: asyncio, while it runs, ends its tasks in order then. Once: a machine that goes
    says so to every process, and again by way of whoever started this."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    heard = signal.getsignal(signal.SIGINT)
    assert callable(heard)
    heard(signal.SIGINT, frame)


def print_recipe(recipe: Recipe) -> None:
    """The whole recipe as it was understood, defaults included."""
    import yaml

    from pipelines.records import as_json

    print("recipe:")
    told = yaml.safe_dump(as_json(recipe), sort_keys=False, allow_unicode=True, width=1000)
    print("".join(f"  {line}\n" for line in told.splitlines()), end="")


def print_plan(decided: Plan) -> None:
    from pipelines.text import visible

    lines = [
        f"{decided.action}: {decided.reason}",
        f"compares with: {decided.previous or 'nothing'}",
        f"continues:     {decided.continues or 'nothing'}",
    ]
    for leaf in decided.learn:
        lines.append(f"  learn {leaf}{' (corrected)' if leaf in decided.corrected else ''}")
    lines += [f"  drop  {gone.leaf} ({gone.reason})" for gone in decided.retired]
    lines += [f"  wait  {wait.leaf}: {wait.reason}" for wait in decided.waiting]
    print("\n".join(map(visible, lines)))
