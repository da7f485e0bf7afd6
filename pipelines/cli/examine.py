"""``graft evaluate --model``, ``--suite`` and ``--aa``: an exam sat without a run.

Any model: a folder, a release's tag, ``http(s)://…#model``. The A/A control: the last release against
itself, which must come out unchanged.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import EXIT_FINDINGS, EXIT_OK, UsageError

if TYPE_CHECKING:
    from pipelines.examination import Examined, LeafExam, Part
    from pipelines.situation import Options


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="let this model sit the exam, without a run: a folder, a release's tag, or "
        "http(s)://HOST/v1#NAME",
    )
    parser.add_argument(
        "--leaf",
        action="append",
        default=[],
        metavar="LEAF",
        help="with --model: only this leaf, or those below it; may be repeated",
    )
    parser.add_argument(
        "--aa",
        action="store_true",
        help="A/A control: hold the last release against itself, which must come out unchanged",
    )
    parser.add_argument(
        "--suite",
        action="append",
        default=[],
        metavar="NAME",
        help="a public suite of lm-eval's, such as mmlu, sat by --model or the last release; may be "
        "repeated",
    )
    parser.add_argument(
        "--suite-tasks",
        type=Path,
        metavar="DIR",
        help="a folder of further tasks for lm-eval; they can run code, so trust whoever wrote them",
    )


def wanted(args: argparse.Namespace) -> bool:
    """Whether the exam is to be sat without a run."""
    if args.leaf and not args.model:
        raise UsageError("--leaf belongs to --model.")
    if args.aa and (args.model or args.suite):
        raise UsageError("--aa is a question of its own; ask it without --model and --suite.")
    if args.suite and args.leaf:
        raise UsageError("--suite has no leaves; leave --leaf out.")
    return bool(args.model or args.aa or args.suite)


def show(options: Options, args: argparse.Namespace) -> int:
    """Ask and print."""
    if args.aa:
        return _control(options, args.format)
    if args.suite:
        return _suites(options, args)
    from pipelines.examination import examine
    from pipelines.recipe import load_recipe
    from pipelines.records import as_json

    found = examine(options, args.model, load_recipe(args.recipe), args.leaf)
    if args.format == "json":
        print(json.dumps(as_json(found), indent=2, ensure_ascii=False))
    else:
        _table(found)
    return EXIT_OK


def _suites(options: Options, args: argparse.Namespace) -> int:
    from pipelines.cli.costs import columns
    from pipelines.examination import sit_suites
    from pipelines.recipe import load_recipe
    from pipelines.records import as_json

    recipe = load_recipe(args.recipe)
    found = sit_suites(options, args.model or "", recipe, args.suite, args.suite_tasks)
    if args.format == "json":
        print(json.dumps({"suites": as_json(found)}, indent=2, ensure_ascii=False))
    else:
        rows = [[one.suite, one.metric, str(one.items), f"{one.score:.3f}"] for one in found]
        print(columns([["suite", "metric", "documents", "score"], *rows]))
    return EXIT_OK


def _table(found: Examined) -> None:
    from pipelines.cli.costs import columns

    head = ["leaf", "people's", "token F1", "exact", "synthetic", "token F1", "exact"]
    rows = [[*head, "choice", "accuracy"]]
    rows += [_line(one) for one in (*found.leaves, found.total)]
    print(columns(rows))
    if found.unanswered:
        print(f"{found.unanswered} questions had no answer and count as wrong.")
    if found.total.choice is None and found.total.synthetic is not None:
        print(
            "Multiple choice was not asked: there are no such items, or the model is an endpoint."
        )


def _line(one: LeafExam) -> list[str]:
    def part(found: Part | None) -> list[str]:
        if found is None:
            return ["0", "", ""]
        scores = found.scores
        return [str(found.items), f"{scores.token_f1:.2f}", f"{scores.exact_match:.2f}"]

    choice = ["0", ""]
    if one.choice is not None:
        choice = [str(one.choice.items), f"{one.choice.accuracy:.2f}"]
    return [one.leaf or "all", *part(one.people), *part(one.synthetic), *choice]


def _control(options: Options, form: str) -> int:
    from pipelines.examination import control
    from pipelines.prepare import planned
    from pipelines.records import as_json

    tag, found = control(planned(options))
    moved = [one.leaf for one in found.leaves if one.verdict != "unchanged" and one.items]
    moved += [one.leaf for one in found.choices if one.leaf and one.difference]
    if form == "json":
        print(json.dumps(as_json(found), indent=2, ensure_ascii=False))
    else:
        asked = sum(one.items for one in found.leaves)
        chosen = sum(one.items for one in found.choices if one.leaf)
        print(
            f"A/A control: {tag} against itself, {asked} questions and {chosen} of multiple choice"
        )
        for leaf in sorted(set(moved)):
            print(f"  differs: {leaf}")
        print("changed: the control fails" if moved else "unchanged")
    return EXIT_FINDINGS if moved else EXIT_OK
