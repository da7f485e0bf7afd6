"""``graft store``: what the call store holds; prune it, carry it to another machine. Prune mirrors too."""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipelines.cli.common import (
    TARGET,
    add_parser,
    cache,
    format_option,
    runs_option,
    target_option,
)
from pipelines.errors import EXIT_OK, GraftError, UsageError

HELP = "look after the teacher's recorded answers"
FILE = "calls.sqlite"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    stats = add_parser(actions, "stats", "count answers and tokens, by model and task")
    stats.set_defaults(command=_stats)
    format_option(stats, "a table, or JSON")
    prune = add_parser(
        actions, "prune", "delete answers that nobody needs; all that is named must hold"
    )
    prune.set_defaults(command=_prune)
    prune.add_argument("--older-than", metavar="DAYS", help="stored before so many days, as in 90d")
    prune.add_argument("--model", help="given by this model")
    prune.add_argument(
        "--unused", action="store_true", help="named by no run directory and no release"
    )
    prune.add_argument(
        "--mirrors",
        action="store_true",
        help="instead of answers, fetched repositories of documents not used for --older-than DAYS",
    )
    prune.add_argument("--dry-run", action="store_true", help="say how many, and delete nothing")
    runs_option(prune)
    target_option(prune)
    export = add_parser(actions, "export", "write all answers into one file (gzip, JSON lines)")
    export.set_defaults(command=_export)
    export.add_argument("file", type=Path, metavar="FILE")
    take = add_parser(actions, "import", "take in the answers of an exported file")
    take.set_defaults(command=_import)
    take.add_argument("file", type=Path, metavar="FILE")


def _store() -> Path:
    """The store that is there; a look at one that is not makes none."""
    path = cache() / FILE
    if not path.is_file():
        raise GraftError(f"There is no call store {path} yet; `graft run` makes it.")
    return path


def _stats(args: argparse.Namespace) -> int:
    from pipelines.artifacts import pretty_json
    from pipelines.generate.upkeep import stats
    from pipelines.text import visible

    path = _store()
    found = stats(path)
    if args.format == "json":
        print(json.dumps({"path": str(path), **json.loads(pretty_json(found))}, indent=2))
        return EXIT_OK
    print(f"{path}: {found.answers} answers, {found.size / 1e6:.1f} MB")
    if found.answers:
        print(f"oldest {_day(found.oldest)}, newest {_day(found.newest)}")
    for share in found.shares:
        tokens = f"{share.prompt_tokens} + {share.completion_tokens} tokens"
        model = f"{share.model} {share.revision}".strip() or "unknown model"
        task = share.task or "unknown task"
        print(visible(f"  {model}  {task}  {share.answers} answers  {tokens}"))
    return EXIT_OK


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat() if at else "unknown"


def _prune(args: argparse.Namespace) -> int:
    if args.mirrors:
        return _prune_mirrors(args)
    from pipelines.generate.upkeep import Stale, prune

    if not (args.older_than or args.model or args.unused):
        raise UsageError("Say what may go: --older-than, --model or --unused.")
    before = None if args.older_than is None else int(time.time()) - _seconds(args.older_than)
    path = _store()
    used = set(_used(args)) if args.unused else None
    gone, old, new = prune(path, Stale(before, args.model, used), dry_run=args.dry_run)
    if args.dry_run:
        print(f"{gone} answers would be deleted.")
    else:
        print(
            f"{gone} answers deleted; the store had {old / 1e6:.1f} MB and has {new / 1e6:.1f} MB."
        )
    return EXIT_OK


def _prune_mirrors(args: argparse.Namespace) -> int:
    from pipelines.documents.upkeep import prune_mirrors

    if args.older_than is None or args.model or args.unused:
        raise UsageError("--mirrors goes with --older-than DAYS, and not with --model or --unused.")
    before = time.time() - _seconds(args.older_than)
    gone, size = prune_mirrors(cache(), before, dry_run=args.dry_run)
    done = "would be deleted" if args.dry_run else "deleted"
    print(f"{gone} {'mirror' if gone == 1 else 'mirrors'} {done}, {size / 1e6:.1f} MB.")
    return EXIT_OK


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d{1,5})d?", text)
    if not found:
        raise UsageError(f"--older-than {text}: write a number of days, as in 90d.")
    return int(found[1]) * 24 * 60 * 60


def _used(args: argparse.Namespace) -> Iterator[str]:
    """The calls that rows of runs and releases name, and rejects of runs."""
    from pipelines.generate.upkeep import named_calls
    from pipelines.release.targets import open_target

    runs = args.run or Path("runs")
    for plan in sorted(runs.glob("*/plan.json")):
        dataset = plan.parent / "dataset"
        if not (dataset / "stage.json").is_file():
            raise GraftError(
                f"The run {plan.parent} is not finished, and what it asked for is named nowhere yet; "
                "finish it or delete it."
            )
        for file in (*sorted((dataset / "rows").iterdir()), dataset / "rejects.jsonl"):
            yield from named_calls(file.read_bytes())
    target = open_target(args.target or TARGET, cache())
    blobs = {
        entry.data_hash for tag in target.tags() for entry in target.manifest(tag).leaves.values()
    }
    for blob in sorted(filter(target.has_blob, blobs)):  # rows of withdrawn content are gone
        yield from named_calls(target.read_blob(blob))


def _export(args: argparse.Namespace) -> int:
    from pipelines.generate.upkeep import export

    print(f"{export(_store(), args.file)} answers written to {args.file}.")
    return EXIT_OK


def _import(args: argparse.Namespace) -> int:
    from pipelines.generate.upkeep import import_answers

    new, known = import_answers(cache() / FILE, args.file)
    print(f"{new} answers imported, {known} known before.")
    return EXIT_OK
