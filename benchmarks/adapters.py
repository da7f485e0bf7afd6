"""What else peft offers against forgetting, on the demo's leaf: ``python benchmarks/adapters.py``.

Each variant and seed continues the same release zero with the same rows; printed are the new leaf's gain
and the panel's change in token F1. Variants that move the base's own weights (PiSSA, OLoRA, OSF) are left
out: a chain of adapters needs one base. docs/experiments.md keeps what was found.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from journey import Journey  # noqa: E402

from pipelines.recipe import EMBEDDED  # noqa: E402
from pipelines.run import run  # noqa: E402
from pipelines.situation import Options  # noqa: E402
from pipelines.train import base as loading  # noqa: E402

EXAMPLE = ROOT / "docs" / "examples" / "taxonomy"
SEEDS = (0, 1)
# What is changed in peft's configuration, and in the recipe's section `train`.
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as the recipe has it": ({}, {}),
    "rsLoRA, alpha 8": ({"use_rslora": True, "lora_alpha": 8}, {}),
    "DoRA": ({"use_dora": True}, {}),
    "orthogonal initialisation": ({"init_lora_weights": "orthogonal"}, {}),
    "all linear layers": ({}, {"targets": "all"}),
    "no replay": ({}, {"replay": 0.0}),
    "cosine": ({}, {"schedule": "cosine"}),
}


def main() -> int:
    """Measure every variant with every seed and print one Markdown table."""
    journey = Journey(ROOT / "runs" / "demo" / "adapters")
    journey.prepare()
    journey.contribute(EXAMPLE, "eddystone")
    plain = loading._config
    print("\n| variant | seed | gain (95 %) | panel (95 %) | seconds |\n|---|---|---|---|---|")
    for name, (lora, settings) in VARIANTS.items():
        for seed in SEEDS:
            loading._config = lambda recipe, lora=lora: replace(plain(recipe), **lora)
            print(measure(journey, name, seed, settings), flush=True)
    return 0


def measure(journey: Journey, name: str, seed: int, settings: Mapping[str, Any]) -> str:
    """One row: data come from the call store, so that training and exam are what takes time."""
    recipe = yaml.safe_load((EMBEDDED / "tiny.yaml").read_text(encoding="utf-8"))
    recipe["train"] |= settings
    recipe["seed"] = seed
    path = journey.scratch / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    runs = journey.scratch / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    started = time.monotonic()
    outcome = run(
        Options(
            taxonomy=journey.clone / "taxonomy",
            recipe=str(path),
            base="main",
            target=f"folder:{journey.releases}",
            runs=runs,
            cache=journey.clone / ".graft",
            until="evaluate",
        ),
        lambda line: None,
    )
    seconds = time.monotonic() - started
    assert outcome.evaluation is not None
    cells = [
        f"{found.difference:+.3f} ({found.interval[0]:+.3f} to {found.interval[1]:+.3f})"
        for found in (outcome.evaluation.changed, outcome.evaluation.panel)
        if found is not None
    ]
    return f"| {name} | {seed} | {' | '.join(cells)} | {seconds:.0f} |"


if __name__ == "__main__":
    sys.exit(main())
