"""``graft evaluate --model`` and ``--aa``: the exam sat without a run.

Any model: a folder, a release's tag, ``http(s)://…#model``. The A/A control: the last release against
itself, which must come out unchanged.
"""

from __future__ import annotations

import argparse
import json
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


def wanted(args: argparse.Namespace) -> bool:
    """Whether the exam is to be sat without a run."""
    if args.leaf and not args.model:
        raise UsageError("--leaf belongs to --model.")
    if args.model and args.aa:
        raise UsageError("--model and --aa are two questions; ask one of them.")
    return bool(args.model or args.aa)


def show(options: Options, args: argparse.Namespace) -> int:
    """Ask and print."""
    if args.aa:
        return _control(options, args.format)
    from pipelines.examination import examine
    from pipelines.recipe import load_recipe
    from pipelines.records import as_json

    found = examine(options, args.model, load_recipe(args.recipe), args.leaf)
    if args.format == "json":
        print(json.dumps(as_json(found), indent=2, ensure_ascii=False))
    else:
        _table(found)
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
