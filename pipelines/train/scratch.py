"""Release zero: a tokenizer and a student trained on the first commit's rows from nothing.

In: conversations by content hash, a recipe. Out, in the stage directory: ``save_pretrained``'s files
and ``training.json`` (rows, tokens, loss).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import TrainError
from pipelines.recipe import Recipe
from pipelines.train.data import Batch, Conversations, batches, encode
from pipelines.train.loop import (
    Say,
    deterministic,
    scratch_optimizers,
    tell_left_out,
    train,
    write_record,
)
from pipelines.train.student import fresh_model, train_tokenizer


def bootstrap(rows: Conversations, recipe: Recipe, out: Path, say: Say) -> None:
    """Release zero: a tokenizer and a student trained on ``rows`` from nothing, written to ``out``."""
    deterministic(recipe)
    order = [row for content_hash in sorted(rows) for row in rows[content_hash]]
    if not order:
        raise TrainError("There is no row to train release zero on: the taxonomy has no leaf.")
    texts = (turn.content for row in order for turn in row)
    tokenizer = train_tokenizer(texts, recipe.student.vocabulary)
    model = fresh_model(recipe.student, tokenizer, recipe.seed)
    encoded = encode(tokenizer, [(row, 1.0) for row in order], recipe.student.positions)
    tell_left_out(len(order) - len(encoded), recipe, say)
    if not encoded:
        raise TrainError(f"No row fits the student's {recipe.student.positions} tokens.")
    shape = recipe.bootstrap

    def forever() -> Iterator[Batch]:
        epoch = 0
        while True:
            yield from batches(encoded, shape.tokens_per_step, recipe.seed + epoch)
            epoch += 1

    optimizers = scratch_optimizers(model, shape.matrix_rate, shape.rate)
    loss = train(model, optimizers, forever(), shape.tokens, say)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    write_record(out, {"rows": len(encoded), "tokens": shape.tokens, "loss": round(loss, 4)})
