"""``graft release``: verify a release, give users an earlier one back, withdraw a leaf."""

from __future__ import annotations

import argparse

from pipelines.cli.common import TARGET, add_parser, cache, options, target_option
from pipelines.cli.run import print_plan
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, GraftError

HELP = "look after releases"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    verify = add_parser(actions, "verify", "check every digest and the ancestry of a release")
    verify.set_defaults(command=_verify)
    verify.add_argument("tag", nargs="?", metavar="TAG", help="default: the last")
    target_option(verify)
    rollback = add_parser(actions, "rollback", "give users an earlier release back; no tag moves")
    rollback.set_defaults(command=_rollback)
    rollback.add_argument("tag", metavar="TAG")
    target_option(rollback)
    withdraw = add_parser(actions, "withdraw", "take a leaf out of the model for good")
    withdraw.set_defaults(command=_withdraw)
    withdraw.add_argument("leaf", metavar="LEAF")
    withdraw.add_argument("--reason", default="withdrawn by its author")
    withdraw.add_argument("--recipe", default="tiny")
    withdraw.add_argument("--plan", action="store_true", help="say what it would take; do nothing")
    target_option(withdraw)


def _verify(args: argparse.Namespace) -> int:
    from pipelines.release.targets import open_target
    from pipelines.release.verify import verify

    target = open_target(args.target or TARGET, cache())
    tag = args.tag or target.head()
    if tag is None:
        raise GraftError("The target holds no release yet.")
    problems = verify(target, tag)
    print("\n".join(problems) or f"{tag}: every digest agrees.")
    return EXIT_FINDINGS if problems else EXIT_OK


def _rollback(args: argparse.Namespace) -> int:
    from pipelines.release.targets import open_target

    target = open_target(args.target or TARGET, cache())
    before = target.head()
    target.rollback(args.tag)
    print(f"Users have {args.tag} again, after {before}; every tag stands where it stood.")
    return EXIT_OK


def _withdraw(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from pipelines.plan import make_plan
    from pipelines.recipe import load_recipe
    from pipelines.situation import look, wanted

    now = look(options(args))
    if now.past is None or args.leaf not in now.past.previous.leaves:
        raise GraftError(f"The last release does not hold the leaf {args.leaf}.")
    content_hash = now.past.previous.leaves[args.leaf].content_hash
    past = replace(now.past, withdrawn=frozenset({*now.past.withdrawn, content_hash}))
    print_plan(make_plan(wanted(now), past, load_recipe(args.recipe)))
    if not args.plan:
        now.target.withdraw(args.leaf, content_hash, args.reason)
        print(f"{args.leaf} is withdrawn; delete it from the tree, and `graft run` rebuilds.")
    return EXIT_OK
