"""Rows → batches of token ids: assistant's tokens supervised, lengths bucketed, nothing cut silently.

Rows of like length share a batch, padded on the right; with causal attention right padding needs no
mask. A batch holds at most ``tokens_per_step`` tokens, padding included.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from pipelines.errors import TrainError
from pipelines.records import Message

Conversations = Mapping[str, Sequence[tuple[Message, ...]]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row: token ids, the index of its first supervised token, its weight in the loss."""

    ids: tuple[int, ...]
    answer: int
    weight: float


@dataclass(frozen=True, slots=True)
class Batch:
    """``ids`` is (rows, length); ``rows`` and ``columns`` (n,) point at the states that predict
    ``targets`` (n,), each with its ``weights`` (n,)."""

    ids: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    tokens: int


def encode(
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[tuple[Sequence[Message], float]],
    longest: int,
) -> list[Encoded]:
    """Token ids of each (messages, weight); the last message is the assistant's.

    A row over ``longest`` tokens is left out, for the caller to tell: a cut one would teach half an answer.
    """
    talks = [
        [{"role": turn.role, "content": turn.content} for turn in messages]
        for messages, _ in conversations
    ]
    prompts = _rendered(tokenizer, [turns[:-1] for turns in talks], prompt=True)
    wholes = _rendered(tokenizer, talks, prompt=False)
    if not all(map(str.startswith, wholes, prompts)):
        raise TrainError(
            "The chat template renders a prompt that its own conversation does not begin with; "
            "such a template cannot be trained on."
        )
    if not wholes:
        return []
    ids = tokenizer(wholes, add_special_tokens=False)["input_ids"]
    starts = [len(p) for p in tokenizer(prompts, add_special_tokens=False)["input_ids"]]
    rows = []
    for row, start, (_, weight) in zip(ids, starts, conversations, strict=True):
        if len(row) <= longest:
            rows.append(Encoded(tuple(row), start, weight))
    return rows


def _rendered(
    tokenizer: PreTrainedTokenizerBase, talks: Sequence[list[dict[str, str]]], prompt: bool
) -> list[str]:
    """All conversations by the chat template at once: a call each would cost more than rendering."""
    if not talks:
        return []
    texts = tokenizer.apply_chat_template(talks, tokenize=False, add_generation_prompt=prompt)  # type: ignore[arg-type]
    return list(map(str, texts))


def batches(rows: Sequence[Encoded], tokens_per_step: int, seed: int) -> Iterator[Batch]:
    """One pass over ``rows`` in an order drawn from ``seed``; every row once."""
    rng = random.Random(seed)
    order = list(rows)
    rng.shuffle(order)
    order.sort(key=lambda row: len(row.ids))
    groups: list[list[Encoded]] = []
    for row in order:
        if not groups or (len(groups[-1]) + 1) * len(row.ids) > tokens_per_step:
            groups.append([])
        groups[-1].append(row)
    rng.shuffle(groups)
    for group in groups:
        yield _batch(group)


def _batch(group: Sequence[Encoded]) -> Batch:
    longest = max(len(row.ids) for row in group)
    ids = torch.zeros((len(group), longest), dtype=torch.long)
    where_row, where_column, targets, weights = [], [], [], []
    for place, row in enumerate(group):
        ids[place, : len(row.ids)] = torch.tensor(row.ids)
        for column in range(row.answer, len(row.ids)):
            where_row.append(place)
            where_column.append(column - 1)
            targets.append(row.ids[column])
            weights.append(row.weight)
    return Batch(
        ids,
        torch.tensor(where_row),
        torch.tensor(where_column),
        torch.tensor(targets),
        torch.tensor(weights),
        sum(len(row.ids) for row in group),
    )
