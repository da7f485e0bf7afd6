"""What of earlier leaves is seen again: seeded draws, leaf by leaf, so that none is forgotten.

In: conversations by content hash, how many tokens of each are wanted. Out: encoded rows.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Mapping

from transformers import PreTrainedTokenizerBase

from pipelines.recipe import Recipe
from pipelines.train.data import Encoded, encode
from pipelines.train.order import Conversations

_AT_ONCE = 128  # rows encoded before it is asked whether they are enough


def shares(
    old: Conversations, tokens: Mapping[str, int], corrected: Collection[str], recipe: Recipe
) -> dict[str, float]:
    """Tokens to replay of each earlier leaf: as many of every one, more of one that is corrected."""
    names = [name for name in sorted(old) if old[name]]
    each = recipe.train.replay * sum(tokens.values()) / max(1, len(names))
    own = {h: recipe.train.familiar * tokens[h] for h in corrected if h in tokens}
    return {name: own.get(name, each) for name in names}


def replay(
    old: Conversations,
    shares: Mapping[str, float],
    epoch: int,
    tokenizer: PreTrainedTokenizerBase,
    recipe: Recipe,
    seen: dict[str, int],
) -> list[Encoded]:
    """Rows of earlier leaves, of each about as many tokens as ``shares`` says; counted in ``seen``."""
    chosen: list[Encoded] = []
    for name, share in shares.items():
        rng = random.Random(f"{recipe.seed} {epoch} {name}")
        order = rng.sample(range(len(old[name])), min(len(old[name]), int(share // 8) + 1))
        parts = (order[at : at + _AT_ONCE] for at in range(0, len(order), _AT_ONCE))
        # A part is encoded when it is reached: most leaves have far more rows than their share.
        encoded = (
            encode(
                tokenizer,
                [(old[name][at], 1.0) for at in part],
                recipe.student.positions,
                source=name[:12],
            )
            for part in parts
        )
        for row in itertools.chain.from_iterable(encoded):
            if share <= 0:
                break
            share -= len(row.ids)
            chosen.append(row)
            seen[name] = seen.get(name, 0) + 1
    return chosen
