"""Whatever the order of arrival, the concurrency, the failures and the restarts: the same bytes.

The backend's answers are a function of the call alone; when each one arrives, how many are under way and
where a run breaks off is drawn.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.artifacts import canonical_json, digest
from pipelines.backends import Answer, Call, tagged
from pipelines.errors import BackendError, CallError
from pipelines.generate import engine
from pipelines.generate.engine import Passage
from pipelines.generate.ledger import Book, ledger_json
from pipelines.generate.steps import (
    Ask,
    Distinct,
    Flow,
    Keep,
    Majority,
    Near,
    Reshape,
    Row,
    Setting,
    Step,
)
from pipelines.leaves import WorkTree
from pipelines.records import Json, Message
from tests.generate.support import Teacher, Work, dataset, taxonomy, work_of

WORDS = ("tide", "moon", "ebb", "flow", "Fundy", "1914", "neap", "sea")
DRAWN = st.integers(0, 2**32)


class Scripted(Teacher):
    """Answers by the call's key: blocks, broken blocks, nothing, or for a few keys never anything.

    ``draw`` decides how often others come first; after ``breaks`` answers the backend is gone.
    """

    def __init__(self, seed: int, most: int = 1000, breaks: int = 10**9) -> None:
        super().__init__()
        self.draw = random.Random(seed)
        self.free = asyncio.Semaphore(most)
        self.left = breaks

    async def answer(self, call: Call) -> Answer:
        async with self.free:
            for _ in range(self.draw.randrange(6)):
                await asyncio.sleep(0)
            self.left -= 1
            if self.left < 0:
                raise BackendError("the teacher is gone")
            self.asked.append(call)
            return Answer(said(call))


def said(call: Call) -> str:
    fate = random.Random(call.key)
    kind = fate.randrange(12)
    if kind == 0:
        raise CallError("this call has no answer")
    if kind == 1:
        return fate.choice(["", "[END]", "I cannot."])
    blocks = []
    for _ in range(fate.randrange(1, 4)):
        words = fate.choices(WORDS, k=fate.randrange(2, 6))
        context = "[CONTEXT]\nA tide.\n" if call.task == "vary_context" else ""
        question = f"{' '.join(words)} {digest([call.variables, kind])[: fate.choice([2, 8])]}?"
        block = f"{context}[QUESTION]\n{question}\n[ANSWER]\n{words[0]}\n[END]\n"
        blocks.append(block if fate.randrange(6) else block.replace("[ANSWER]", ""))
    return "".join(blocks)


# --- any flow ------------------------------------------------------------------------------------


def ask(name: str, samples: int) -> Ask:
    def render(values: Mapping[str, str]) -> tuple[Message, ...]:
        return (Message("user", f"{name} {values['question']}"),)

    parse = partial(tagged.parse, tags=("question", "answer"))
    return Ask(name, ("question",), render, parse, samples=samples)


def twice(columns: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
    return [columns, {**columns, "question": f"Again {columns['question']}"}]


def short(row: Row, setting: Setting) -> str:
    return "too long" if len(row.columns["question"]) > 60 else ""


STEPS: dict[str, Step] = {
    "ask": ask("ask", 1),
    "ask_thrice": ask("ask_thrice", 3),
    "short": Keep("short", short),
    "twice": Reshape("twice", twice),
    "distinct": Distinct("distinct", ("question",)),
    "near": Near("near", ("question",)),
    "majority": Majority("majority", "answer"),
}


class Asking:
    """A row's calls to a backend, without a store."""

    def __init__(self, backend: Scripted) -> None:
        self.backend = backend

    def calls(self, step: Ask, row: Row) -> list[Call]:
        values = {name: row.columns[name] for name in step.variables}
        return [
            Call(step.name, values, step.render(values), "m", "1", sample=sample)
            for sample in range(step.samples)
        ]

    async def answer(self, step: Ask, call: Call) -> Answer:
        return await self.backend.answer(call)


def passed(steps: Sequence[Step], rows: int, seed: int, most: int) -> list[Json]:
    """Rows, rejects and ledger of one passage; a ledger that does not balance raises."""
    flow = Flow("f", "phase", "question", tuple(steps), "hash")
    book = Book()
    first = (Row({"question": f"Question {n % 7}", "answer": "a"}, order=(n,)) for n in range(rows))

    async def go() -> list[Row]:
        asking = Asking(Scripted(seed, most))
        return await Passage(flow, "leaf", Setting(), asking, book).through(first)

    left = asyncio.run(go())
    for _ in left:
        book.passed(flow, "row", 1, 1)
    told = book.ledger(0, 0)
    assert told.steps[-1].kept == len(left)
    rejects = sorted(canonical_json(reject) for reject in book.rejects)
    plain = [[row.columns, row.order, row.calls] for row in left]
    return [json.loads(canonical_json([plain, ledger_json(told)])), rejects]


@given(
    names=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=5, unique=True),
    rows=st.integers(0, 12),
    seed=DRAWN,
    most=st.integers(1, 5),
    window=st.integers(1, 6),
)
@settings(max_examples=60)
def test_any_flow_gives_the_same_rows_in_any_order_of_arrival(
    names: list[str], rows: int, seed: int, most: int, window: int
) -> None:
    steps = [STEPS[name] for name in names]
    expected = passed(steps, rows, 0, 1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "WINDOW", window)
        patch.setattr(engine, "BRANCHES", 1 + window // 2)
        assert passed(steps, rows, seed, most) == expected


# --- the whole stage -----------------------------------------------------------------------------


def contents(out: Path) -> dict[str, object]:
    """Every file's bytes; of the ledger its steps: what was read back depends on the store."""
    found: dict[str, object] = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != "ledger.json"
    }
    found["steps"] = json.loads((out / "ledger.json").read_bytes())["steps"]
    return found


@dataclass(frozen=True, repr=False)
class Stage:
    """A taxonomy, and the dataset that one undisturbed run makes of it."""

    tree: WorkTree
    work: Work
    expected: dict[str, object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("stage")
    tree = taxonomy(folder / "taxonomy")
    work = work_of(tree)
    dataset(folder / "dataset", tree, work, Scripted(0))
    return Stage(tree, work, contents(folder / "dataset"))


@given(seed=DRAWN, most=st.integers(1, 9), breaks=st.lists(st.integers(0, 40), max_size=3))
@settings(max_examples=12)
def test_the_dataset_is_the_same_bytes_however_often_it_broke_off(
    whole: Stage, seed: int, most: int, breaks: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "calls.sqlite"
        for number, after in enumerate([*breaks, 10**9]):
            known = stored(store)
            teacher = Scripted(seed + number, most, after)
            out = Path(folder) / str(number)
            with contextlib.suppress(BackendError):
                dataset(out, whole.tree, whole.work, teacher, store)
            assert known.isdisjoint(call.key for call in teacher.asked)
        assert contents(out) == whole.expected


def stored(path: Path) -> set[str]:
    """The keys that the store has answers to."""
    if not path.exists():
        return set()
    db = sqlite3.connect(path)
    found = {key for (key,) in db.execute("SELECT key FROM answers")}
    db.close()
    return found
