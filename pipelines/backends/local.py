"""A student on this machine: a base, perhaps with an adapter, that answers prompts greedily.

In: directories as ``save_pretrained`` writes them, safetensors only. Out: text. Nothing is fetched and
no code from a model directory is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from pipelines.errors import BackendError

_BATCH = 128


class Student:
    """``base`` alone, or with ``adapter`` on it. Answers hold at most ``new_tokens`` tokens."""

    def __init__(self, base: Path, adapter: Path | None, new_tokens: int, threads: int) -> None:
        torch.set_num_threads(threads)
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.new_tokens = new_tokens
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(base, padding_side="left")
            model = AutoModelForCausalLM.from_pretrained(
                base, dtype=torch.float32, use_safetensors=True
            )
            if adapter is not None:
                model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
        except (OSError, ValueError) as error:
            raise BackendError(f"The student in {base} cannot be loaded: {error}.") from error
        self.model = model.train(False)

    def answers(self, prompts: Sequence[str]) -> list[str]:
        """One greedy answer for each prompt, in order; batches hold prompts of like length."""
        found = [""] * len(prompts)
        order = sorted(range(len(prompts)), key=lambda place: (len(prompts[place]), place))
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            for place, text in zip(places, self._batch([prompts[p] for p in places]), strict=True):
                found[place] = text
        return found

    def _batch(self, prompts: Sequence[str]) -> list[str]:
        texts = [
            self.tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
            )
            for prompt in prompts
        ]
        batch = self.tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
            return_token_type_ids=False,
        )
        with torch.inference_mode():
            output = self.model.generate(
                **batch,
                max_new_tokens=self.new_tokens,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
            )
        answers = output[:, batch["input_ids"].shape[1] :]
        decoded = self.tokenizer.batch_decode(answers, skip_special_tokens=True)
        return [text.strip() for text in decoded]


def weight_dtype(name: str, device: torch.device) -> torch.dtype:
    """What a recipe's ``dtype`` means on a device."""
    if name == "auto":
        name = "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def accelerator() -> str:
    """The accelerator that PyTorch sees, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "Apple MPS" if torch.backends.mps.is_available() else "none, which tiny does not need"
