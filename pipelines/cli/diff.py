"""``graft diff``: what changed in the taxonomy, leaf by leaf."""

from __future__ import annotations

import argparse
import json

from pipelines.cli.common import taxonomy
from pipelines.errors import EXIT_OK

HELP = "show what changed in the taxonomy, leaf by leaf"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("base", nargs="?", default="HEAD", metavar="BASE", help="default: HEAD")
    parser.add_argument(
        "head", nargs="?", metavar="HEAD", help="default: the files as they are now"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def command(args: argparse.Namespace) -> int:
    from pipelines.changes import changeset_to_json, diff
    from pipelines.git import open_repository
    from pipelines.leaves import WorkTree
    from pipelines.situation import readable

    root = taxonomy(args)
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
