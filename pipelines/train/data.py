"""Rows → steps of token ids: assistants' tokens supervised, lengths bucketed, nothing cut silently.

Rows of like length share a step, padded on the right; with causal attention right padding needs no
mask. A step holds at most ``tokens_per_step`` tokens, padding included, whatever the number of machines.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from pipelines.errors import TrainError
from pipelines.records import Message

TooLong = Literal["leave_out", "split", "refuse"]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row: token ids, which of them an assistant says (half-open spans), its weight in the loss.

    ``origin`` tells a person which row it is.
    """

    ids: tuple[int, ...]
    said: tuple[Span, ...]
    weight: float
    origin: str = ""


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

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        names = ("ids", "rows", "columns", "targets", "weights")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def encode(
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[tuple[Sequence[Message], float]],
    longest: int,
    too_long: TooLong = "leave_out",
    source: str = "",
) -> list[Encoded]:
    """Token ids of each (messages, weight); the last message is an assistant's.

    A row over ``longest`` tokens is left out, for the caller to tell, since a cut one would teach half
    an answer; ``split`` into windows, each supervised token in one of them after half a window of what
    came before; or refused with ``TrainError``. ``source`` is what the rows come from, for ``origin``.
    """
    if not conversations:
        return []
    wholes, spans = _rendered(tokenizer, [messages for messages, _ in conversations])
    found = tokenizer(wholes, add_special_tokens=False, return_offsets_mapping=True)
    rows: list[Encoded] = []
    for number, ((messages, weight), ids, offsets) in enumerate(
        zip(conversations, found["input_ids"], found["offset_mapping"], strict=True)
    ):
        question = next((turn.content for turn in messages if turn.role == "user"), "")
        origin = f"{source} row {number + 1} ({' '.join(question.split())[:60]!r})"
        row = Encoded(tuple(ids), _token_spans(offsets, spans[number]), weight, origin)
        if len(ids) <= longest:
            rows.append(row)
        elif too_long == "split":
            rows += _windows(row, longest)
        elif too_long == "refuse":
            raise TrainError(
                f"{origin.strip()} has {len(ids)} tokens and the student reads {longest}: shorten it, "
                "or let train.too_long be leave_out or split."
            )
    return [row for row in rows if row.said]


def _rendered(
    tokenizer: PreTrainedTokenizerBase, talks: Sequence[Sequence[Message]]
) -> tuple[list[str], list[list[Span]]]:
    """Each conversation by the chat template, and where in that text an assistant speaks.

    Few templates mark that themselves. What a turn adds to the prompt that asks for it is the turn;
    a template may leave out thoughts of earlier turns, or end its prompt with an opened one: then an
    earlier turn is not supervised, and the last begins where prompt and text part.
    """
    turns = [[{"role": turn.role, "content": turn.content} for turn in talk] for talk in talks]
    wholes = _apply(tokenizer, turns, prompt=False)
    spans: list[list[Span]] = [[] for _ in turns]
    places = [
        (row, place)
        for row, talk in enumerate(turns)
        for place, turn in enumerate(talk)
        if turn["role"] == "assistant"
    ]
    prompts = _apply(tokenizer, [turns[row][:place] for row, place in places], prompt=True)
    for (row, place), prompt in zip(places, prompts, strict=True):
        whole, last = wholes[row], place == len(turns[row]) - 1
        start = len(prompt)
        if not whole.startswith(prompt):
            start = _common(whole, prompt)
            (bare,) = _apply(tokenizer, [turns[row][:place]], prompt=False)
            if not last or not bare or not whole.startswith(bare) or start < len(bare):
                if last:
                    raise TrainError(
                        "The chat template renders a prompt that its own conversation does not begin "
                        "with; such a template cannot be trained on."
                    )
                continue
        end = len(whole)
        if not last:
            (until,) = _apply(tokenizer, [turns[row][: place + 1]], prompt=False)
            if not whole.startswith(until):
                continue
            end = len(until)
        spans[row].append((start, end))
    return wholes, spans


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _apply(
    tokenizer: PreTrainedTokenizerBase, talks: list[list[dict[str, str]]], prompt: bool
) -> list[str]:
    """All conversations by the chat template at once: a call each would cost more than rendering."""
    if not talks:
        return []
    try:
        texts = tokenizer.apply_chat_template(talks, tokenize=False, add_generation_prompt=prompt)
    except TemplateError as error:
        raise TrainError(
            f"The tokenizer's chat template refuses a conversation: {error}."
        ) from error
    return list(map(str, texts))


def _token_spans(offsets: Sequence[Span], spans: Sequence[Span]) -> tuple[Span, ...]:
    """The tokens that begin within each span of characters."""
    found = []
    at = 0
    for start, end in spans:
        while at < len(offsets) and offsets[at][0] < start:
            at += 1
        first = max(1, at)  # nothing predicts a text's first token
        while at < len(offsets) and offsets[at][0] < end:
            at += 1
        if at > first:
            found.append((first, at))
    return tuple(found)


def _windows(row: Encoded, longest: int) -> list[Encoded]:
    """Windows of at most ``longest`` tokens, each but the first half of what the one before held."""
    found = []
    done, start = 0, 0
    while done < len(row.ids):
        end = min(len(row.ids), start + longest)
        said = tuple(
            (max(first, done, start + 1) - start, min(last, end) - start)
            for first, last in row.said
            if max(first, done, start + 1) < min(last, end)
        )
        found.append(Encoded(row.ids[start:end], said, row.weight, row.origin))
        done, start = end, end - max(1, longest // 2)
    return found


def steps(rows: Sequence[Encoded], tokens_per_step: int, seed: int) -> Iterator[list[Encoded]]:
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
    yield from groups


def micro_batches(step: Sequence[Encoded], most: int, rank: int = 0, ranks: int = 1) -> list[Batch]:
    """What one of ``ranks`` processes takes of a step, in batches of at most ``most`` tokens (0: all).

    Every rank gets as many batches as any other, since they wait for each other: where rows are too few
    a batch is empty, which is one row of one token that nothing is read from.
    """
    parts = [_cut(step[one::ranks], most) for one in range(ranks)]
    longest = max(map(len, parts))
    mine = parts[rank]
    return [batch(group) for group in mine] + [batch([])] * (longest - len(mine))


def _cut(rows: Sequence[Encoded], most: int) -> list[list[Encoded]]:
    groups: list[list[Encoded]] = [[]]
    length = 0
    for row in rows:
        length = max(length, len(row.ids))
        if groups[-1] and most and (len(groups[-1]) + 1) * length > most:
            groups.append([])
            length = len(row.ids)
        groups[-1].append(row)
    return groups


def batch(group: Sequence[Encoded]) -> Batch:
    """Rows as tensors, padded to the longest."""
    longest = max((len(row.ids) for row in group), default=1)
    ids = torch.zeros((max(1, len(group)), longest), dtype=torch.long)
    where_row, where_column, targets, weights = [], [], [], []
    for place, row in enumerate(group):
        ids[place, : len(row.ids)] = torch.tensor(row.ids)
        for start, end in row.said:
            for column in range(start, end):
                where_row.append(place)
                where_column.append(column - 1)
                targets.append(row.ids[column])
                weights.append(row.weight)
    return Batch(
        ids,
        torch.tensor(where_row, dtype=torch.long),
        torch.tensor(where_column, dtype=torch.long),
        torch.tensor(targets, dtype=torch.long),
        torch.tensor(weights, dtype=torch.float32),
        sum(len(row.ids) for row in group),
    )


def supervised(step: Sequence[Encoded]) -> float:
    """The weight of all supervised tokens of a step: what its summed loss is divided by."""
    return sum(row.weight * (end - start) for row in step for start, end in row.said)
