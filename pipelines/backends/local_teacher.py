"""A teacher in this process: a causal language model of transformers, asked in batches.

In: calls; those that wait at the same time and are sampled alike form one batch. Out: answers. At
temperature 0 the likeliest token is taken; above, each call draws with a generator of its own, seeded by
the call's key, so that its draws do not depend on who shares the batch. Safetensors only, and no code
from a model directory is run. The model is loaded at the first call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.utils import logging as transformers_logging

from pipelines.backends import Answer, Call, Sampling, check_window, whole
from pipelines.errors import BackendError, CallError
from pipelines.recipe import Teacher

Waiting = tuple[Call, "asyncio.Future[Answer]"]


class LocalTeacher:
    """Answers calls; at most ``teacher.concurrency`` in one batch."""

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self._model: Any = None
        self._tokenizer: Any = None
        self._waiting: list[Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="teacher")

    async def answer(self, call: Call) -> Answer:
        """The answer, once a batch with this call has been generated."""
        arriving: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, arriving))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.ensure_future(self._work())
        return await arriving

    async def close(self) -> None:
        """Give the model's memory back, after the batch that is under way."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        for _, arriving in self._waiting:
            arriving.cancel()
        await asyncio.to_thread(self._thread.shutdown)
        self._model = self._tokenizer = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(0)  # let those who are about to ask join
            batch = self._next_batch()
            if not batch:
                continue
            calls = [call for call, _ in batch]
            try:
                found = await loop.run_in_executor(self._thread, self._batch, calls)
            except Exception as error:
                found = [error] * len(batch)
            except BaseException:
                for _, arriving in batch:
                    arriving.cancel()
                raise
            for (_, arriving), given in zip(batch, found, strict=True):
                if arriving.done():
                    continue
                if isinstance(given, Exception):
                    arriving.set_exception(given)
                else:
                    arriving.set_result(given)

    def _next_batch(self) -> list[Waiting]:
        """The longest waiting, and others that are sampled as it is."""
        self._waiting = [item for item in self._waiting if not item[1].done()]
        batch: list[Waiting] = []
        rest: list[Waiting] = []
        for item in self._waiting:
            alike = not batch or item[0].sampling == batch[0][0].sampling
            full = len(batch) >= max(1, self._teacher.concurrency)
            (batch if alike and not full else rest).append(item)
        self._waiting = rest
        return batch

    def _batch(self, calls: Sequence[Call]) -> list[Answer | Exception]:
        """An answer, or why there is none, for each call. Runs in the teacher's thread."""
        if self._model is None:
            self._load()
        found: list[Answer | Exception] = []
        fitting = []
        for call in calls:
            text = self._text(call)
            try:
                check_window(call, self._window(), len(self._tokens(text)))
                found.append(Answer(""))
                fitting.append((len(found) - 1, call, text))
            except CallError as error:
                found.append(error)
        answers = self._generated([(call, text) for _, call, text in fitting])
        for (place, _, _), answer in zip(fitting, answers, strict=True):
            found[place] = answer
        return found

    def _load(self) -> None:
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        name, revision = self._teacher.model, self._teacher.revision or None
        try:
            tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, padding_side="left")
            model: Any = AutoModelForCausalLM.from_pretrained(
                name, revision=revision, dtype="auto", use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise BackendError(
                f"The teacher {name} cannot be loaded: {' '.join(str(error).split())}"
            ) from error
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._tokenizer = tokenizer
        self._model = model.to(_device()).train(False)

    def _text(self, call: Call) -> str:
        if self._tokenizer.chat_template is None:
            return "\n\n".join(turn.content for turn in call.messages)
        turns = [{"role": turn.role, "content": turn.content} for turn in call.messages]
        text: str = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
        return text

    def _tokens(self, text: str) -> list[int]:
        special = self._tokenizer.chat_template is None  # a template writes its own
        found: list[int] = self._tokenizer(text, add_special_tokens=special)["input_ids"]
        return found

    def _window(self) -> int:
        own = int(getattr(self._model.config, "max_position_embeddings", 0) or 0)
        given = self._teacher.context
        return min(own, given) if own and given else own or given

    def _generated(self, asked: Sequence[tuple[Call, str]]) -> list[Answer | Exception]:
        """As ``_drawn``; where the memory does not suffice, in two halves."""
        if not asked:
            return []
        try:
            return self._drawn(asked)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
        if len(asked) == 1:
            return [CallError("the accelerator's memory does not hold this call")]
        half = len(asked) // 2
        return [*self._generated(asked[:half]), *self._generated(asked[half:])]

    def _drawn(self, asked: Sequence[tuple[Call, str]]) -> list[Answer | Exception]:
        calls = [call for call, _ in asked]
        sampling = calls[0].sampling
        batch = self._tokenizer.pad(
            {"input_ids": [self._tokens(text) for _, text in asked]}, return_tensors="pt"
        ).to(self._model.device)
        stops = {"stop_strings": list(sampling.stop), "tokenizer": self._tokenizer}
        with torch.inference_mode():
            output = self._model.generate(
                **batch,
                max_new_tokens=sampling.most_tokens,
                do_sample=False,
                logits_processor=_processors(calls),
                pad_token_id=self._tokenizer.pad_token_id,
                **(stops if sampling.stop else {}),
            )
        read = batch["attention_mask"].sum(dim=1).tolist()
        written = output[:, batch["input_ids"].shape[1] :]
        return [
            self._answer(call, int(count), tokens)
            for call, count, tokens in zip(calls, read, written.tolist(), strict=True)
        ]

    def _answer(self, call: Call, read: int, tokens: list[int]) -> Answer | Exception:
        """The answer in ``tokens``, which end with padding where others went on."""
        ends = self._model.generation_config.eos_token_id
        ends = {ends} if isinstance(ends, int) else set(ends or ())
        ends.add(self._tokenizer.pad_token_id)
        length = next((n for n, token in enumerate(tokens) if token in ends), len(tokens))
        text: str = self._tokenizer.decode(tokens[:length], skip_special_tokens=True)
        stopped = length < len(tokens)
        for word in call.sampling.stop:
            if word in text:
                text, stopped = text[: text.index(word)], True
        cut = not stopped and length >= call.sampling.most_tokens
        try:
            return whole(Answer(text.strip(), read, length), cut, call)
        except CallError as error:
            return error


class _Draws(LogitsProcessor):
    """Adds Gumbel noise, so that the likeliest token is a draw; each row has a generator of its own."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        width = scores.shape[-1]
        uniform = torch.stack([torch.rand(width, generator=g) for g in self._generators])
        noise = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
        return scores.float() + noise.to(scores.device)  # type: ignore[return-value]


def _processors(calls: Sequence[Call]) -> LogitsProcessorList:
    sampling = calls[0].sampling
    _known(sampling)
    found = LogitsProcessorList()
    if sampling.temperature <= 0:
        return found
    found.append(TemperatureLogitsWarper(float(sampling.temperature)))
    if sampling.other.get("top_k"):
        found.append(TopKLogitsWarper(int(sampling.other["top_k"])))
    if sampling.other.get("top_p", 1.0) < 1.0:
        found.append(TopPLogitsWarper(float(sampling.other["top_p"])))
    found.append(_Draws([int(call.key[:15], 16) for call in calls]))
    return found


def _known(sampling: Sampling) -> None:
    # A seed is part of the call's key, from which every draw follows.
    strange = sorted(sampling.other.keys() - {"top_k", "top_p", "seed"})
    if strange:
        raise BackendError(
            f"The local teacher does not know the sampling parameter {strange[0]}; it knows top_k "
            "and top_p."
        )


def _device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
