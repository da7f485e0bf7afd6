"""A leaf as its author gives it, field by field: ``NewLeaf``, from and to JSON, and what it lacks.

The same JSON is what ``graft new --from`` reads and what an interrupted wizard keeps; seeds have the
shape of qna.yaml. An empty field is one that is not given yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from pipelines.author.scalars import laid_out, refuse_unwritable, tidy
from pipelines.errors import UsageError
from pipelines.records import Json, QuestionAnswer

KINDS: dict[str, str] = {
    "knowledge": "know facts about a subject, from a document",
    "grounded": "do a task on a given text",
    "freeform": "do a task, from the question alone",
    "foundational": "reason, handle language, read code",
}
LEAST_SEEDS = 5
LEAST_PAIRS = 3


@dataclass(frozen=True, slots=True)
class NewSeed:
    """Knowledge: a context with several pairs; skills: one pair, with a context where grounded."""

    context: str
    pairs: tuple[QuestionAnswer, ...]


@dataclass(frozen=True, slots=True)
class NewLeaf:
    """Everything a person says about a new leaf. ``document`` is a file to be put beside it."""

    kind: str = ""
    path: str = ""
    created_by: str = ""
    task: str = ""
    domain: str = ""
    outline: str = ""
    document: str = ""
    title: str = ""
    link: str = ""
    licence: str = ""
    creator: str = ""
    seeds: tuple[NewSeed, ...] = ()

    @property
    def is_knowledge(self) -> bool:
        return self.kind == "knowledge"


TEXTS = tuple(field.name for field in fields(NewLeaf) if field.name != "seeds")
_JSON_NAMES = {"task": "task_description", "outline": "document_outline"}


def filled(leaf: NewLeaf, texts: Mapping[str, str]) -> NewLeaf:
    """The leaf with some of its texts given."""
    return replace(leaf, **texts)  # type: ignore[arg-type]


def lacking(leaf: NewLeaf) -> list[str]:
    """The flags that would give what the leaf still lacks, in the order of asking."""
    wanted = ["kind", "path"]
    wanted += ["document", "domain", "outline"] if leaf.is_knowledge else ["task"]
    wanted += ["title", "licence", "creator", "created_by"]
    if not leaf.kind:
        wanted.remove("task")
    flags = [f"--{name.replace('_', '-')}" for name in wanted if not getattr(leaf, name)]
    return flags if leaf.seeds else [*flags, "--seed"]


def tidied(leaf: NewLeaf) -> NewLeaf:
    """The leaf with every text as leaves hold it; ``GraftError`` where one cannot be written."""
    texts = {name: tidy(getattr(leaf, name)) for name in TEXTS}
    for name, text in texts.items():
        refuse_unwritable(text, f"The {name.replace('_', ' ')}")
    return replace(leaf, **texts, seeds=gathered(leaf.seeds, knowledge=leaf.is_knowledge))


def gathered(seeds: Iterable[NewSeed], *, knowledge: bool) -> tuple[NewSeed, ...]:
    """Tidy seeds; for knowledge, those of one context are one seed."""
    found: dict[str, NewSeed] = {}
    for number, seed in enumerate(seeds, start=1):
        context = tidy(seed.context)
        pairs = tuple(QuestionAnswer(tidy(p.question), tidy(p.answer)) for p in seed.pairs)
        for text in (context, *(text for p in pairs for text in (p.question, p.answer))):
            refuse_unwritable(text, f"Seed {number}")
        key = " ".join(context.split()) if knowledge else str(number)
        shown = laid_out(context) if knowledge else f"{context}\n"
        known = found.get(key, NewSeed(shown if context else "", ()))
        fresh = tuple(pair for pair in pairs if pair not in known.pairs)
        found[key] = NewSeed(known.context, known.pairs + fresh)
    return tuple(found.values())


def to_json(leaf: NewLeaf) -> Json:
    """The fields that are given, as ``from_json`` reads them."""
    given = {_JSON_NAMES.get(n, n): getattr(leaf, n) for n in TEXTS if getattr(leaf, n)}
    return {**given, "seed_examples": [_seed_to_json(seed) for seed in leaf.seeds]}


def _seed_to_json(seed: NewSeed) -> Json:
    pairs = [{"question": pair.question, "answer": pair.answer} for pair in seed.pairs]
    if len(pairs) == 1:
        return {**pairs[0], **({"context": seed.context} if seed.context else {})}
    return {"context": seed.context, "questions_and_answers": pairs}


def from_json(data: Any, where: str) -> NewLeaf:
    """The leaf that JSON describes; ``UsageError`` names the first thing that is not as it must be."""
    if not isinstance(data, dict):
        raise UsageError(f'{where}: the top must be an object, as in {{"kind": "knowledge", …}}.')
    names = {_JSON_NAMES.get(name, name): name for name in TEXTS}
    unknown = sorted(str(key) for key in data.keys() - names.keys() - {"seed_examples"})
    if unknown:
        known = ", ".join([*names, "seed_examples"])
        raise UsageError(f"{where}: unknown key {unknown[0][:60]!r}; known: {known}.")
    texts = {names[key]: _text(data, key, where) for key in data if key in names}
    items = data.get("seed_examples", [])
    if not isinstance(items, list):
        raise UsageError(f"{where}: seed_examples must be a list.")
    seeds = tuple(_seed(item, f"{where}: seed {n}") for n, item in enumerate(items, start=1))
    return NewLeaf(**texts, seeds=seeds)


def _seed(item: Any, where: str) -> NewSeed:
    if not isinstance(item, dict):
        raise UsageError(f"{where} must be an object with question and answer.")
    context = _text(item, "context", where) if "context" in item else ""
    pairs = item.get("questions_and_answers", [item])
    if not isinstance(pairs, list) or not all(isinstance(pair, dict) for pair in pairs):
        raise UsageError(f"{where}: questions_and_answers must be a list of objects.")
    found = [QuestionAnswer(_text(p, "question", where), _text(p, "answer", where)) for p in pairs]
    return NewSeed(context, tuple(found))


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise UsageError(f'{where}: {key} must be there and be text, as in "{key}": "…".')
    return value
