"""What a plan says about a training, for a shape that is on no Hub; see ``pipelines.fitting``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from run_graft import recipe_for

from benchmarks.training.subjects import Subject
from pipelines import fitting
from pipelines.train.cost import memory


@dataclass(frozen=True, slots=True)
class Estimates:
    """Bytes at most, seconds of a step, tokens a second."""

    memory: float
    seconds: float
    rate: float


def estimates(subject: Subject, variant: str, tokens: float) -> Estimates:
    """For steps of so many ``tokens``, on this CPU as it is now."""
    settings = {
        "recipe": subject.recipe,
        "tokens_per_step": subject.tokens_per_step,
        "device": subject.device,
        "threads": subject.threads,
    }
    recipe = recipe_for(settings, variant)
    made = replace(
        recipe,
        student=replace(
            recipe.student,
            revision="",
            vocabulary=subject.shape.vocabulary,
            hidden=subject.shape.hidden,
            layers=subject.shape.layers,
            feed_forward=subject.shape.feed_forward,
        ),
    )
    # `guess` reckons with a shape made here, whose keys are as wide as its queries: ours are not.
    wide = fitting.operations(fitting.shape(made), tokens)
    seconds = fitting.guess(made, tokens) * fitting.operations(subject.shape, tokens) / wide
    return Estimates(memory(subject.shape, recipe, 4).total, seconds, tokens / seconds)
