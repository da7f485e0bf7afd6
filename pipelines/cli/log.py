"""``graft log``: the releases, newest first."""

from __future__ import annotations

import argparse

from pipelines.cli.common import target_option
from pipelines.errors import EXIT_OK

HELP = "list the releases, newest first"


def arguments(parser: argparse.ArgumentParser) -> None:
    target_option(parser)


def command(args: argparse.Namespace) -> int:
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
