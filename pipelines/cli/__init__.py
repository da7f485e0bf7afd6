"""The command line: ``graft`` = ``python -m pipelines``. Run ``graft --help``.

A command is a module of this package with ``HELP``, ``arguments`` and ``command``, and a line in
``COMMANDS``; heavy imports stay inside functions, so that ``graft check`` starts at once. Results go to
standard output, progress to standard error. Exit codes are those of ``errors``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from pipelines.cli import (
    chat,
    check,
    diff,
    doctor,
    draft,
    export,
    fix,
    flows,
    github,
    import_,
    log,
    new,
    release,
    run,
    serve,
    stages,
    status,
    store,
    trace,
)
from pipelines.cli.common import add_parser, printable
from pipelines.errors import EXIT_BUG, EXIT_OK, EXIT_RESUMABLE, EXIT_USAGE, GraftError


class Command(Protocol):
    """What each module of this package offers."""

    @property
    def HELP(self) -> str: ...

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's own arguments; one with actions sets ``command`` on theirs."""
        ...


COMMANDS: dict[str, Command] = {
    "check": check,
    "fix": fix,
    "new": new,
    "draft": draft,
    "import": import_,
    "diff": diff,
    "generate": stages.GENERATE,
    "train": stages.TRAIN,
    "evaluate": stages.EVALUATE,
    "report": stages.REPORT,
    "run": run,
    "flows": flows,
    "status": status,
    "log": log,
    "release": release,
    "export": export,
    "store": store,
    "trace": trace,
    "chat": chat,
    "serve": serve,
    "github": github,
    "doctor": doctor,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # Read once, when torch starts its threads: idle ones sleep, or a busy core slows each step tenfold.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = sys.argv[1:] if argv is None else argv
    args = build_parser(words[0] if words else "").parse_args(words)
    command: Callable[[argparse.Namespace], int] = args.command
    try:
        return command(args)
    except GraftError as error:
        # It may quote a manifest, a file's name, an endpoint: whatever others wrote.
        print(f"graft: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("graft: stopped; run the same command again to go on from here.", file=sys.stderr)
        return EXIT_RESUMABLE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in {"", "pipelines"}:
            return _bug()
        print(
            f"graft: this command needs {missing}, which is not installed here; "
            "pip install 'graft-taxonomy[pipelines]' brings it.",
            file=sys.stderr,
        )
        return EXIT_USAGE
    except Exception:
        return _bug()


def _bug() -> int:
    """Tell the exception that is being handled."""
    import traceback

    traceback.print_exc()
    print("graft: this is a bug of Graft's; please report it with the above.", file=sys.stderr)
    return EXIT_BUG


def build_parser(only: str = "") -> argparse.ArgumentParser:
    """The whole command line; docs/cli.md is made from it too.

    Where ``only`` is a command, that one alone: to build all takes as long as reading 20 leaves.
    """
    parser = argparse.ArgumentParser(
        prog="graft", description="Grow a language model from a taxonomy of skills and knowledge."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    asked = {only: COMMANDS[only]} if only in COMMANDS else COMMANDS
    for name, module in asked.items():
        added = add_parser(commands, name, module.HELP)
        added.set_defaults(command=getattr(module, "command", None))
        module.arguments(added)
    return parser
