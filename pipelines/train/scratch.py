"""Release zero: a tokenizer and a student trained on the first commit's rows from nothing.

In: conversations by content hash, a recipe. Out, in the stage directory: ``save_pretrained``'s files
and ``training.json`` (rows, tokens, loss).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from pipelines.artifacts import Rows
from pipelines.errors import TrainError
from pipelines.recipe import Recipe
from pipelines.train.checkpoint import checkpoints_of
from pipelines.train.data import Encoded, encode, steps
from pipelines.train.loop import Course, Say, deterministic, tell_left_out, train, write_record
from pipelines.train.optimizers import scratch_optimizers
from pipelines.train.order import Order
from pipelines.train.student import fresh_model, train_tokenizer
from pipelines.train.supervised import Supervised
from pipelines.train.world import ALONE


def bootstrap(order: Order, rows: Rows, recipe: Recipe, out: Path, say: Say) -> None:
    """Release zero: a tokenizer and a student trained on ``rows`` from nothing, written to ``out``.

    Of ``order`` only where to keep checkpoints is used. It is small, and so one process trains it, on
    the CPU, whatever the recipe has for adapters.
    """
    deterministic(recipe)
    shape = recipe.bootstrap
    assert shape is not None, "a recipe whose student is made here has the section"
    talks = [row for content_hash in sorted(rows) for row in rows[content_hash]]
    if not talks:
        raise TrainError("There is no row to train release zero on: the taxonomy has no leaf.")
    texts = (turn.content for row in talks for turn in row)
    tokenizer = train_tokenizer(texts, recipe.student.vocabulary)
    model = fresh_model(recipe.student, tokenizer, recipe.seed)
    encoded = encode(
        tokenizer, [(row, 1.0) for row in talks], recipe.student.positions, recipe.train.too_long
    )
    tell_left_out(len(talks) - len(encoded), recipe, say)
    if not encoded:
        raise TrainError(f"No row fits the student's {recipe.student.positions} tokens.")

    def forever() -> Iterator[list[Encoded]]:
        for epoch in itertools.count():
            yield from steps(encoded, shape.tokens_per_step, recipe.seed + epoch)

    optimizers = scratch_optimizers(model, shape.matrix_rate, shape.rate)
    done = train(
        Supervised(model),
        dict(model.named_parameters()),
        optimizers,
        forever(),
        Course(shape.tokens, seed=recipe.seed),
        say,
        ALONE,
        checkpoints_of(order, recipe, say),
    )
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    told = {"rows": len(encoded), "tokens": shape.tokens, "loss": round(done.loss, 4)}
    write_record(out, told, done)
