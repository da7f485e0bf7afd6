"""What every trainer is given, and what it tells: the same folder, the same report.

Nothing of this project is imported here, since a peer runs in an environment of its own. A script in
this folder is started as ``python SCRIPT FOLDER VARIANT``. The folder holds ``base/`` (weights and
tokenizer), ``rows.jsonl`` (a question and an answer a line) and ``settings.json``; ``BENCH_STARTED`` in
the environment is the time at which the process was started. It prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RANK, ALPHA, RATE = 16, 32, 2e-4


class Watch:
    """Takes the time of every step. ``tokens`` and ``supervised`` of each batch leave padding out,
    ``padded`` does not."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.begun = 0.0
        self.ends: list[float] = []
        self.tokens: list[int] = []
        self.supervised = 0
        self.padded = 0

    def begin(self) -> None:
        """Everything is loaded and read; the first step follows."""
        self.begun = self._now()

    def step(self) -> None:
        """A step is done."""
        self.ends.append(self._now())

    def batch(self, tokens: int, supervised: int, padded: int) -> None:
        """What the next step is made of."""
        self.tokens.append(tokens)
        self.supervised += supervised
        self.padded += padded

    def _now(self) -> float:
        if self.device == "cuda":  # kernels are only queued when a step returns
            import torch

            torch.cuda.synchronize()
        return time.time()

    def told(self) -> dict[str, Any]:
        """The report. The first step warms caches up and is left out of the rate where others follow."""
        steps = len(self.ends)
        warm = 1 if steps > 2 else 0
        since = self.ends[0] if warm else self.begun
        counted = sum(self.tokens[warm:steps])
        return {
            "first": self.ends[0] - float(os.environ["BENCH_STARTED"]),
            "steps": steps,
            "tokens": sum(self.tokens[:steps]),
            "supervised": self.supervised,
            "padding": 1 - sum(self.tokens) / max(1, self.padded),
            "rate": counted / (self.ends[-1] - since),
            "step": (self.ends[-1] - since) / (steps - warm),
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


def main(run: Callable[[Path, dict[str, Any], str, Watch], dict[str, Any]]) -> None:
    """Run a trainer as the command line says; what it returns is told too."""
    folder = Path(sys.argv[1])
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    watch = Watch(settings["device"])
    told = run(folder, settings, sys.argv[2], watch)
    print(json.dumps({**watch.told(), **told}))


def rows(folder: Path) -> list[dict[str, str]]:
    """The questions and answers, in their order."""
    lines = (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def threads(settings: dict[str, Any]) -> None:
    """As many as everyone has."""
    import torch

    torch.set_num_threads(settings["threads"])


def arguments(settings: dict[str, Any], variant: str, out: str) -> dict[str, Any]:
    """What transformers' Trainer and TRL's are both told: one pass, nothing saved, nothing reported.

    ``variant`` may end in ``-liger``: with Liger's kernels, which take CUDA.
    """
    cuda = settings["device"] == "cuda"
    return {
        "output_dir": out,
        "num_train_epochs": 1,
        "per_device_train_batch_size": settings["rows_a_step"],
        "learning_rate": RATE,
        "max_grad_norm": 1.0,
        "use_cpu": not cuda,
        "bf16": cuda,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": cuda,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": 0,
        "train_sampling_strategy": "group_by_length" if "grouped" in variant else "random",
        "use_liger_kernel": "liger" in variant,
    }


def lora() -> Any:
    """The adapter that everyone trains."""
    from peft import LoraConfig

    return LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def base(folder: Path, settings: dict[str, Any]) -> tuple[Any, Any]:
    """The model and its tokenizer, as transformers load them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = torch.bfloat16 if settings["device"] == "cuda" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=dtype)
    return model, AutoTokenizer.from_pretrained(folder / "base")


def watched(trainer: Any, watch: Watch) -> Any:
    """``trainer`` with ``watch`` at its steps and batches."""
    from transformers import TrainerCallback

    class Steps(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            watch.begin()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            watch.step()

    collate = trainer.data_collator

    def counted(features: Any, *rest: Any) -> Any:
        found = collate(features, *rest)
        ids, mask = found["input_ids"], found.get("attention_mask")
        real = ids.numel() if mask is None else int(mask.sum())
        watch.batch(real, int((found["labels"] != -100).sum()), ids.numel())
        return found

    trainer.data_collator = counted
    trainer.add_callback(Steps())
    return trainer
