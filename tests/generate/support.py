"""A small taxonomy of each kind of leaf, and datasets generated from it by the real stage."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from pipelines.artifacts import conversations
from pipelines.backends import Answer, Backend, Call
from pipelines.backends.extractive import Extractive
from pipelines.documents import documents
from pipelines.exam import split
from pipelines.generate import Teaching, first_rows, generate
from pipelines.generate.completions import Completions
from pipelines.generate.flow import FLOWS, exam_flows_of, load_flow
from pipelines.generate.steps import Ask, Flow
from pipelines.leaves import WorkTree, read_leaves
from pipelines.recipe import Recipe, load_recipe
from pipelines.records import ExamSplit, Json, Leaf, Message
from tests.support.repositories import KnowledgeSeed, SkillSeed, knowledge_leaf, skill_leaf

FAST = Path(__file__).parents[1] / "support" / "fast.yaml"
KNOWLEDGE = "knowledge/earth/tides"
FREEFORM = "compositional_skills/writing/captions"
GROUNDED = "compositional_skills/reading/notes"
Work = dict[str, tuple[Leaf, ExamSplit]]

# Questions with no words in common, so that none is a near duplicate of another.
TIDE_SEEDS: list[KnowledgeSeed] = [
    ("Fishermen wait for slack water.", [("When do crews cast their nets?", "At slack water.")]),
    ("A neap tide is weak.", [("What name has the feeblest rise?", "Neap.")]),
    ("Fundy has the largest range.", [("Which bay beats every other?", "Fundy.")]),
    ("Seagrass dries at the ebb.", [("How does low sea harm meadows?", "They dry.")]),
    ("Mills used the flood.", [("Why were grain wheels built on inlets?", "For the flood.")]),
    ("Pytheas wrote of them first.", [("Who described this among the Greeks?", "Pytheas.")]),
]
CAPTIONS: list[SkillSeed] = [
    ("", "Describe a lighthouse in four words.", "Bright tower guards ships."),
    ("", "Say what bakers fear most.", "A cold oven."),
    ("", "Give a slogan to sleepy owls.", "Wake when others rest."),
    ("", "Name one gift fit for sailors.", "A dry pair of socks."),
    ("", "Invent some motto about rain.", "Every drop finds its sea."),
]
NOTES: list[SkillSeed] = [
    ("Ada sold 14 clocks on Monday.", "How many clocks went that day?", "14 clocks"),
    ("Hugo walked 9 miles to Leeds.", "What distance did he cover?", "9 miles"),
    ("The barn holds 320 bales of hay.", "Count the bales stored.", "320 bales"),
    ("Rosa planted 25 elms by the brook.", "Which number of trees stands there?", "25 elms"),
    ("A crate of 48 plums came at noon.", "Tell me the fruit in the box.", "48 plums"),
]


class Teacher:
    """The extractive teacher, which remembers what it was asked, or another way to answer."""

    def __init__(self, answer: Callable[[Call], str] | None = None) -> None:
        self.asked: list[Call] = []
        self._other = answer

    async def answer(self, call: Call) -> Answer:
        self.asked.append(call)
        if self._other is not None:
            return Answer(self._other(call))
        return await Extractive().answer(call)

    async def close(self) -> None:
        return None


def recipe() -> Recipe:
    return load_recipe(str(FAST))


def taxonomy(root: Path) -> WorkTree:
    """One leaf of each kind below ``root``."""
    knowledge_leaf(root, KNOWLEDGE, seeds=TIDE_SEEDS)
    skill_leaf(root, FREEFORM, seeds=CAPTIONS)
    skill_leaf(root, GROUNDED, seeds=NOTES)
    return WorkTree(root)


def work_of(tree: WorkTree, recorded: Mapping[str, tuple[Leaf, ExamSplit]] | None = None) -> Work:
    """Every leaf by content hash with its split, sticky to the ``recorded`` one of its path."""
    found: Work = {}
    before = recorded or {}
    for path, leaf in read_leaves(tree).items():
        old, known = before.get(path, (None, None))
        found[leaf.content_hash] = (leaf, split(leaf, known, old))
    return found


def by_path(work: Work) -> dict[str, tuple[Leaf, ExamSplit]]:
    return {leaf.path: (leaf, sides) for leaf, sides in work.values()}


def dataset(
    out: Path, tree: WorkTree, work: Work, backend: Backend, cache: Path | None = None,
    wanted: Recipe | None = None,
) -> Completions:  # fmt: skip
    """Run the stage into ``out``; the store, closed, with its counts."""
    out.mkdir()
    with Completions(cache or out.with_suffix(".sqlite")) as store:
        teaching = Teaching(wanted or recipe(), store, backend)
        generate(work, partial(documents, tree), teaching, out, lambda line: None)
    return store


def planned_calls(leaf: Leaf, sides: ExamSplit, tree: WorkTree) -> Iterator[Call]:
    """Every first call that generating this leaf's rows and exam questions takes."""
    with tempfile.TemporaryDirectory() as folder, Completions(Path(folder) / "s") as store:
        teaching = Teaching(recipe(), store, Teacher())
        for flow in (*map(load_flow, FLOWS[leaf.kind]), *exam_flows_of(recipe(), leaf.kind)):
            for row in first_rows(flow, leaf, sides, partial(documents, tree), recipe()):
                yield from teaching.calls(first_ask(flow), row)


def first_ask(flow: Flow) -> Ask:
    return next(step for step in flow.steps if isinstance(step, Ask))


def lines(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def rows(out: Path) -> list[Json]:
    return [row for path in sorted((out / "rows").iterdir()) for row in lines(path)]


def row_bytes(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "rows").iterdir())}


def talks(out: Path) -> dict[str, list[tuple[Message, ...]]]:
    """Conversations by content hash, as training takes them."""
    return {
        name.removesuffix(".jsonl"): conversations(data) for name, data in row_bytes(out).items()
    }
