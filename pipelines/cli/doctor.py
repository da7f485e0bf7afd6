"""``graft doctor``: what this machine can run, and what is missing."""

from __future__ import annotations

import argparse

from pipelines.errors import EXIT_OK

HELP = "say what this machine can run, and what is missing"


def arguments(parser: argparse.ArgumentParser) -> None:
    pass


def command(args: argparse.Namespace) -> int:
    from pipelines.doctor import examine

    for line in examine():
        print(line)
    return EXIT_OK
