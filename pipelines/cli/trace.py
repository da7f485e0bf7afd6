"""``graft trace``: from a training row back to leaf lines, document, prompt, answer and contributor."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.common import (
    TARGET,
    cache,
    format_option,
    policy,
    printable,
    runs_option,
    target_option,
    taxonomy,
    vetoes,
)
from pipelines.errors import EXIT_OK

if TYPE_CHECKING:
    from pipelines.records import Json
    from pipelines.trace import Places

HELP = "show what a training row came from, or all rows of a leaf"
GONE = "(the call store no longer has it)"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", metavar="ROW|LEAF", help="the beginning of a row's id, or the path of a leaf"
    )
    runs_option(parser)
    format_option(parser, "JSON as in schema/trace.json")
    target_option(parser)


def command(args: argparse.Namespace) -> int:
    root = taxonomy(args)
    found, text = traced(args.what, places(root, args.run, args.target), root)
    print(json.dumps(found, indent=2, ensure_ascii=False) if args.format == "json" else text)
    return EXIT_OK


def places(root: Path, run: Path | None = None, target: str | None = None) -> Places:
    """Where to look for rows."""
    from pipelines.release.targets import open_target
    from pipelines.trace import Places

    return Places(
        root,
        run or Path("runs"),
        open_target(target or TARGET, cache()),
        cache() / "calls.sqlite",
        cache(),
        policy(root),
        vetoes(root),
    )


def traced(what: str, where: Places, root: Path) -> tuple[Json, str]:
    """What is found of a row or a leaf, and the same as text."""
    from pipelines.trace import ID, trace_leaf, trace_row

    row = ID.fullmatch(what) is not None
    found = trace_row(what, where) if row else trace_leaf(_leaf(what, root), where)
    return found, printable("\n".join(_row(found) if row else _rows(found)))


def _leaf(given: str, root: Path) -> str:
    """A leaf's path from the taxonomy's root, however it was given."""
    path = given.strip("/").removesuffix("/qna.yaml")
    return path.removeprefix(f"{root.as_posix()}/")


def _row(found: Json) -> list[str]:
    lines = [f"row {found['row']}  {found['phase']}"]
    lines += [_block(turn["role"], turn["content"]) for turn in found["messages"]]
    lines += _of_leaf(found)
    veto = found["vetoed"]  # begins with its kind, as the rejects tell it
    lines += [f"vetoed:      {veto.removeprefix('vetoed: ')}"] if veto else []
    for seed in found["seeds"]:
        where = f"{seed['path']}:{seed['line']}" if seed["path"] else "(no longer there)"
        at = f" at {seed['commit'][:12]}" if seed["commit"] else ""
        lines.append(f"seed:        {where}{at}  {seed['seed'][:12]}")
    span = found["document"]
    if span is not None and span["lines"]:
        lines.append(f"document:    {span['path']}:{span['lines'][0]}–{span['lines'][1]}")
        lines.append(_block("text", span["text"]))
    elif span is not None:
        lines.append(f"document:    {span['path']} {span['span']}: {span['reason']}")
    for call in found["calls"]:
        asked = f"{call['task']} of {call['model']}" if call["answer"] is not None else GONE
        lines.append(f"call:        {call['call'][:12]}  {asked}")
        for turn in call["prompt"] or ():
            lines.append(_block(f"prompt, {turn['role']}", turn["content"]))
        if call["answer"] is not None:
            lines += [] if call["prompt"] else [f"  prompt: {GONE}"]
            lines.append(_block("raw answer", call["answer"]))
    return lines


def _of_leaf(found: Json) -> list[str]:
    return [
        f"contributor: {found['contributor'] or 'unknown'}",
        f"leaf:        {found['leaf'] or 'unknown'}" if "leaf" in found else "",
        f"commit:      {found['commit'] or 'unknown'}",
        f"releases:    {', '.join(found['releases']) or 'none'}",
        f"runs:        {', '.join(found['runs']) or 'none here'}",
    ]


def _rows(found: Json) -> list[str]:
    lines = [f"leaf {found['leaf']}", _since(found["since"])]
    for content in found["contents"]:
        lines += ["", f"content {content['content_hash'][:12]}: {len(content['rows'])} rows"]
        lines += [line for line in _of_leaf(content) if line]
        for row in content["rows"]:
            where = "".join(f"  line {line}" for line in row["seeds"] if line)
            where += f"  {row['document']} {row['span']}" if row["document"] else ""
            veto = "  VETOED" if row["vetoed"] else ""
            question = " ".join(row["question"].split())
            lines.append(f"  {row['row']}  {row['phase']}{where}{veto}  {question[:80]}")
    return lines


def _since(found: Json) -> str:
    if found["leaf"] is None:
        return "not in the last release"
    edited = f", as it is now since {found['content']}" if found["content"] != found["leaf"] else ""
    return f"in the model since {found['leaf']}{edited}"


def _block(name: str, text: str) -> str:
    inner = text.replace("\n", "\n    ")
    return f"  {name}:\n    {inner}"
