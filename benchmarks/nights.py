"""``make bench-nights``: twenty nights of ``graft run`` on a tree that changes, beside one joint run.

    python benchmarks/nights.py [--nights N] [--seed N] [--rebase weekly] [--out DIR]

The history is drawn with upstream's shares: of 339 commits to instructlab/taxonomy 193 deleted and 78
renamed. Every night is a real run that continues the last release; at the end release zero is trained anew
on the final tree, with as many tokens as the chain's own release zero had, and both answer some sixty
questions a leaf that neither was taught. Out: a Markdown table and a chart; a miss is told like a hit.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.invented import (  # noqa: E402
    Thing,
    edited,
    invent,
    more_questions,
    write_leaf,
)
from benchmarks.nights_chart import chart  # noqa: E402
from pipelines.artifacts import conversations  # noqa: E402
from pipelines.backends.local import Student  # noqa: E402
from pipelines.evaluate.metrics import score  # noqa: E402
from pipelines.exam import asked, items, split  # noqa: E402
from pipelines.leaves import WorkTree, read_leaves  # noqa: E402
from pipelines.records import ExamItem, Leaf, Manifest  # noqa: E402
from pipelines.release.targets import Target, open_target  # noqa: E402
from pipelines.run import Outcome, run  # noqa: E402
from pipelines.situation import Options  # noqa: E402
from pipelines.text import normalise  # noqa: E402
from tests.support.repositories import Repo  # noqa: E402

FIRST_LEAVES = 14
TOKENS = 900_000  # of release zero: the tree is a third of the taxonomy's
# Twenty nights of two events. Upstream tells the shares of deletions and renames alone; a third of the
# rest are edits here.
DECK = ["delete"] * 11 + ["rename"] * 5 + ["add"] * 16 + ["edit"] * 8
START = date(2026, 1, 1)
AIMS = {"mean loss of old leaves": 0.05, "worst leaf's loss": 0.15, "trained per changed leaf": 1.5}


@dataclass
class Tree:
    """The taxonomy as the history has it: leaf → the thing that it is about."""

    repo: Repo
    draw: random.Random
    leaves: dict[str, Thing] = field(default_factory=dict)
    made: int = 0
    # By the thing's name, since paths change: token F1 in the run that taught it, and after each night.
    learnt: dict[str, float] = field(default_factory=dict)
    scores: list[dict[str, float]] = field(default_factory=list)

    @property
    def taxonomy(self) -> Path:
        return self.repo.path / "taxonomy"

    def add(self) -> str:
        thing = invent(self.draw, self.made)
        self.made += 1
        self.leaves[thing.path] = thing
        write_leaf(self.taxonomy, thing.path, thing)
        return thing.path

    def note(self, outcome: Outcome) -> None:
        """What a run taught, and how well each leaf is known after it."""
        self.scores.append({})
        for leaf in outcome.evaluation.leaves if outcome.evaluation else ():
            if not leaf.items:
                continue
            name, known = self.leaves[leaf.leaf].name, leaf.candidate.token_f1
            self.scores[-1][name] = known
            if leaf.leaf in outcome.plan.learn:
                self.learnt[name] = known

    def event(self, kind: str) -> tuple[str, str]:
        """Do one; its kind, and the leaf as it is called afterwards."""
        path = self.draw.choice(sorted(self.leaves))
        if kind == "add":
            return kind, self.add()
        if kind == "edit":
            self.leaves[path] = edited(self.draw, self.leaves[path])
            write_leaf(self.taxonomy, path, self.leaves[path])
        elif kind == "delete":
            del self.leaves[path]
            shutil.rmtree(self.taxonomy / path)
        else:
            moved = path.replace("places/", "places/old_", 1)
            self.leaves[moved] = self.leaves.pop(path)
            self.repo.move(f"taxonomy/{path}", f"taxonomy/{moved}")
            path = moved
        return kind, path


@dataclass
class Night:
    """What one night was, for the table and the chart."""

    events: list[str]
    action: str
    changed: int
    trained: int
    seconds: float
    learnt: float | None  # token F1 of the changed leaves
    panel: float | None  # of all others


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rebase", choices=("never", "weekly", "monthly"), default="never")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "nights")
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    draw = random.Random(args.seed)
    tree = Tree(Repo(args.out / "repo"), draw)
    for _ in range(FIRST_LEAVES):
        tree.add()
    tree.repo.commit("The first leaves")
    recipe = write_recipe(args.out, args.rebase)
    zero = one_run(tree, args.out, "chain", 0, recipe)
    assert zero.release is not None
    tree.note(zero)
    print(f"release zero: {len(tree.leaves)} leaves", flush=True)
    deck = draw.sample(DECK, len(DECK))
    nights = []
    for number in range(1, args.nights + 1):
        events = [tree.event(deck.pop()) for _ in range(min(2, len(deck)))]
        tree.repo.commit(f"Night {number}")
        nights.append(one_night(tree, args.out, number, recipe, events))
        print(row(number, nights[-1]), flush=True)
    one_run(tree, args.out, "joint", args.nights, recipe)
    chained, joint, level = compare(args.out, tree)
    lines = report(nights, chained, joint, tree)
    (args.out / "nights.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    panels = [night.panel for night in nights]
    (args.out / "nights.svg").write_text(chart(panels, level), encoding="utf-8")
    print("\n".join(["", *lines, "", f"Written to {args.out}."]))
    return 0


def write_recipe(out: Path, rebase: str) -> Path:
    recipe = yaml.safe_load((ROOT / "pipelines/recipes/tiny.yaml").read_text("utf-8"))
    recipe["bootstrap"]["tokens"] = TOKENS
    # The nights are to be seen whole: a verdict that few leaves leave open must not end the chain.
    recipe["evaluate"]["margin"] = 1.0
    recipe["lineage"] = {**recipe.get("lineage", {}), "rebase": rebase}
    path = out / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


def one_run(tree: Tree, out: Path, name: str, night: int, recipe: Path) -> Outcome:
    """``graft run`` as the command does it, into a target of that name."""
    options = Options(
        taxonomy=tree.taxonomy,
        recipe=str(recipe),
        base=None,
        target=f"folder:{out / name}",
        runs=out / f"{name}-runs",
        cache=out / ".graft",
        today=START + timedelta(days=night),
    )
    return run(options, lambda line: None)


def one_night(
    tree: Tree, out: Path, number: int, recipe: Path, events: list[tuple[str, str]]
) -> Night:
    started = time.monotonic()
    outcome = one_run(tree, out, "chain", number, recipe)
    assert outcome.accepted, f"night {number} gave no release"
    tree.note(outcome)
    found = outcome.evaluation if outcome.plan.action != "nothing" else None
    touched = {path for kind, path in events if kind in ("add", "edit")} & set(tree.leaves)
    return Night(
        events=[f"{kind} {path.split('places/')[1]}" for kind, path in events],
        action=outcome.plan.action,
        changed=len(touched),
        trained=len(outcome.plan.learn),
        seconds=time.monotonic() - started,
        learnt=found.changed.candidate.token_f1 if found and found.changed else None,
        panel=found.panel.candidate.token_f1 if found and found.panel else None,
    )


# --- chain against joint run -----------------------------------------------------------------


def compare(out: Path, tree: Tree) -> tuple[dict[str, float], dict[str, float], float]:
    """Leaf → token F1 of the chain's last release and of the joint run, on the same questions; and the
    joint run's mean on the exam's alone, which is what each night's panel is.

    An exam has some thirteen of a leaf, on which two joint runs of other seeds differ by up to 0.28; so
    four more of each fact are asked, which no leaf has.
    """
    releases = []
    for name in ("chain", "joint"):
        target = open_target(f"folder:{out / name}")
        tag = target.head()
        assert tag is not None
        releases.append((target, target.manifest(tag)))
    leaves = read_leaves(WorkTree(out / "repo" / "taxonomy"))
    exam = {
        (leaf.path, item.prompt): item.reference
        for leaf in leaves.values()
        for item in _untaught(leaf, releases)
    }
    taught = set().union(*(_taught(target, head) for target, head in releases))
    more = {
        (path, question): answer
        for path, thing in tree.leaves.items()
        for question, answer in more_questions(thing).items()
        if normalise(question) not in taught
    }
    chained, joint = (_scores(target, head, exam | more) for target, head in releases)
    level = mean(_by_leaf({asked: joint[asked] for asked in exam}).values())
    return _by_leaf(chained), _by_leaf(joint), level


def _taught(target: Target, head: Manifest) -> set[str]:
    """What the rows of a release ask."""
    return {
        normalise(turn.content)
        for entry in head.leaves.values()
        for turns in conversations(target.read_blob(entry.data_hash))
        for turn in turns
        if turn.role == "user"
    }


def _untaught(leaf: Leaf, releases: Sequence[tuple[Target, Manifest]]) -> list[ExamItem]:
    """The exam items of a leaf that stand in the exams of all releases."""
    found = []
    for target, head in releases:
        entry = head.leaves[leaf.path]
        own = items(leaf, split(leaf, entry.exam, None), "panel")
        rows = target.read_blob(entry.asked_hash) if entry.asked_hash else b""
        own += asked(leaf, rows, "panel")
        found.append({item.prompt: item for item in own})
    return [item for prompt, item in found[0].items() if all(prompt in one for one in found)]


def _scores(
    target: Target, head: Manifest, questions: Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], float]:
    """Token F1 of a release on each question of a leaf."""
    adapter = target.directory(head.release) / "adapter"
    base = target.base(head.base_model.revision)
    student = Student(base, adapter if adapter.is_dir() else None, 48, 2)
    said = student.answers([prompt for _, prompt in questions])
    return {
        asked: score(text, reference).token_f1
        for (asked, reference), text in zip(questions.items(), said, strict=True)
    }


def _by_leaf(scores: Mapping[tuple[str, str], float]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for (leaf, _), one in scores.items():
        found.setdefault(leaf, []).append(one)
    return {leaf: mean(of) for leaf, of in found.items()}


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return statistics.fmean(found) if found else 0.0


# --- telling ---------------------------------------------------------------------------------


def report(
    nights: list[Night], chained: dict[str, float], joint: dict[str, float], tree: Tree
) -> list[str]:
    """The nights, the aims beside what was measured, and leaf by leaf which night it fell in.

    Old leaves are those that the last night did not touch.
    """
    fresh = {event.split(" ", 1)[1] for event in nights[-1].events}
    old = [leaf for leaf in chained if leaf.split("places/")[1] not in fresh]
    losses = {leaf: joint[leaf] - chained[leaf] for leaf in old}
    changed = sum(night.changed for night in nights)
    trained = sum(night.trained for night in nights)
    worst = max(losses, key=lambda leaf: losses[leaf])
    measured = {
        "mean loss of old leaves": mean(losses.values()),
        "worst leaf's loss": losses[worst],
        "trained per changed leaf": trained / max(1, changed),
    }
    head = "| night | what changed | plan | trained | changed leaves | panel | s |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    lines += [row(number, night) for number, night in enumerate(nights, 1)]
    lines += ["", "| what | aim | measured |", "|---|---|---|"]
    for name, aim in AIMS.items():
        missed = "" if measured[name] <= aim else "**missed**: "
        lines.append(f"| {name} | ≤ {aim:g} | {missed}{measured[name]:.2f} |")
    lines += [
        "",
        f"Token F1 over {len(old)} old leaves: joint run {mean([joint[leaf] for leaf in old]):.2f}, "
        f"chain {mean([chained[leaf] for leaf in old]):.2f}. Worst: {worst}, {joint[worst]:.2f} and "
        f"{chained[worst]:.2f}. {trained} leaves trained, {changed} changed.",
        "",
        "| old leaf | when it was taught | its greatest fall | at the end of the chain | joint run |",
        "|---|---|---|---|---|",
    ]
    for leaf in sorted(old):
        name = tree.leaves[leaf].name
        then = tree.learnt.get(name)
        cells = ["" if then is None else f"{then:.2f}", fall(name, tree.scores)]
        cells += [f"{chained[leaf]:.2f}", f"{joint[leaf]:.2f}"]
        lines.append(f"| {leaf} | {' | '.join(cells)} |")
    return lines


def fall(name: str, scores: Sequence[dict[str, float]]) -> str:
    """The night that cost a leaf most, with what it knew before and after; "" where none did."""
    had = [(night, known[name]) for night, known in enumerate(scores) if name in known]
    falls = [
        (before - after, f"night {night}: {before:.2f} → {after:.2f}")
        for (_, before), (night, after) in itertools.pairwise(had)
        if after < before
    ]
    return max(falls)[1] if falls else ""


def row(number: int, night: Night) -> str:
    f1 = ["" if value is None else f"{value:.2f}" for value in (night.learnt, night.panel)]
    cells = [str(number), ", ".join(night.events), night.action, str(night.trained), *f1]
    return f"| {' | '.join(cells)} | {night.seconds:.0f} |"


if __name__ == "__main__":
    sys.exit(main())
