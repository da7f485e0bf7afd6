"""The columns that a flow's first row has, by the kind of leaf and by what the row stands for.

``OWN`` are the names that Graft's flows use; ``INSTRUCTLAB`` those that InstructLab's flows expect. A
first row holds only those that its flow reads (``Flow.inputs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pipelines.records import Chunk, Kind, Leaf, QuestionAnswer, Seed

Rows = Literal["chunk", "chunk_and_seed", "question"]
SHOWN = 3  # questions of a knowledge seed, as InstructLab numbers them: icl_query_1 to icl_query_3

_PLACE = frozenset({"leaf_node_type", "leaf_node_path"})
_TRIPLES = frozenset(
    f"icl_{what}_{n}" for what in ("query", "response") for n in range(1, SHOWN + 1)
)
_TEXT = frozenset({"document", "document_outline", "domain"})
_KNOWLEDGE = _PLACE | _TRIPLES | _TEXT | {"icl_document"}
_SKILL = _PLACE | {"task_description", "seed_question", "seed_response"}
INSTRUCTLAB: Mapping[Kind, frozenset[str]] = {
    "knowledge": _KNOWLEDGE,
    "grounded_skill": _SKILL | {"seed_context"},
    "freeform_skill": _SKILL,
}
_CHUNK = frozenset({"title", "heading", "chunk"})
_PAIR = frozenset({"question", "answer", "phrasings"})
OWN: Mapping[Rows, Mapping[Kind, frozenset[str]]] = {
    "chunk": {"knowledge": _PLACE | _TEXT | _CHUNK | {"questions", "siblings"}},
    "chunk_and_seed": {"knowledge": _PAIR | _KNOWLEDGE | _CHUNK},
    "question": {
        "knowledge": _PAIR | _PLACE | {"document_outline", "domain"},
        "grounded_skill": _PAIR | INSTRUCTLAB["grounded_skill"] | {"context"},
        "freeform_skill": _PAIR | INSTRUCTLAB["freeform_skill"] | {"context"},
    },
}


def first_columns(rows: Rows) -> frozenset[str]:
    """All that a first row of this sort may have, whatever the kind of leaf."""
    return frozenset().union(*OWN[rows].values())


def of_chunk(leaf: Leaf, chunk: Chunk, questions: int, beside: str) -> dict[str, str]:
    """A chunk alone, how many exam questions are wanted on it, and what stands ``beside`` it."""
    counted = {"questions": str(questions), "siblings": beside}
    return {**_of_leaf(leaf), **_of_text(chunk), **counted}


def of_chunk_and_seed(leaf: Leaf, chunk: Chunk, seed: Seed, phrasings: int) -> dict[str, str]:
    """A chunk in the manner of a shown seed. A seed with fewer than three questions repeats them."""
    pair = seed.pairs[chunk.index % len(seed.pairs)]
    values = {**_of_pair(pair, phrasings), **_of_leaf(leaf), **_of_text(chunk)}
    values["icl_document"] = seed.context.strip()
    for number in range(SHOWN):
        shown = seed.pairs[number % len(seed.pairs)]
        values[f"icl_query_{number + 1}"] = shown.question.strip()
        values[f"icl_response_{number + 1}"] = shown.answer.strip()
    return values


def of_question(leaf: Leaf, seed: Seed, pair: QuestionAnswer, phrasings: int) -> dict[str, str]:
    """A shown question. What is known has to be told without its context, so knowledge has none."""
    values = {**_of_pair(pair, phrasings), **_of_leaf(leaf)}
    if leaf.kind != "knowledge":
        values["context"] = seed.context.strip()
        values["seed_question"] = pair.question.strip()
        values["seed_response"] = pair.answer.strip()
    if leaf.kind == "grounded_skill":
        values["seed_context"] = seed.context.strip()
    return values


def _of_pair(pair: QuestionAnswer, phrasings: int) -> dict[str, str]:
    return {
        "question": pair.question.strip(),
        "answer": pair.answer.strip(),
        "phrasings": str(phrasings),
    }


def _of_text(chunk: Chunk) -> dict[str, str]:
    texts = {"title": chunk.title, "heading": chunk.heading, "chunk": chunk.text}
    return texts | {"document": chunk.text}


def _of_leaf(leaf: Leaf) -> dict[str, str]:
    values = {"leaf_node_type": leaf.kind, "leaf_node_path": leaf.path.replace("/", "_")}
    if leaf.kind == "knowledge":
        return values | {"document_outline": leaf.outline.strip(), "domain": leaf.domain.strip()}
    return values | {"task_description": leaf.task_description.strip()}
