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
    DynamicCache,
    StoppingCriteriaList,
    TextIteratorStreamer,
)
from transformers.utils import logging as transformers_logging

from pipelines.errors import BackendError
from pipelines.recipe import Hardware
from pipelines.records import Message

BATCH = 128
_CROWDED = 0.9  # of a batch's rows that still go on: above it the others are not worth copying for
LOGITS = 1 << 26  # numbers that a batch of choices may have at once: a quarter of a GB in float32
_AT_ONCE = 64  # places whose logits are summed together, lest the sum need as much memory again
_TIE = 1e-4  # nats a byte: what two choices differ by at least; float32 rounds far below it


class Student:
    """``base`` alone, or with ``adapter`` on it. Answers hold at most ``new_tokens`` tokens."""

    def __init__(
        self,
        base: Path,
        adapter: Path | None,
        new_tokens: int,
        threads: int,
        hardware: Hardware | None = None,
        batch: int = BATCH,
    ) -> None:
        hardware = hardware or Hardware()
        device = device_of(hardware.device)
        torch.set_num_threads(threads)
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.new_tokens, self.batch = new_tokens, batch
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
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        self._ends = frozenset([*ends, self.tokenizer.eos_token_id]) - {None}

    def answers(self, prompts: Sequence[str]) -> list[str]:
        """One greedy answer for each prompt, in order; batches hold prompts of like length."""
        found = [""] * len(prompts)
        order = sorted(range(len(prompts)), key=lambda place: (len(prompts[place]), place))
        for start in range(0, len(order), self.batch):
            places = order[start : start + self.batch]
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

    def choose(self, asked: Sequence[tuple[str, Sequence[str]]]) -> list[int]:
        """For each prompt the place of the likeliest of its choices.

        Each choice is read as the whole answer to the prompt, its end included, as the chat template
        writes it; its log-likelihood is divided by its bytes, or long choices would never win. Bytes and
        not tokens, so that a choice which this tokenizer happens to cut finely is not favoured. Choices
        as likely as each other but for rounding are a tie, which the first of them wins.
        """
        rows = [
            (row, self._choice(prompt, choice))
            for row, (prompt, choices) in enumerate(asked)
            for choice in choices
        ]
        found: list[list[float]] = [[0.0] * len(choices) for _, choices in asked]
        likely = self._likelihoods([ids for _, ids in rows])
        taken = iter(likely)
        for at, (_, choices) in enumerate(asked):
            found[at] = [next(taken) / max(1, len(choice.encode())) for choice in choices]
        return [_first_of_best(values) for values in found]

    def _choice(self, prompt: str, choice: str) -> tuple[list[int], list[int]]:
        """The tokens of a prompt, and of a choice with what ends a turn."""
        before = self._asked(prompt)
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": choice}]
        whole = str(self.tokenizer.apply_chat_template(turns, tokenize=False))
        after = whole[len(before) :] if whole.startswith(before + choice) else choice
        ids = self._ids(after)
        special = set(self.tokenizer.all_special_ids)
        end = next((at for at, token in enumerate(ids) if token in special), None)
        ids = [*ids, self.tokenizer.eos_token_id] if end is None else ids[: end + 1]
        return self._ids(before), ids

    def _likelihoods(self, rows: Sequence[tuple[list[int], list[int]]]) -> list[float]:
        """The log-likelihood of each second part after its first, in order."""
        found = [0.0] * len(rows)
        for places in self._batches(rows):
            given = self._likelihoods_of([rows[place] for place in places])
            for place, likely in zip(places, given, strict=True):
                found[place] = likely
        return found

    def _batches(self, rows: Sequence[tuple[list[int], list[int]]]) -> Iterator[list[int]]:
        """Places of rows of like length, so many together as their second parts' logits leave room for."""
        most = LOGITS // self.model.config.get_text_config().vocab_size
        batch: list[int] = []
        held = 0
        lengths = [len(before) + len(after) for before, after in rows]
        for place in sorted(range(len(rows)), key=lengths.__getitem__):
            more = len(rows[place][1])
            if batch and (len(batch) == self.batch or held + more > most):
                yield batch
                batch, held = [], 0
            batch.append(place)
            held += more
        if batch:
            yield batch

    def _likelihoods_of(self, rows: Sequence[tuple[list[int], list[int]]]) -> list[float]:
        """Of one batch, padded on the left; logits are computed where a second part's tokens are foretold
        and nowhere else, which with a large vocabulary is most of the memory."""
        longest = max(len(before) + len(after) for before, after in rows)
        pad = self.tokenizer.pad_token_id
        padded = [[pad] * (longest - len(b) - len(a)) + b + a for b, a in rows]
        ids = torch.tensor(padded, device=self.model.device)
        places = torch.arange(longest, device=self.model.device)
        first = torch.tensor([longest - len(b) - len(a) for b, a in rows], device=places.device)
        second = torch.tensor([longest - len(a) for _, a in rows], device=places.device)
        foretold = places[None, :] >= second[:, None]
        with torch.inference_mode():
            logits = self.model(
                input_ids=ids,
                attention_mask=(places[None, :] >= first[:, None]).long(),
                position_ids=(places[None, :] - first[:, None]).clamp(min=0),
                # A mask, a place before each token; no row has a token before its first.
                logits_to_keep=foretold.roll(-1, dims=1),
                use_cache=False,
            ).logits
            sums = [part.float().logsumexp(-1) for part in logits.split(_AT_ONCE)]
            of_token = logits.gather(-1, ids[foretold][:, None])[:, 0].double() - torch.cat(sums)
        parts = of_token.cpu().split([len(after) for _, after in rows])
        return [float(part.sum()) for part in parts]

    def _asked(self, prompt: str) -> str:
        """A prompt as the chat template writes it, up to where the answer begins."""
        turns = [{"role": "user", "content": prompt}]
        return str(
            self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        )

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _batch(self, prompts: Sequence[str]) -> list[str]:
        """Greedy and nothing else: no penalty that the model's own settings may name is applied."""
        batch = self.tokenizer(
            [self._asked(prompt) for prompt in prompts],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
            return_token_type_ids=False,
        ).to(self.model.device)
        with torch.inference_mode():
            found = self._greedy(batch["input_ids"], batch["attention_mask"])
        decoded = self.tokenizer.batch_decode(found, skip_special_tokens=True)
        return [text.strip() for text in decoded]

    def _greedy(self, ids: torch.Tensor, mask: torch.Tensor) -> list[list[int]]:
        """The tokens of each answer; rows that have ended leave the batch, the longest would hold all."""
        found: list[list[int]] = [[] for _ in ids]
        rows = list(range(len(ids)))  # of ``found``, by place in the batch; -1 has ended
        cache = DynamicCache(config=self.model.config)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        for _ in range(self.new_tokens):
            logits = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits
            said = logits[:, -1].argmax(-1)
            for place, token in enumerate(said.tolist()):
                if token in self._ends:
                    rows[place] = -1
                elif rows[place] >= 0:
                    found[rows[place]].append(token)
            going = [place for place, row in enumerate(rows) if row >= 0]
            if not going:
                break
            positions = positions[:, -1:] + 1
            if len(going) <= len(rows) * _CROWDED:
                kept = torch.tensor(going, device=said.device)
                cache.batch_select_indices(kept)
                said, mask, positions = said[kept], mask[kept], positions[kept]
                rows = [rows[place] for place in going]
            ids = said[:, None]
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        return found


def _first_of_best(values: Sequence[float]) -> int:
    """The first of the highest values; rounding differs with the company of a row in its batch."""
    best = max(values)
    return next(at for at, value in enumerate(values) if value >= best - _TIE)


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
