"""The files of an evaluation: ``evaluation.json`` (schema/evaluation.json), ``items.jsonl``, and
``choices.jsonl`` with the multiple-choice items.

In: the records, or a directory. Out: the files, or the records as they were written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pipelines.artifacts import canonical_json, pretty_json, write_atomic
from pipelines.errors import GraftError
from pipelines.records import (
    ChoiceResult,
    ChoiceScore,
    Evaluation,
    ExamItem,
    ItemResult,
    Json,
    Judged,
    LeafScore,
    Pooled,
    ProbeResult,
    Scores,
    SuiteScore,
    Tally,
)

EVALUATION = "evaluation.json"
ITEMS = "items.jsonl"
CHOICES = "choices.jsonl"


def write_evaluation(
    directory: Path,
    evaluation: Evaluation,
    results: Sequence[ItemResult],
    chosen: Sequence[ChoiceResult] = (),
) -> None:
    """Write the files, each at once; results one a line, in the order given."""
    write_atomic(directory / EVALUATION, pretty_json(evaluation))
    write_atomic(directory / ITEMS, b"".join(canonical_json(one) + b"\n" for one in results))
    if chosen:
        write_atomic(directory / CHOICES, b"".join(canonical_json(one) + b"\n" for one in chosen))


def read_evaluation(directory: Path) -> tuple[Evaluation, list[ItemResult]]:
    """What ``write_evaluation`` wrote; ``GraftError`` where it is not there or not whole."""
    try:
        evaluation = _evaluation(json.loads((directory / EVALUATION).read_bytes()))
        lines = (directory / ITEMS).read_bytes().split(b"\n")
        return evaluation, [_result(json.loads(line)) for line in lines if line]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GraftError(
            f"{directory} holds no evaluation that can be read; run `graft evaluate` again."
        ) from error


def _evaluation(data: Json) -> Evaluation:
    return Evaluation(
        verdict=data["verdict"],
        reasons=tuple(data["reasons"]),
        margin=data["margin"],
        leaves=tuple(LeafScore(**_scored(leaf)) for leaf in data["leaves"]),
        changed=Pooled(**_scored(data["changed"])) if data["changed"] else None,
        panel=Pooled(**_scored(data["panel"])) if data["panel"] else None,
        probes=tuple(ProbeResult(**one) for one in data.get("probes", ())),
        suites=tuple(
            SuiteScore(**{**one, "interval": tuple(one["interval"])})
            for one in data.get("suites", ())
        ),
        judge=_judged(data["judge"]) if data.get("judge") else None,
        choices=tuple(
            ChoiceScore(**{**one, "interval": tuple(one["interval"])})
            for one in data.get("choices", ())
        ),
    )


def _judged(data: Json) -> Judged:
    return Judged(**{**data, "changed": Tally(**data["changed"]), "panel": Tally(**data["panel"])})


def _scored(data: Json) -> Json:
    arms = {arm: Scores(**data[arm]) for arm in ("base", "previous", "candidate")}
    low, high = data["interval"]
    return {**data, **arms, "interval": (low, high)}


def _result(data: Json) -> ItemResult:
    scores = {
        name: Scores(**data[name])
        for name in ("base_scores", "previous_scores", "candidate_scores")
    }
    item = ExamItem(**{**data["item"], "choices": tuple(data["item"].get("choices", ()))})
    return ItemResult(**{**data, **scores, "item": item})
