"""A student on this machine: a base, perhaps with an adapter, that answers prompts greedily.

In: directories as ``save_pretrained`` writes them, safetensors only. Out: text. Nothing is fetched and
no code from a model directory is run.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    StoppingCriteriaList,
    TextIteratorStreamer,
)
from transformers.utils import logging as transformers_logging

from pipelines.errors import BackendError
from pipelines.recipe import Hardware
from pipelines.records import Message

_BATCH = 128


class Student:
    """``base`` alone, or with ``adapter`` on it. Answers hold at most ``new_tokens`` tokens."""

    def __init__(
        self,
        base: Path,
        adapter: Path | None,
        new_tokens: int,
        threads: int,
        hardware: Hardware | None = None,
    ) -> None:
        hardware = hardware or Hardware()
        device = device_of(hardware.device)
        torch.set_num_threads(threads)
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.new_tokens = new_tokens
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(base, padding_side="left")
            model = AutoModelForCausalLM.from_pretrained(
                base, dtype=weight_dtype(hardware.dtype, device), use_safetensors=True
            )
            if adapter is not None:
                with (
                    warnings.catch_warnings()
                ):  # peft 0.21 reads a name that transformers deprecates
                    warnings.simplefilter("ignore", FutureWarning)
                    model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
        except (OSError, ValueError) as error:
            raise BackendError(f"The student in {base} cannot be loaded: {error}.") from error
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.model = model.to(device).train(False)  # type: ignore[arg-type]

    def answers(self, prompts: Sequence[str]) -> list[str]:
        """One greedy answer for each prompt, in order; batches hold prompts of like length."""
        found = [""] * len(prompts)
        order = sorted(range(len(prompts)), key=lambda place: (len(prompts[place]), place))
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            for place, text in zip(places, self._batch([prompts[p] for p in places]), strict=True):
                found[place] = text
        return found

    @property
    def window(self) -> int:
        """The tokens that question and answer may have together; 0 where the model does not say."""
        return int(getattr(self.model.config, "max_position_embeddings", 0) or 0)

    def tokens(self, talk: Sequence[Message]) -> int:
        """How long a conversation is as the model reads it."""
        return len(self._read(talk)["input_ids"][0])

    @contextmanager
    def answering(self, talk: Sequence[Message], most: int) -> Iterator[Iterator[str]]:
        """The pieces of a greedy answer of at most ``most`` tokens, while it is being written.

        Whoever leaves the block stops it: the model is at rest then.
        """
        stopped, failed = threading.Event(), list[Exception]()
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        thread = threading.Thread(
            target=self._write, args=(self._read(talk), most, streamer, stopped, failed)
        )

        def pieces() -> Iterator[str]:
            yield from streamer
            if failed:
                raise BackendError(f"The model could not answer: {failed[0]}") from failed[0]

        thread.start()
        try:
            yield pieces()
        finally:
            stopped.set()
            thread.join()

    def _write(
        self,
        read: dict[str, torch.Tensor],
        most: int,
        streamer: TextIteratorStreamer,
        stopped: threading.Event,
        failed: list[Exception],
    ) -> None:
        def enough(ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
            return torch.full((len(ids),), stopped.is_set(), device=ids.device)

        try:
            with torch.inference_mode():
                self.model.generate(
                    **read,
                    max_new_tokens=most,
                    do_sample=False,
                    pad_token_id=self.tokenizer.pad_token_id,
                    streamer=streamer,
                    stopping_criteria=StoppingCriteriaList([enough]),
                )
        except Exception as error:
            failed.append(error)
        finally:
            streamer.end()  # type: ignore[no-untyped-call]

    def _read(self, talk: Sequence[Message]) -> dict[str, torch.Tensor]:
        text = self.tokenizer.apply_chat_template(
            [{"role": turn.role, "content": turn.content} for turn in talk],
            tokenize=False,
            add_generation_prompt=True,
        )
        read = self.tokenizer(
            text, return_tensors="pt", add_special_tokens=False, return_token_type_ids=False
        )
        return dict(read.to(self.model.device))

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
        ).to(self.model.device)
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


def device_of(wanted: str) -> torch.device:
    """What a recipe's ``device`` means here."""
    if wanted == "auto" and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("mps" if wanted == "auto" and torch.backends.mps.is_available() else "cpu")


def room(hardware: Hardware) -> tuple[str, float | None, int]:
    """The device's name, its free bytes where it has memory of its own, and bytes a weight there."""
    device = device_of(hardware.device)
    size = weight_dtype(hardware.dtype, device).itemsize
    free = float(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else None
    return device.type, free, size


def peak(hardware: Hardware) -> tuple[str, int | None]:
    """The device's name, and the most bytes held there where it has memory of its own."""
    device = device_of(hardware.device)
    if device.type != "cuda":
        return device.type, None
    return torch.cuda.get_device_name(device), torch.cuda.max_memory_allocated(device)


def product(threads: int) -> float:
    """Multiply two matrices of 1,024 by 1,024; returns the operations that it took."""
    torch.set_num_threads(threads)
    matrix = torch.full((1024, 1024), 0.5)
    torch.mm(matrix, matrix)
    return 2.0 * 1024**3


def accelerator() -> str:
    """The accelerator that PyTorch sees, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "Apple MPS" if torch.backends.mps.is_available() else "none, which tiny does not need"
