"""What is trained on: models of random weights and rows, the same bytes each time, no network.

In: a ``Subject`` and a folder. Out: the folder as ``common`` describes it. Lengths of rows are
log-normal, so that a batch drawn at random has about as much padding as the demo's own rows give (half).
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from benchmarks.generated import words
from pipelines.records import Message
from pipelines.train.cost import Shape, shape_of
from pipelines.train.data import Encoded, encode, steps
from pipelines.train.student import train_tokenizer

SHORTEST, LONGEST = 20, 250  # tokens of a row
_MEDIAN, _SPREAD = 80, 0.5
_A_WORD = 1.4  # tokens, about, of the words drawn here
_TOKENIZER = 4096  # tokens that text becomes; a larger vocabulary has more that never occur


@dataclass(frozen=True)
class Subject:
    """A model, how much of it, and in which recipe's manner. ``config`` is what transformers' makes it."""

    name: str
    kind: str
    config: dict[str, Any]
    tokens: int  # of all rows, about
    tokens_per_step: int
    recipe: str = "tiny"
    device: str = "cpu"
    threads: int = 2
    engines: Sequence[tuple[str, str]] = field(default=())

    @property
    def shape(self) -> Shape:
        return shape_of(self.config, self.name)


def _llama(hidden: int, layers: int, heads: int, keys: int, feed: int, vocabulary: int) -> Any:
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": keys,
        "intermediate_size": feed,
        "vocab_size": vocabulary,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
    }


EVERYONE = (
    ("graft", "plain"),
    ("transformers", "plain"),
    ("transformers", "grouped"),
    ("trl", "plain"),
    ("trl", "grouped"),
    ("trl", "packed"),
    ("trl", "wrapped"),
)
TINY = Subject(
    "tiny: 2 layers of 192, vocabulary 4,096", "llama",
    _llama(192, 2, 4, 4, 512, 4096), 60_000, 2048, engines=EVERYONE,
)  # fmt: skip
SMALL = replace(TINY, name=f"{TINY.name}, a small change", tokens_per_step=512)
MIDDLE = Subject(
    "Llama of 62 M weights: 8 layers of 640, vocabulary 32,000", "llama",
    _llama(640, 8, 10, 10, 1728, 32_000), 20_000, 1024, engines=EVERYONE,
)  # fmt: skip
LAPTOP = Subject(
    "Qwen2.5-0.5B's shape, recipe laptop", "qwen2",
    _llama(896, 24, 14, 2, 4864, 151_936), 16_000, 8192, "laptop",
    engines=(("graft", "plain"), ("graft", "checkpointing")),
)  # fmt: skip
CUDA = Subject(
    "Llama of 1.1 B weights: 22 layers of 2,048, bfloat16", "llama",
    _llama(2048, 22, 32, 4, 5632, 32_000), 700_000, 16_384, device="cuda",
    engines=(
        ("graft", "plain"),
        ("transformers", "plain"),
        ("transformers", "grouped-liger"),
        ("trl", "grouped-liger"),
        ("trl", "packed-liger"),
        ("trl", "wrapped-liger"),
    ),
)  # fmt: skip


def make(subject: Subject, folder: Path, tokens: int) -> int:
    """Write the folder, with rows of about so many tokens; returns the steps that ours takes."""
    rows = _rows(tokens)
    tokenizer = train_tokenizer([" ".join(row.values()) for row in rows], _TOKENIZER)
    config = AutoConfig.for_model(
        subject.kind,
        **subject.config,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.manual_seed(0)
    dtype = torch.bfloat16 if subject.device == "cuda" else torch.float32
    with torch.device(subject.device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    found = _encoded(tokenizer, rows)
    count = sum(1 for _ in steps(found, subject.tokens_per_step, 0))
    settings = {
        "recipe": subject.recipe,
        "device": subject.device,
        "threads": subject.threads,
        "tokens_per_step": subject.tokens_per_step,
        # With as many steps everyone's have as many tokens in the mean, padding not counted.
        "rows_a_step": math.ceil(len(found) / count),
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return count


def _encoded(tokenizer: Any, rows: Sequence[dict[str, str]]) -> list[Encoded]:
    talks = [
        ((Message("user", row["question"]), Message("assistant", row["answer"])), 1.0)
        for row in rows
    ]
    return encode(tokenizer, talks, LONGEST * 2)


def _rows(tokens: int) -> list[dict[str, str]]:
    """A quarter to a half of a row is its answer."""
    draw, found, sum_of = random.Random(5), [], 0
    while sum_of < tokens:
        length = int(min(LONGEST, max(SHORTEST, draw.lognormvariate(math.log(_MEDIAN), _SPREAD))))
        many = max(4, round(length / _A_WORD))
        said = max(1, round(many * draw.uniform(0.2, 0.5)))
        question = f"{words(draw, many - said)}?"
        found.append({"question": question, "answer": f"{words(draw, said)}."})
        sum_of += length
    return found
