"""A training's figures, step by step, to TensorBoard, MLflow or Weights & Biases.

In: the names under ``hardware.report_to``. Out: a function that is called after each step. The work is
that of transformers' own integrations, which read their usual environment variables.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines.errors import TrainError
from pipelines.recipe import Recipe
from pipelines.train.loop import Log
from pipelines.train.world import World


@contextlib.contextmanager
def reporting(recipe: Recipe, world: World, folder: Path) -> Iterator[Log]:
    """What hears of every step; files, where an integration writes some, lie under ``folder``."""
    if not recipe.hardware.report_to or not world.first:
        yield lambda step, figures: None
        return
    from transformers import TrainerControl, TrainerState, TrainingArguments
    from transformers.integrations.integration_utils import get_reporting_integration_callbacks

    try:
        found = get_reporting_integration_callbacks(list(recipe.hardware.report_to))  # type: ignore[no-untyped-call]
        integrations = [integration() for integration in found]
    except (ValueError, RuntimeError, ImportError) as error:
        raise TrainError(f"hardware.report_to: {' '.join(str(error).split())}") from error
    # It warns of a run's name that nobody gave it.
    logging.getLogger("transformers.training_args").setLevel(logging.ERROR)
    arguments = TrainingArguments(
        output_dir=str(folder), report_to=list(recipe.hardware.report_to), use_cpu=True
    )
    state, control = TrainerState(), TrainerControl()
    state.is_world_process_zero = True

    def log(step: int, figures: Mapping[str, float]) -> None:
        state.global_step = step
        for integration in integrations:
            integration.on_log(arguments, state, control, logs=dict(figures))

    for integration in integrations:
        integration.on_train_begin(arguments, state, control)
    try:
        yield log
    finally:
        for integration in integrations:
            integration.on_train_end(arguments, state, control)
