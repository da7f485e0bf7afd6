"""The teacher without a model: reads the document itself and answers in the tags a real one would.

In: a ``Call`` with its step's task and variables (never the rendered prompt). Out: tagged text,
``[QUESTION] … [ANSWER] … [END]``, so that parsers, filters and ledger run as with any teacher. It
knows only what stands in the text it is given: answers are verbatim spans. Draws are seeded by the
call's variables, so the same call has the same answer everywhere.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from pipelines.artifacts import digest
from pipelines.backends import Answer, Call
from pipelines.backends.extractive.asking import Memory, loosened, pairs, worth
from pipelines.backends.extractive.choosing import best, examinable
from pipelines.backends.extractive.distracting import WRONG, distractors
from pipelines.backends.extractive.phrasing import loose, question, rephrase, shortened
from pipelines.backends.extractive.reading import Fact, content_words, facts, sentences
from pipelines.errors import BackendError

Variables = Mapping[str, str]
_EXAM_DRAWS = 4


class Extractive:
    """Answers the tasks of the built-in flows."""

    async def answer(self, call: Call) -> Answer:
        if call.task not in TASKS:
            raise BackendError(
                f"The extractive teacher cannot do the task {call.task}; it knows "
                f"{', '.join(TASKS)}. Name a teacher with a model in the recipe."
            )
        rng = random.Random(digest([call.task, call.variables, call.sample]))
        return Answer(TASKS[call.task](call.variables, rng))

    async def close(self) -> None:
        return None


def _tagged(rows: Sequence[Mapping[str, str]]) -> str:
    lines = []
    for row in rows:
        lines += [f"[{tag.upper()}]\n{text}" for tag, text in row.items()] + ["[END]"]
    return "\n".join(lines)


def _ask_document(variables: Variables, rng: random.Random) -> str:
    """Questions on every fact of a chunk, ``phrasings`` for each: by the words around a span (surest in
    any prose) and by the grammar of its clause (nearest to what people ask)."""
    rows = []
    title = content_words(variables["title"])
    passage = sentences(variables["chunk"])
    for _ in range(int(variables["phrasings"])):
        memory = Memory(variables["title"])
        previous: list[str] = []
        for sentence in passage:
            setting = list(dict.fromkeys([*title, *previous]))
            asked = [question(fact, setting, rng) for fact in facts(sentence)]
            asked += _by_clause(sentence, memory, title, rng)
            rows += [{"question": shortened(q, rng), "answer": answer} for q, answer in asked]
            names = re.findall(r"(?<!^)(?<!\. )\b[A-Z][a-z]+\b", sentence)
            previous = names[-1:] or previous
    return _tagged(rows)


def _draft_document(variables: Variables, rng: random.Random) -> str:
    """Questions for a person to choose from: by the clauses' grammar, nothing loosened or left out."""
    rows = _grammatical(variables, int(variables["phrasings"]), rng)
    return _tagged([{"question": asked, "answer": answer} for asked, answer in rows])


def _examine_document(variables: Variables, rng: random.Random) -> str:
    """The few of many grammatical questions that read best, each on another fact."""
    asked = [p for p in _grammatical(variables, _EXAM_DRAWS, rng) if examinable(*p)]
    chosen = islice(
        best(asked, variables["chunk"], variables["title"]), int(variables["questions"])
    )
    return _tagged([{"question": question, "answer": answer} for question, answer in chosen])


def _write_distractors(variables: Variables, rng: random.Random) -> str:
    """Three things of the same kind from the same document; nothing where there are no three."""
    found = distractors(variables["question"], variables["answer"], variables["siblings"], rng)
    return _tagged([dict(zip(WRONG, found, strict=True))]) if found else ""


def _grammatical(variables: Variables, draws: int, rng: random.Random) -> list[tuple[str, str]]:
    """All questions of some draws whose answers people ask for."""
    title = content_words(variables["title"])
    found = []
    for _ in range(draws):
        memory = Memory(variables["title"])
        for sentence in sentences(variables["chunk"]):
            found += [p for p in pairs(sentence, memory, rng) if worth(p[1], title) >= 0.4]
    return found


def _by_clause(
    sentence: str, memory: Memory, title: Sequence[str], rng: random.Random
) -> list[tuple[str, str]]:
    """One question for each part of the sentence's clauses, those that people seldom ask for seldom."""
    found: dict[str, str] = {}
    for asked, answer in pairs(sentence, memory, rng):
        start = sentence.lower().find(answer.lower())
        if answer in found or start < 0 or rng.random() > worth(answer, title):
            continue
        if rng.random() < 0.5:
            fact = Fact(sentence, start, start + len(answer), "what")
            found[answer] = loose(asked, fact, title, rng)
        else:
            found[answer] = loosened(asked, title, rng)
    return [(asked, answer) for answer, asked in found.items()]


def _rephrase_seed(variables: Variables, rng: random.Random) -> str:
    """The seed as it is, then said otherwise; the answer unchanged, so nothing new is claimed."""
    asked = {variables["question"]: None}
    for _ in range(4 * int(variables["phrasings"])):
        if len(asked) > int(variables["phrasings"]):
            break
        asked.setdefault(rephrase(variables["question"], rng))
    return _tagged([{"question": text, "answer": variables["answer"]} for text in asked])


def _vary_context(variables: Variables, rng: random.Random) -> str:
    """The seed with names and numbers exchanged wherever they stand, in context and answer alike."""
    rows = []
    for _ in range(int(variables["phrasings"])):
        row = {name: variables[name] for name in ("context", "question", "answer")}
        rows.append(_exchanged(row, rng) or {**row, "question": rephrase(row["question"], rng)})
    return _tagged([{name: variables[name] for name in ("context", "question", "answer")}, *rows])


_GIVEN = (
    "Ada",
    "Bruno",
    "Clara",
    "Dmitri",
    "Elena",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Keiko",
    "Liam",
    "Mira",
    "Nils",
    "Olga",
    "Pedro",
    "Rosa",
    "Samir",
    "Tara",
    "Uwe",
)


def _exchanged(row: Mapping[str, str], rng: random.Random) -> dict[str, str] | None:
    """``row`` with each digit group of the answer and each lone given name replaced, or None."""
    swaps: dict[str, str] = {}
    for number in sorted(set(re.findall(r"\d+", row["answer"]))):
        if len(number) <= 6 and number in row["context"]:
            low, high = (
                (1, 9) if len(number) == 1 else (10 ** (len(number) - 1), 10 ** len(number) - 1)
            )
            swaps[number] = str(rng.randint(low, high))
    for name in sorted(set(re.findall(r"\b[A-Z][a-z]{2,}\b", row["answer"]))):
        if row["context"].count(name) and name in _GIVEN:
            swaps[name] = rng.choice(_GIVEN)
    if not swaps or len(set(swaps.values())) < len(swaps):
        return None
    pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, swaps)) + r")\b")
    return {key: pattern.sub(lambda m: swaps[m.group()], text) for key, text in row.items()}


TASKS: dict[str, Callable[[Variables, random.Random], str]] = {
    "ask_document": _ask_document,
    "draft_document": _draft_document,
    "examine_document": _examine_document,
    "rephrase_seed": _rephrase_seed,
    "vary_context": _vary_context,
    "write_distractors": _write_distractors,
}
