"""Graft's engine, call store and client on the common rows; see ``common``."""

from __future__ import annotations

import common  # first: it looks at the clock

# isort: split
import asyncio
import os
import re
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# Else loaded when a backend is opened, in the time that is measured; the others' clients are here by then.
import pipelines.backends.openai_api  # noqa: E402, F401
from pipelines.backends import Backend, open_backend  # noqa: E402
from pipelines.generate import LEAVES, Teaching  # noqa: E402
from pipelines.generate.completions import Completions  # noqa: E402
from pipelines.generate.engine import Passage  # noqa: E402
from pipelines.generate.ledger import Book  # noqa: E402
from pipelines.generate.prompts import filled  # noqa: E402
from pipelines.generate.steps import Ask, Distinct, Flow, Keep, Row, Setting  # noqa: E402
from pipelines.recipe import Recipe, Teacher, load_recipe  # noqa: E402

LEAF = 50  # rows of one leaf


def _blocks(pattern: re.Pattern[str], names: tuple[str, ...], text: str):
    good = [
        dict(zip(names, (part.strip() for part in found.groups()), strict=True))
        for found in pattern.finditer(text)
    ]
    return good, [] if good else [text]


def _supported(row: Row, setting: Setting) -> str:
    return "" if row.columns["verdict"] == "YES" else "not supported by the text"


FLOW = Flow(
    name="bench",
    phase="knowledge",
    rows="chunk_and_seed",
    steps=(
        Ask(
            "ask_pairs",
            ("document", "seed_question", "seed_answer"),
            partial(filled, common.ASK),
            partial(_blocks, re.compile(common.PATTERN, re.DOTALL), ("question", "answer")),
        ),
        Distinct("question", ("question",)),
        Ask(
            "judge",
            ("document", "question", "answer"),
            partial(filled, common.JUDGE),
            partial(_blocks, re.compile(common.VERDICT, re.DOTALL), ("verdict",)),
        ),
        Keep("supported", _supported),
    ),
    hash="bench",
)


def recipe_for(url: str, concurrency: int) -> Recipe:
    """The tiny recipe with the server for a teacher."""
    teacher = Teacher(
        backend="openai_api", model=common.MODEL, revision="1", url=url, concurrency=concurrency
    )
    return replace(load_recipe("tiny"), teacher=teacher)


async def through(
    recipe: Recipe, store: Completions, backend: Backend, inputs: list[dict[str, str]]
) -> int:
    """How many rows come out."""
    teaching = Teaching(recipe, store, backend)
    free = asyncio.Semaphore(LEAVES)

    async def leaf(start: int) -> int:
        async with free:
            part = inputs[start : start + LEAF]
            book = Book()
            passage = Passage(FLOW, str(start), Setting(), teaching, book)
            first = [Row(columns, order=(at,)) for at, columns in enumerate(part)]
            kept = len(await passage.through(first))
            book.ledger(0, 0)
            return kept

    try:
        return sum(await asyncio.gather(*(leaf(at) for at in range(0, len(inputs), LEAF))))
    finally:
        await backend.close()


def run(url: str, inputs: list[dict[str, str]], concurrency: int) -> int:
    """All rows, with a store in a folder of their own, or in the one that BENCH_STORE names."""
    recipe = recipe_for(url, concurrency)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(os.environ.get("BENCH_STORE", folder)) / "calls.sqlite"
        with Completions(path) as store:
            return asyncio.run(through(recipe, store, open_backend(recipe.teacher), inputs))


if __name__ == "__main__":
    os.environ.setdefault("OPENAI_API_KEY", "none")
    common.main(lambda: "this commit", run)
