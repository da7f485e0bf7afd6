"""The files of an evaluation: ``evaluation.json`` (schema/evaluation.json), ``items.jsonl`` and, for people
to read, ``values.jsonl`` with every value probe and ``choices.jsonl`` with multiple choice.

In: the records, or a directory. Out: the files, or the records as they were written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pipelines.artifacts import canonical_json, pretty_json, write_atomic
from pipelines.errors import GraftError
from pipelines.records import ChoiceResult, Evaluation, ItemResult, ValueResult
from pipelines.typed import from_json

EVALUATION = "evaluation.json"
ITEMS = "items.jsonl"
VALUES = "values.jsonl"
CHOICES = "choices.jsonl"


def write_evaluation(
    directory: Path,
    evaluation: Evaluation,
    results: Sequence[ItemResult],
    values: Sequence[ValueResult] = (),
    chosen: Sequence[ChoiceResult] = (),
) -> None:
    """Write the files, each at once; results one a line, in the order given."""
    write_atomic(directory / EVALUATION, pretty_json(evaluation))
    write_atomic(directory / ITEMS, b"".join(canonical_json(one) + b"\n" for one in results))
    if values:
        write_atomic(directory / VALUES, b"".join(canonical_json(one) + b"\n" for one in values))
    if chosen:
        write_atomic(directory / CHOICES, b"".join(canonical_json(one) + b"\n" for one in chosen))


def read_evaluation(directory: Path) -> tuple[Evaluation, list[ItemResult]]:
    """What ``write_evaluation`` wrote; ``GraftError`` where it is not there or not whole."""
    try:
        evaluation = from_json(Evaluation, json.loads((directory / EVALUATION).read_bytes()))
        lines = (directory / ITEMS).read_bytes().split(b"\n")
        return evaluation, [from_json(ItemResult, json.loads(line)) for line in lines if line]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GraftError(
            f"{directory} holds no evaluation that can be read; run `graft evaluate` again."
        ) from error
