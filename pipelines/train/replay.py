"""What of earlier leaves is seen again: seeded draws, leaf by leaf, so that none is forgotten.

In: conversations by content hash, how many tokens of each are wanted. Out: encoded rows.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence

from transformers import PreTrainedTokenizerBase

from pipelines.artifacts import OldRows
from pipelines.recipe import Recipe
from pipelines.records import Message
from pipelines.train.cost import replayed
from pipelines.train.data import Encoded, encode

_AT_ONCE = 128  # rows encoded before it is asked whether they are enough


def shares(
    old: OldRows, tokens: Mapping[str, int], corrected: Collection[str], recipe: Recipe
) -> dict[str, float]:
    """Tokens to replay of each earlier leaf in an epoch: alike, more of one that is corrected."""
    names = sorted(old)
    right = sum(tokens[h] for h in corrected if h in tokens)
    each = replayed(recipe.train, sum(tokens.values()), right) / max(1, len(names))
    own = {h: recipe.train.familiar * tokens[h] for h in corrected if h in tokens}
    return {name: own.get(name, each) for name in names}


def replay(
    old: OldRows,
    shares: Mapping[str, float],
    epoch: int,
    tokenizer: PreTrainedTokenizerBase,
    recipe: Recipe,
    seen: dict[str, int],
) -> list[Encoded]:
    """Rows of earlier leaves, of each about as many tokens as ``shares`` says; counted in ``seen``.

    Where a share is less than a row, the leaves take turns, drawn anew each epoch: what is replayed
    follows from the new rows and not from how many leaves there are.
    """
    chosen: list[Encoded] = []
    turns = sorted(shares)
    random.Random(f"{recipe.seed} {epoch}").shuffle(turns)
    credit = 0.0
    for name in turns:
        credit += shares[name]
        for row in _drawn(name, [*old[name]], credit, epoch, tokenizer, recipe):
            if credit < len(row.ids) / 2:
                break
            credit -= len(row.ids)
            chosen.append(row)
            seen[name] = seen.get(name, 0) + 1
        else:
            credit = min(credit, 0.0)  # a leaf with too few rows leaves nothing to the next one
    return chosen


def _drawn(
    name: str,
    rows: Sequence[tuple[Message, ...]],
    tokens: float,
    epoch: int,
    tokenizer: PreTrainedTokenizerBase,
    recipe: Recipe,
) -> Iterator[Encoded]:
    """Rows of a leaf in a drawn order, without replacement, enough for so many tokens.

    A part is encoded when it is reached: most leaves have far more rows than their share.
    """
    rng = random.Random(f"{recipe.seed} {epoch} {name}")
    order = rng.sample(range(len(rows)), min(len(rows), max(0, int(tokens // 8)) + 1))
    for at in range(0, len(order), _AT_ONCE):
        talks = [(rows[place], 1.0) for place in order[at : at + _AT_ONCE]]
        yield from encode(tokenizer, talks, recipe.student.positions, source=name[:12])
