"""``graft diff`` on trees of 1,000 to 100,000 leaves, of which 11 changed: what it costs, and where.

    python benchmarks/diff.py [LEAVES …] [--runs N] [--work-tree]

In: nothing; the repositories are made in a temporary folder with ``git fast-import``, so that no work
tree of 100,000 files is written. Out: a Markdown table on standard output. Times are medians.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
SIZES = (1_000, 5_000, 20_000, 100_000)
CHANGED = 11
SEEDS = 5

# The command in parts, in one fresh interpreter: what was imported, and what was done after it.
PARTS = """
import json, sys, time
started = time.perf_counter()
from pipelines import cli, compare, git, leaves, exam
from pipelines.cli import diff
imported = time.perf_counter()
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()):
    code = cli.main(sys.argv[1:])
worked = time.perf_counter()
repository = git.open_repository("t")
base, head = (repository.tree(ref, "t") for ref in ("main", "topic"))
opened = time.perf_counter()
paths = list(compare.changed_files(base, head))
walked = time.perf_counter()
print(json.dumps({"code": code, "import": imported - started, "work": worked - imported,
                  "walk": walked - opened, "files": len(paths)}))
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds: git's own listing, bare Python with the imports, the whole command and its parts."""

    leaves: int
    git: float
    start: float
    whole: float
    work: float
    walk: float
    work_tree: float | None


def leaf_path(number: int) -> str:
    """Twenty leaves a topic, forty topics an area, as a tree grows that people tend."""
    root = "knowledge" if number % 2 else "compositional_skills"
    return f"{root}/area_{number // 800:03}/topic_{number // 20 % 40:02}/leaf_{number:06}"


def qna(number: int, *, answer: str = "", context: str = "", commit: str = "0" * 40) -> str:
    """A leaf of about 5.9 kB, the mean of the trees that are in use."""
    if number % 2 == 0:
        head = f"version: 3\ncreated_by: ada\ntask_description: Task {number}.\nseed_examples:\n"
        return head + "".join(_skill_seed(number, at, answer, context) for at in range(SEEDS))
    tail = (
        f"document_outline: Outline {number}\ndocument:\n  repo: https://example.org/docs.git\n"
        f"  commit: '{commit}'\n  patterns:\n    - '*.md'\n"
    )
    head = f"version: 3\ncreated_by: ada\ndomain: domain {number}\nseed_examples:\n"
    return head + "".join(_seed(number, at, answer, context) for at in range(SEEDS)) + tail


def _text(number: int, at: int, words: int) -> str:
    return " ".join(f"word{(number * 31 + at * 17 + word * 7) % 9973}" for word in range(words))


def _lines(text: str, indent: int) -> str:
    words = text.split()
    rows = [" ".join(words[start : start + 9]) for start in range(0, len(words), 9)]
    return "".join(f"{' ' * indent}{row}\n" for row in rows)


def _skill_seed(number: int, at: int, answer: str, context: str) -> str:
    told = f"{context if at == 1 else ''} {_text(number, at, 90)}"
    given = answer if answer and at == 0 else _text(number, at + 50, 25)
    return (
        f"  - question: What does part {at} of the note {number} say about the matter?\n"
        f"    context: |\n{_lines(told, 6)}    answer: {given}\n"
    )


def _seed(number: int, at: int, answer: str, context: str) -> str:
    told = f"{context if at == 1 else ''} {_text(number, at, 70)}"
    pairs = "".join(
        f"      - question: What is told of item {question} in part {at} of {number}?\n"
        f"        answer: {answer if answer and at == question == 0 else _text(number, at, 9)}\n"
        for question in range(3)
    )
    return f"  - context: |\n{_lines(told, 6)}    questions_and_answers:\n{pairs}"


def build(folder: Path, leaves: int) -> None:
    """A bare repository of two commits: ``main``, and ``topic`` with eleven leaves changed."""
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(folder)], check=True)
    writer = subprocess.Popen(
        ["git", "-c", "core.compression=1", "fast-import", "--quiet", "--date-format=now"],
        cwd=folder,
        stdin=subprocess.PIPE,
    )
    assert writer.stdin is not None
    with writer.stdin as stream:
        for part in _stream(leaves):
            stream.write(part.encode())
    if writer.wait():
        raise SystemExit("git fast-import failed")


def _stream(leaves: int) -> Iterator[str]:
    yield _commit("main", "The tree", None)
    for number in range(leaves):
        path = leaf_path(number)
        yield _file(f"{path}/qna.yaml", qna(number))
        yield _file(f"{path}/attribution.txt", f"Title of work: Leaf {number}\n")
    yield _commit("topic", "Eleven leaves", "main")
    step = leaves // CHANGED
    for at in range(CHANGED):
        yield _edit(at, at * step)
    yield "done\n"


def _edit(at: int, number: int) -> str:
    """Every kind of change, eleven leaves in all."""
    path, elsewhere = f"taxonomy/{leaf_path(number)}", f"taxonomy/knowledge/moved/leaf_{number:06}"
    if at == 0:
        return f"D {path}\n"
    if at == 1:
        return _file(f"{leaf_path(number)}_new/qna.yaml", qna(number + 1_000_002))
    if at == 2:
        return f"R {path} {elsewhere.replace('knowledge', path.split('/')[1])}\n"
    if at == 3:
        moved = f"R {path} {elsewhere.replace('knowledge', path.split('/')[1])}\n"
        target = elsewhere.replace("knowledge", path.split("/")[1]).removeprefix("taxonomy/")
        return moved + _file(f"{target}/qna.yaml", qna(number, answer="Another answer."))
    if at == 4:
        return _file(f"{leaf_path(number)}/qna.yaml", f"# a remark\n{qna(number)}")
    if at == 5:
        return _file(f"{leaf_path(number | 1)}/qna.yaml", qna(number | 1, commit="1" * 40))
    if at == 6:
        return _file(f"{leaf_path(number)}/qna.yaml", qna(number, context="Edited."))
    return _file(f"{leaf_path(number)}/qna.yaml", qna(number, answer="Another answer."))


def _commit(branch: str, message: str, parent: str | None) -> str:
    start = f"from refs/heads/{parent}\n" if parent else ""
    return (
        f"commit refs/heads/{branch}\ncommitter Ada <ada@example.org> now\n"
        f"data {len(message)}\n{message}\n{start}"
    )


def _file(path: str, text: str) -> str:
    return f"M 100644 inline taxonomy/{path}\ndata {len(text.encode())}\n{text}\n"
