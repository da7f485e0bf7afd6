"""``graft log``: the releases, newest first, or how the scores of each leaf went over them."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from pipelines.cli.common import TARGET, printable, target_option
from pipelines.errors import EXIT_OK

if TYPE_CHECKING:
    from pipelines.records import Json
    from pipelines.release.targets import Target

HELP = "list the releases, newest first"
NONE = "There is no release yet."


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scores", action="store_true",
        help="the token F1 of each leaf over the releases that were examined, the greatest loss first",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("text", "json"), default="text",
        help="JSON as in schema/log.json (default: text)",
    )  # fmt: skip
    target_option(parser)


def command(args: argparse.Namespace) -> int:
    from pipelines.release.targets import open_target

    target = open_target(args.target or TARGET)
    if args.format == "json":
        found = {"releases": _releases(target)} | (_scores(target) if args.scores else {})
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif target.head() is None:
        print(NONE)
    else:
        print("\n".join(_score_lines(target) if args.scores else map(_line, _releases(target))))
    return EXIT_OK


def _releases(target: Target) -> list[Json]:
    found = []
    for tag in reversed(target.tags()):
        manifest = target.manifest(tag)
        found.append(
            {
                "release": tag,
                "created": manifest.created,
                "leaves": len(manifest.leaves),
                "verdict": manifest.evaluation.get("verdict", ""),
                "continues": manifest.continues,
            }
        )
    return found


def _line(one: Json) -> str:
    origin = one["continues"] or "nothing"
    return f"{one['release']}  {one['leaves']} leaves  {one['verdict']}  continues {origin}"


def _scores(target: Target) -> Json:
    """By leaf one entry a release, oldest first; null where it was not examined on the leaf."""
    from pipelines.history import history
    from pipelines.report import forgetting

    releases = history(target)
    leaves = {
        leaf: [cell and {"token_f1": cell[0], "difference": cell[1]} for cell in cells]
        for leaf, cells in forgetting(releases).items()
    }
    return {"examined": [one.release for one in releases], "scores": leaves}


def _score_lines(target: Target) -> list[str]:
    """A line a leaf: when last taught → now, the difference, and a bar for each release."""
    from pipelines.report import spark

    found = _scores(target)
    examined = found["examined"]
    if not examined:
        return ["No release carries an evaluation that can be read."]
    lines = [f"Token F1 of {len(examined)} releases, {examined[0]} to {examined[-1]}, a bar each:"]
    for leaf, cells in found["scores"].items():
        bars = "".join(spark(cell and cell["token_f1"]) for cell in cells)
        last = next(cell for cell in reversed(cells) if cell)
        score, difference = last["token_f1"], last["difference"]
        change = f"{score - difference:.2f} → {score:.2f}  {difference:+.2f}"
        lines.append(f"{change}  {bars}  {printable(leaf)}")
    return [
        *lines,
        "From the score when the leaf was last taught to the last one; ·: not examined.",
    ]
