"""``graft diff`` on trees of 1,000 to 100,000 leaves, eleven of them changed: what it costs, and where.

    python benchmarks/diff.py [LEAVES …] [--runs N]

In: nothing; the repositories are made in a temporary folder with ``git fast-import``, so that no
100,000 files are written. Out: Markdown on standard output. Figures are CPU milliseconds, user and
system, which on an idle machine is the time one waits; each is the best of the runs, which take turns,
since other work on the machine only ever adds. ``measure`` and ``table`` may be called from elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SIZES = (1_000, 5_000, 20_000, 100_000)
WORK_TREE = 20_000
RUNS = 9
CHANGED = 11
SEEDS = 5

# What a fresh interpreter does after its imports, in seconds: all of the command, its comparison, and
# of that the walk; and what libyaml alone takes to compose the files that were read.
PARTS = """
import contextlib, io, json, pathlib, sys, time
from pipelines import changes, cli, compare, git, leaves
words = sys.argv[1:]
started = time.process_time()
with contextlib.redirect_stdout(io.StringIO()) as said:
    assert cli.main(words) == 0
whole = time.process_time() - started
repository = git.open_repository(pathlib.Path(words[-1]))
prefix = "taxonomy"
def trees():
    return [repository.tree(ref, prefix) for ref in words[1:3]]
base, head = trees()
started = time.process_time()
files = compare.changed_files(base, head, leaves.ROOTS)
walk = time.process_time() - started
base, head = trees()
started = time.process_time()
sides = compare.differing(base, head)
compared = time.process_time() - started
import yaml
texts = [tree.read(path + "/qna.yaml").decode() for tree, side in ((base, sides.base), (head, sides.head))
         for path in side]
started = time.process_time()
for text in texts:
    yaml.compose(text, Loader=yaml.CSafeLoader)
floor = time.process_time() - started
print(json.dumps({"work": whole, "walk": walk, "compare": compared, "compose": floor,
                  "read": len(texts), "lines": said.getvalue().count(chr(10))}))
"""
# The same imports, and nothing else.
IMPORTS = "from pipelines import changes, cli, compare, git, leaves"


@dataclass(frozen=True, slots=True)
class Figures:
    """CPU milliseconds. ``start``: bare interpreter and imports; ``read``: leaf files that were parsed."""

    leaves: int
    git: float
    start: float
    whole: float
    work: float
    walk: float
    compare: float
    compose: float
    read: int


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


def measure(sizes: Sequence[int] = SIZES, runs: int = RUNS) -> list[Figures]:
    """The command on a tree of each size; the repositories are gone afterwards."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for leaves in sizes:
            repository = Path(scratch) / f"{leaves}.git"
            build(repository, leaves)
            found.append(_figures(repository, leaves, runs))
    return found


def _figures(repository: Path, leaves: int, runs: int) -> Figures:
    words = ["diff", "main", "topic", "--taxonomy", str(repository)]
    listing = ["git", "-C", str(repository), "diff", "--name-status", "main", "topic"]
    best: dict[str, float] = {}
    for _ in range(runs):
        parts = json.loads(_python("-c", PARTS, *words))
        times = {
            "git": _time(lambda: _run(listing)),
            "start": _time(lambda: _python("-c", IMPORTS)),
            "whole": _time(lambda: _python("-m", "pipelines", *words)),
            **parts,
        }
        best = {name: min(value, best.get(name, value)) for name, value in times.items()}
    read = int(best.pop("read"))
    best.pop("lines")
    return Figures(leaves=leaves, read=read, **{name: 1e3 * value for name, value in best.items()})


def measure_work_tree(leaves: int = WORK_TREE, runs: int = 3) -> dict[str, float]:
    """CPU milliseconds of comparing a checkout with ``main``, git's and ours, the checkout on ``topic``."""
    with tempfile.TemporaryDirectory() as scratch:
        repository, checkout = Path(scratch) / "bare.git", Path(scratch) / "checkout"
        build(repository, leaves)
        _run(["git", "clone", "--quiet", "--branch", "topic", str(repository), str(checkout)])
        words = ["diff", "origin/main", "--taxonomy", str(checkout / "taxonomy")]
        best: dict[str, float] = {}
        for _ in range(runs):
            times = {
                "git status": _time(lambda: _run(["git", "-C", str(checkout), "status", "-s"])),
                "graft diff origin/main": _time(lambda: _python("-m", "pipelines", *words)),
                "graft diff --staged": _time(
                    lambda: _python("-m", "pipelines", *words, "--staged")
                ),
            }
            best = {name: min(value, best.get(name, value)) for name, value in times.items()}
    return {name: 1e3 * value for name, value in best.items()}


def _time(act: Callable[[], object]) -> float:
    """CPU seconds, user and system, of the processes that ``act`` starts and waits for."""
    before = _spent()
    act()
    return _spent() - before


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _python(*words: str) -> str:
    return _run([sys.executable, *words])


def _run(words: list[str]) -> str:
    return subprocess.run(
        words,
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ).stdout


def table(found: Sequence[Figures]) -> str:
    """The figures as Markdown, in CPU milliseconds."""
    rows = [
        f"| {f.leaves:,} | {f.git:.1f} | {f.start:.0f} | {f.whole:.0f} | {f.work:.1f} | "
        f"{f.walk:.2f} | {f.compare:.1f} | {f.read} | {f.compose:.1f} |"
        for f in found
    ]
    return "\n".join(
        [
            "| leaves | git diff --name-status | Python and imports | graft diff, whole "
            "| after import | the walk | walk and reading | files read | their bare compose |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def lines(sizes: Sequence[int] = SIZES, runs: int = RUNS, *, large: bool = True) -> Iterator[str]:
    """All figures as Markdown; ``large``: those of a large work tree too."""
    yield table(measure(sizes, runs))
    if large:
        yield f"\nWork tree of {WORK_TREE:,} leaves:\n"
        for name, value in measure_work_tree().items():
            yield f"- {name}: {value:.0f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("leaves", nargs="*", type=int, default=list(SIZES), metavar="LEAVES")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--no-work-tree", action="store_true", help="spare the large checkout")
    args = parser.parse_args()
    print("\n".join(lines(args.leaves, args.runs, large=not args.no_work_tree)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
