"""``graft log``: the releases, newest first, what each brought, or how each leaf's scores went over them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.cli.common import TARGET, cache, format_option, printable, target_option
from pipelines.errors import EXIT_OK

if TYPE_CHECKING:
    from pipelines.records import Json, Manifest
    from pipelines.release.targets import Target

HELP = "list the releases, newest first, with the leaves and scores that each brought"
SHOWN = 5  # leaves of a kind of change that the text names
CHANGES = ("added", "edited", "deleted", "withdrawn")
POOLS = {"changed": "changed leaves", "panel": "panel"}
SIDES = ("base", "previous", "candidate")
NONE = "There is no release yet."


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scores", action="store_true",
        help="the token F1 of each leaf over the releases that were examined, the greatest loss first",
    )  # fmt: skip
    format_option(parser, "JSON as in schema/log.json")
    target_option(parser)


def command(args: argparse.Namespace) -> int:
    from pipelines.release.targets import open_target

    target = open_target(args.target or TARGET, cache())
    if args.format == "json":
        found = {"releases": _releases(target)} | (_scores(target) if args.scores else {})
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif target.head() is None:
        print(NONE)
    else:
        lines = (
            _score_lines(target)
            if args.scores
            else [line for one in _releases(target) for line in _lines(one)]
        )
        print(*lines, sep="\n")
    return EXIT_OK


def _releases(target: Target) -> list[Json]:
    """Newest first, each with what it brought over the release before it."""
    from pipelines.release.yanked import yanked

    found = []
    for tag in reversed(target.tags()):
        manifest = target.manifest(tag)
        found.append(
            {
                "release": tag,
                "created": manifest.created,
                "head": tag == target.head(),
                "leaves": len(manifest.leaves),
                "verdict": manifest.evaluation.get("verdict", ""),
                "continues": manifest.continues,
                "yanked": yanked(target, manifest),
                **_changes(target, manifest),
                "scores": {
                    name: pooled and {side: pooled[side]["token_f1"] for side in SIDES}
                    for name in POOLS
                    for pooled in [manifest.evaluation.get(name)]
                },
            }
        )
    return found


def _changes(target: Target, manifest: Manifest) -> dict[str, list[str]]:
    """Leaves that came, were edited, and went since the release before; withdrawn ones apart."""
    before = {}
    if manifest.previous in target.tags():
        before = dict(target.manifest(manifest.previous).leaves)
    withdrawn = {stone.content_hash for stone in target.tombstones()}
    found: dict[str, list[str]] = {"added": [], "edited": [], "deleted": [], "withdrawn": []}
    known = {entry.content_hash for entry in before.values()}
    for leaf, entry in manifest.leaves.items():
        if leaf in before:
            if entry.content_hash != before[leaf].content_hash:
                found["edited"].append(leaf)
        elif entry.content_hash not in known:
            found["added"].append(leaf)
    for leaf, entry in before.items():
        if leaf not in manifest.leaves and entry.content_hash not in manifest.known:
            gone = "withdrawn" if entry.content_hash in withdrawn else "deleted"
            found[gone].append(leaf)
    return found


def _lines(one: Json) -> Iterator[str]:
    """A release for people: what it is, what it brought, how it did."""
    origin = one["continues"] or "nothing"
    head = "  (what users have)" if one["head"] else ""
    verdict = printable(str(one["verdict"]))
    yield f"{one['release']}  {one['leaves']} leaves  {verdict}  continues {origin}{head}"
    for reason in one["yanked"]:
        yield f"  YANKED: {printable(reason)}"
    for kind in CHANGES:
        leaves = one[kind]
        if leaves:
            more = f" and {len(leaves) - SHOWN} more" if len(leaves) > SHOWN else ""
            yield f"  {kind}: {printable(', '.join(leaves[:SHOWN]))}{more}"
    told = [
        f"{POOLS[name]} {scores['previous']:.2f} → {scores['candidate']:.2f}"
        for name, scores in one["scores"].items()
        if scores
    ]
    if told:
        yield f"  token F1: {', '.join(told)}"


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
