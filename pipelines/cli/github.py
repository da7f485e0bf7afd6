"""``graft github``: what the workflows do on GitHub. The token is read from the environment alone."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.common import add_parser, format_option, policy, prefix, taxonomy
from pipelines.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from pipelines.github.api import GitHub
    from pipelines.records import Json

HELP = "on GitHub: contributions from issues, the comment on a pull request, commands, triage"
_BOT = "GRAFT_BOT"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, (text, command, declare) in ACTIONS.items():
        added = add_parser(actions, name, text)
        added.set_defaults(command=command)
        declare(added)


def github() -> GitHub:
    """The repository of this job. ``GRAFT_BOT``: the login its token writes as."""
    from pipelines.github.api import BOT, GitHub
    from pipelines.github.client import open_client

    return GitHub(open_client(), os.environ.get(_BOT) or BOT)


def _place(parser: argparse.ArgumentParser, name: str, kind: str, text: str) -> None:
    """A file or folder that must be named."""
    parser.add_argument(name, type=Path, required=True, metavar=kind, help=text)


def _event(parser: argparse.ArgumentParser) -> None:
    _place(parser, "--event", "FILE", "the payload of the event (GITHUB_EVENT_PATH)")


def _issue_arguments(parser: argparse.ArgumentParser) -> None:
    _event(parser)
    parser.add_argument(
        "--forms",
        type=Path,
        default=Path(".github/ISSUE_TEMPLATE"),
        metavar="DIR",
        help="where the issue forms lie (default: .github/ISSUE_TEMPLATE)",
    )
    parser.add_argument(
        "--recipe", default="tiny", help="whose teacher proposes questions (default: tiny)"
    )


def _issue_to_leaf(args: argparse.Namespace) -> int:
    from pipelines.author.drafting import CONTEXTS
    from pipelines.cli.authoring import proposed
    from pipelines.github.api import event_number, read_event
    from pipelines.github.contribution import Desk
    from pipelines.github.form import read_forms
    from pipelines.github.issue import Office, issue_to_leaf
    from pipelines.leaves import WorkTree

    root = taxonomy(args)
    number = event_number(read_event(args.event), "issue")
    desk = Desk(
        WorkTree(root), policy(root), lambda document: proposed(document, args.recipe, CONTEXTS)
    )
    print(issue_to_leaf(Office(github(), read_forms(args.forms), desk, _prefix(args)), number))
    return EXIT_OK


def _comment_arguments(parser: argparse.ArgumentParser) -> None:
    _event(parser)
    _place(parser, "--report", "DIR", "the run's artifact; docs/github.md tells its files")


def _comment(args: argparse.Namespace) -> int:
    from pipelines.github.api import read_event
    from pipelines.github.comment import comment, read_runs
    from pipelines.github.results import read_results
    from pipelines.github.triage import triage

    results = read_results(args.report)
    place, here = _prefix(args), github()
    for run in read_runs(read_event(args.event)):
        pull, said = comment(here, run, results, place)
        print(said)
        if pull is not None:
            print(triage(here, pull, place))
    return EXIT_OK


def _command(args: argparse.Namespace) -> int:
    from pipelines.cli.trace import places, traced
    from pipelines.github.api import read_event
    from pipelines.github.commands import Counter, handle, write_outputs

    root = taxonomy(args)

    def trace(what: str) -> tuple[Json, str]:
        return traced(what, places(root, target=os.environ.get("TARGET") or None), root)

    asked = handle(Counter(github(), trace, _veto_file(root)), read_event(args.event))
    print(asked.said)
    if output := os.environ.get("GITHUB_OUTPUT"):
        write_outputs(asked, Path(output))
    return EXIT_OK


def _veto_file(root: Path) -> str:
    """vetoes.jsonl in the repository: where it is, else beside graft.yaml."""
    from pipelines.check.policy import POLICY_FILE
    from pipelines.cli.common import beside
    from pipelines.vetoes import VETO_FILE

    there = beside(root, VETO_FILE)
    policy_file = beside(root, POLICY_FILE)
    found = there or (policy_file.parent / VETO_FILE if policy_file else Path(VETO_FILE))
    return Path(os.path.relpath(found)).as_posix()


def _triage(args: argparse.Namespace) -> int:
    """The pull request of the event; all open ones where the event has none, as once a day."""
    from pipelines.github.api import event_number, read_event
    from pipelines.github.triage import sweep, triage

    event, place, here = read_event(args.event), _prefix(args), github()
    if "pull_request" in event:
        said = [triage(here, here.pull(event_number(event, "pull_request")), place)]
    elif isinstance(event.get("issue"), dict):
        is_pull = "pull_request" in event["issue"]
        number = event_number(event, "issue")
        said = [triage(here, here.pull(number), place)] if is_pull else []
    else:
        said = sweep(here, place)
    print("\n".join(said) or "No open pull request; nothing to do.")
    return EXIT_OK


def _queue_arguments(parser: argparse.ArgumentParser) -> None:
    format_option(parser, "a table, or JSON as in schema/queue.json")


def _queue(args: argparse.Namespace) -> int:
    from pipelines.github.queue import as_markdown, gather, ranked
    from pipelines.records import as_json

    rows = ranked(gather(github()))
    if args.format == "json":
        print(json.dumps({"queue": as_json(rows)}, indent=2))
    else:
        print(as_markdown(rows), end="")
    return EXIT_OK


def _released_arguments(parser: argparse.ArgumentParser) -> None:
    _place(
        parser,
        "--run",
        "DIR",
        "the run's small files: plan.json, evaluation/, release/manifest.json, report/, culprits.json",
    )


def _released(args: argparse.Namespace) -> int:
    from pipelines.github.announced import announce
    from pipelines.github.released import read_night, tell

    if not args.run.is_dir():
        raise UsageError(f"--run {args.run}: there is no such folder.")
    night, here = read_night(args.run), github()
    said = announce(here, args.run, night.release, night.commit) if night.release else []
    said += tell(here, night, _prefix(args), os.environ.get("TARGET", ""))
    print("\n".join(said) or "No release and no leaf left out; nothing to tell.")
    return EXIT_OK


def _resumable_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run-id",
        type=int,
        required=True,
        metavar="N",
        help="the run of the workflow whose artifact is wanted",
    )


def _resumable(args: argparse.Namespace) -> int:
    from pipelines.github.resumable import check_resumable

    this = os.environ.get("GITHUB_RUN_ID", "")
    if not this.isdecimal():
        raise UsageError("GITHUB_RUN_ID must be the number of this run.")
    check_resumable(github(), args.run_id, int(this))
    print(f"{args.run_id} is a run of this workflow on this branch.")
    return EXIT_OK


def _prefix(args: argparse.Namespace) -> str:
    """The taxonomy's folder in the repository, in whose root this runs."""
    return prefix(taxonomy(args))


Action = tuple[str, Callable[[argparse.Namespace], int], Callable[[argparse.ArgumentParser], None]]
ACTIONS: dict[str, Action] = {
    "issue-to-leaf": (
        "make or follow the pull request of an issue that was filled in through a form",
        _issue_to_leaf,
        _issue_arguments,
    ),
    "comment": (
        "write what a run found into the one comment on its pull request",
        _comment,
        _comment_arguments,
    ),
    "command": ("take a /graft command from a comment on a pull request", _command, _event),
    "triage": ("set the labels of a pull request, or of all once a day", _triage, _event),
    "queue": ("rank the open pull requests for a reviewer", _queue, _queue_arguments),
    "released": (
        "tag and tell a release: on GitHub, and to the pull requests that it took or left out",
        _released,
        _released_arguments,
    ),
    "resumable": (
        "say whether what another run left may be gone on from: one of this workflow on this branch",
        _resumable,
        _resumable_arguments,
    ),
}
