"""``graft release``: verify and sign a release, give users an earlier one back, withdraw a leaf."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.common import (
    TARGET,
    add_parser,
    cache,
    options,
    policy,
    printable,
    released,
    runs_option,
    say,
    target_option,
    taxonomy,
    vetoes,
)
from pipelines.cli.run import print_plan
from pipelines.errors import EXIT_FINDINGS, EXIT_OK, GraftError

if TYPE_CHECKING:
    from pipelines.withdrawal import Certificate

HELP = "look after releases"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    verify = add_parser(actions, "verify", "check every digest and the ancestry of a release")
    verify.set_defaults(command=_verify)
    verify.add_argument("tag", nargs="?", metavar="TAG", help="default: the last")
    verify.add_argument(
        "--rebuild-data", action="store_true",
        help="also make its rows again, from its leaves and the stored answers alone",
    )  # fmt: skip
    verify.add_argument(
        "--signer", default="", metavar="WHO",
        help="who has to have signed it: the file of a public key (PEM), or an identity",
    )  # fmt: skip
    verify.add_argument(
        "--issuer",
        metavar="URL",
        help="who vouches for that identity (default: GitHub's workflows)",
    )
    target_option(verify)
    sign = add_parser(actions, "sign", "sign a release as it lies there, once it is verified")
    sign.set_defaults(command=_sign)
    sign.add_argument("tag", nargs="?", metavar="TAG", help="default: the last")
    sign.add_argument(
        "--key", required=True,
        help="the file of a private key (PEM, elliptic curve; GRAFT_SIGN_PASSWORD is its password), or "
        "'keyless': the identity of this CI job, or yours in a browser, by sigstore",
    )  # fmt: skip
    target_option(sign)
    rollback = add_parser(actions, "rollback", "give users an earlier release back; no tag moves")
    rollback.set_defaults(command=_rollback)
    rollback.add_argument("tag", metavar="TAG")
    target_option(rollback)
    withdraw = add_parser(actions, "withdraw", "take a leaf out of the model for good")
    withdraw.set_defaults(command=_withdraw)
    withdraw.add_argument("leaf", metavar="LEAF")
    withdraw.add_argument(
        "--reason", default="withdrawn by its author", help="what the yanked releases say"
    )
    withdraw.add_argument("--recipe", default="tiny")
    withdraw.add_argument("--plan", action="store_true", help="say what it would take; do nothing")
    runs_option(withdraw)
    withdraw.add_argument(
        "--certificate", type=Path, metavar="FILE",
        help="what was removed and what remains (default: withdrawals/DIGEST.json)",
    )  # fmt: skip
    target_option(withdraw)


def _verify(args: argparse.Namespace) -> int:
    from pipelines.release.signing import GITHUB, check
    from pipelines.release.verify import verify

    target, tag = released(args, args.tag)
    problems = verify(target, tag)
    print(printable("\n".join(problems)) or f"{tag}: every digest agrees.")
    told = check(target, tag, args.signer, args.issuer or GITHUB)
    print(printable(told.sentence))
    if args.rebuild_data and not problems:
        from pipelines.rebuilt import rebuilt

        root = taxonomy(args)
        problems = rebuilt(target, tag, root, cache(), policy(root), vetoes(root), say)
        print(printable("\n".join(problems)) or f"{tag}: every row follows from leaves and store.")
    return EXIT_FINDINGS if problems or not told.good else EXIT_OK


def _sign(args: argparse.Namespace) -> int:
    from pipelines.release.signing import sign

    print(printable(sign(*released(args, args.tag), args.key)))
    return EXIT_OK


def _rollback(args: argparse.Namespace) -> int:
    from pipelines.release.targets import open_target

    target = open_target(args.target or TARGET, cache())
    head = target.head()
    if head == args.tag:
        raise GraftError(f"{args.tag} is what users have already.")
    target.rollback(args.tag)
    print(f"{args.tag} is what users have now; it was {head}, which keeps its tag.")
    say("The next run teaches again what the tree has and this release lacks: revert that first.")
    return EXIT_OK


def _withdraw(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from pipelines.artifacts import pretty_json, write_atomic
    from pipelines.plan import make_plan
    from pipelines.recipe import load_recipe
    from pipelines.situation import look, wanted
    from pipelines.withdrawal import contents_of, withdraw

    chosen = options(args)
    now = look(chosen)
    if now.past is None:
        raise GraftError(f"The target holds no release, so none holds the leaf {args.leaf}.")
    contents = contents_of(now.target, args.leaf)
    past = replace(now.past, withdrawn=frozenset({*now.past.withdrawn, *contents}))
    decided = make_plan(wanted(now), past, load_recipe(args.recipe))
    print_plan(decided)
    if args.plan:
        return EXIT_OK
    found = withdraw(args.leaf, args.reason, decided, now.target, chosen.runs, chosen.cache)
    place = args.certificate or Path("withdrawals") / f"{found.contents[0][:12]}.json"
    write_atomic(place, pretty_json(found))
    print("\n".join(_told(found)))
    print(f"certificate:   {place}")
    head = now.target.head()
    if head in found.yanked and found.ancestors:
        clean = found.ancestors[0].release
        print(
            f"Users still have {head}: `graft release rollback {clean}` gives them what never saw it."
        )
    left = "delete it from the tree, and " if args.leaf in now.leaves else ""
    print(f"{args.leaf} is withdrawn; {left}`graft run` makes a release that never saw it.")
    return EXIT_OK


def _told(found: Certificate) -> Iterator[str]:
    """A certificate for people."""
    yield f"yanked:        {', '.join(found.yanked) or 'no release'}"
    clean = (
        ", ".join(one.release for one in found.ancestors) or "nothing: it begins with a bare base"
    )
    yield f"next stands on {clean}; none of it has seen the leaf"
    for one in found.removed:
        yield f"removed:       {one.count} {one.what} ({one.where})"
    for line in found.remains:
        yield f"remains:       {printable(line)}"
