"""What comparing leaves with a whole tree costs, on this machine.

    python benchmarks/near.py [QUESTIONS]

A tree of generated leaves (five contexts with three questions each, words drawn from a long-tailed
vocabulary as those of a language are) is written to a temporary folder and compared through the real
rule, comparison and index. Timed is that alone: gathering entries, looking at digests, writing,
comparing, wording findings; reading YAML is the business of other benchmarks. ``measure`` is for callers.
"""

from __future__ import annotations

import itertools
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipelines.check.comparison import TreeComparison  # noqa: E402
from pipelines.check.near_duplicates import gather  # noqa: E402
from pipelines.check.subject import LeafSubject, TreeSubject, read_subject, read_tree  # noqa: E402
from pipelines.leaves import WorkTree  # noqa: E402
from pipelines.near import index_path  # noqa: E402
from pipelines.near.store import open_index  # noqa: E402

QUESTIONS = 50_000
PER_LEAF = 15
NEW = 500
SINGLE = 20

_ASKED = (
    "What is the {} of the {} {}?",
    "When did the {} {} {}?",
    "Who first {} the {} of {}?",
    "Why does a {} {} in the {} {}?",
    "How many {} are there in the {} of {}?",
    "Which {} {} is the most {} in {}?",
    "In what year was the {} {} {} by {}?",
    "What does the {} {} mean for the {} of a {}?",
    "Where in {} can a {} {} be {} today?",
)


@dataclass(frozen=True)
class Figures:
    """CPU milliseconds a leaf, and what the index takes."""

    leaves: int
    questions: int
    build_ms: float
    build_wall_s: float
    unchanged_ms: float
    new_ms: float
    single_ms: float
    findings: int
    index_mb: float
    peak_mb: float


class Words:
    """Words of an invented language: few are common, most are rare. The same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        begin = "b c d f g h j k l m n p r s t v w z br tr st ch".split()
        parts = [a + b for a in begin for b in "a e i o u ai ou".split()]
        made = {"".join(self._random.choices(parts, k=2 + at % 3)) for at in range(20_000)}
        self._words = sorted(made)
        self._random.shuffle(self._words)
        self._weights = list(itertools.accumulate(1 / (at + 20) for at in range(len(self._words))))

    def some(self, count: int) -> list[str]:
        return self._random.choices(self._words, cum_weights=self._weights, k=count)

    def question(self) -> str:
        form = self._random.choice(_ASKED)
        asked = form.format(*self.some(form.count("{}")))
        if self._random.random() < 0.3:
            asked = f"{asked[:-1]} during the {' '.join(self.some(3))}?"
        return asked

    def leaf(self) -> str:
        lines = ["version: 3", "created_by: bench", "domain: bench", "seed_examples:"]
        for _ in range(5):
            lines += [f"  - context: {' '.join(self.some(90))}.", "    questions_and_answers:"]
            for _ in range(PER_LEAF // 5):
                answer = " ".join(self.some(self._random.choice((1, 2, 3, 8))))
                lines += [f"      - question: {self.question()}", f"        answer: {answer}x"]
        lines += ["document_outline: bench", "document:", '  repo: "."', "  commit: HEAD"]
        return "\n".join([*lines, "  patterns:", "    - d.md"]) + "\n"


class Clock:
    """CPU seconds of what runs inside ``run``, and nothing else."""

    def __init__(self) -> None:
        self.spent = 0.0

    def run(self, work: Callable[[], object]) -> object:
        begun = time.process_time()
        try:
            return work()
        finally:
            self.spent += time.process_time() - begun


def measure(folder: Path, questions: int = QUESTIONS) -> Figures:
    """Generate a tree in ``folder``, an empty one, and measure."""
    count = max(1, questions // PER_LEAF)
    words = Words(1)
    for number in range(count):
        _write(folder, number, words.leaf())
    wall = time.monotonic()
    build, _ = _compare(folder, whole=True)
    wall = time.monotonic() - wall
    unchanged, _ = _compare(folder, whole=True)
    for number in range(count, count + NEW):
        _write(folder, number, words.leaf())
    # Every tenth of the new leaves is a copy with other answers: twins and conflicts are worded too.
    for number in range(count, count + NEW, 10):
        text = _file(folder, number - count).read_text(encoding="utf-8")
        _write(folder, number, text.replace("x\n", "y\n"))
    new = {_leaf(number) for number in range(count, count + NEW)}
    grown, findings = _compare(folder, whole=True, timed=new)
    single = 0.0
    for number in range(SINGLE):
        _write(folder, number, words.leaf())
        single += _compare(folder, whole=False, leaves=[_leaf(number)])[0]
    index = index_path(folder / ".graft", folder)
    size = sum(path.stat().st_size for path in index.parent.iterdir())
    return Figures(
        leaves=count,
        questions=count * PER_LEAF,
        build_ms=build / count * 1e3,
        build_wall_s=wall,
        unchanged_ms=unchanged / count * 1e3,
        new_ms=grown / NEW * 1e3,
        single_ms=single / SINGLE * 1e3,
        findings=findings,
        index_mb=size / 1e6,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    )


def _compare(
    folder: Path,
    *,
    whole: bool,
    leaves: Sequence[str] | None = None,
    timed: Collection[str] | None = None,
) -> tuple[float, int]:
    """CPU seconds of one comparison, and how many findings it had.

    ``timed``: of the leaves only these, with all that is done for the tree as a whole.
    """
    tree = WorkTree(folder)
    names: TreeSubject = read_tree(tree)
    index = index_path(folder / ".graft", folder)
    clock = Clock()
    comparison = TreeComparison(
        lambda: open_index(index, folder, create=True, say=print), whole=whole
    )
    for leaf in names.leaves if leaves is None else leaves:
        subject = read_subject(tree, leaf, names.files)
        take = partial(_take, comparison, subject)
        if timed is None or leaf in timed:
            clock.run(take)
        else:
            take()
    found = clock.run(lambda: list(comparison.findings(tree, names, "")))
    clock.run(comparison.close)
    assert isinstance(found, list)
    return clock.spent, len(found)


def _take(comparison: TreeComparison, subject: LeafSubject) -> None:
    for entries in gather(subject):
        comparison.add(entries)


def _leaf(number: int) -> str:
    return f"knowledge/area_{number // 100}/leaf_{number}"


def _file(folder: Path, number: int) -> Path:
    return folder / _leaf(number) / "qna.yaml"


def _write(folder: Path, number: int, text: str) -> None:
    file = _file(folder, number)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def rows(found: Figures) -> Iterator[str]:
    """The figures as rows of a Markdown table."""
    against = f"{found.questions:,} questions in {found.leaves:,} leaves"
    yield f"| index built, CPU a leaf | {against} | {found.build_ms:.2f} ms |"
    yield f"| index built, wall, reading the YAML included | {against} | {found.build_wall_s:.1f} s |"
    yield f"| nothing changed, CPU a leaf | {against} | {found.unchanged_ms:.3f} ms |"
    yield f"| {NEW} new leaves, CPU a new leaf | {against} | {found.new_ms:.2f} ms |"
    yield f"| a single file, CPU | {against} | {found.single_ms:.1f} ms |"
    yield f"| index on disk | {against} | {found.index_mb:.0f} MB |"
    yield f"| peak memory of the process | {against} | {found.peak_mb:.0f} MB |"


def lines(questions: int = QUESTIONS) -> Iterator[str]:
    """A Markdown table of all figures."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), questions)
    yield "| what | against | measured |\n|---|---|---|"
    yield from rows(found)
    yield f"\n{found.findings} findings."


def main() -> int:
    print("\n".join(lines(*map(int, sys.argv[1:2]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
