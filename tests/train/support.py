"""A very small student and what it trains on: rows of real leaves through the real stages."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.recipe import Recipe, load_recipe
from pipelines.records import Message
from pipelines.train.adapter import adapt
from pipelines.train.order import Order
from pipelines.train.student import fresh_model, train_tokenizer
from tests.generate.support import FAST

Talk = tuple[Message, ...]
NOWHERE = Order(Path())  # no folder to keep checkpoints in


def talk(question: str, answer: str) -> Talk:
    return Message("user", question), Message("assistant", answer)


def rows(name: str, count: int = 12) -> list[Talk]:
    """Questions on one subject with their answers."""
    return [talk(f"What is part {n} of the {name}?", f"It is {name} {n}") for n in range(count)]


def recipe(tokens: int = 6000) -> Recipe:
    """The fast recipe, shorter still."""
    fast = load_recipe(str(FAST))
    student = replace(fast.student, vocabulary=400, hidden=32, feed_forward=64, positions=128)
    return replace(fast, student=student, bootstrap=replace(fast.bootstrap, tokens=tokens))


def tokenizer(texts: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    told = [turn.content for row in rows("river") for turn in row]
    return train_tokenizer(texts or told, 400)


TOKENS = tokenizer()


def fresh(seed: int = 0) -> LlamaForCausalLM:
    """A student of the short recipe that has learnt nothing."""
    return fresh_model(recipe().student, TOKENS, seed)


def adapt_here(base: Path, out: Path) -> None:
    """One fixed adaptation, which a second process can repeat."""
    out.mkdir()
    new, old = {"a": rows("canal")}, {"b": rows("river"), "c": rows("delta")}
    adapt(Order(base), new, old, recipe(), out, lambda line: None)


def stay_offline(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook that ends this process where anything asks for the network."""
    if event in {"socket.getaddrinfo", "socket.connect"}:
        print(f"the network was asked: {event} {arguments}", file=sys.stderr, flush=True)
        os._exit(9)


if __name__ == "__main__":
    sys.addaudithook(stay_offline)
    adapt_here(Path(sys.argv[1]), Path(sys.argv[2]))
