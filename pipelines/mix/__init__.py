"""Rows → what is trained together, in the two phases of LAB (Sudalairaj et al., 2403.01081).

In: the new rows and those of earlier leaves, a recipe's ``mix``, chunks for distractors, external
conversations. Out, in the stage directory: ``knowledge.jsonl`` and ``skills.jsonl``, a line a row with
its ``source``, and ``composition.json``, which counts rows and tokens of each source.

Every draw is without replacement and by a hash of seed and row, so that the same rows give the same
mix, and one leaf more or less changes nothing of another's draw. What is mixed is of this run alone:
a leaf's own rows, which a release keeps, never hold another leaf's text. That is why distractors are
put in here and not when rows are generated.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.artifacts import canonical_json, digest, pretty_json
from pipelines.recipe import Mix, Recipe
from pipelines.records import Json, Message
from pipelines.text import estimate_tokens

Phase = Literal["knowledge", "skills"]
PHASES: tuple[Phase, ...] = ("knowledge", "skills")
Talk = tuple[Message, ...]
MIX_VERSION = 1


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of one leaf or of one external entry. ``name`` is a content hash or a file."""

    name: str
    label: str
    phase: Phase
    rows: Iterable[Talk]


@dataclass(frozen=True, slots=True)
class Located:
    """A knowledge row and the chunk that its answer stands in."""

    talk: Talk
    leaf: str
    chunk: str


@dataclass(frozen=True, slots=True)
class Ingredients:
    """``new`` is to be learnt, ``old`` replayed, ``external`` learnt too.

    ``located`` are the new knowledge rows whose chunk is known; ``chunks`` maps a content hash to
    all chunks of its leaf's documents.
    """

    new: Sequence[Source]
    old: Sequence[Source]
    external: Sequence[Source] = ()
    located: Sequence[Located] = ()
    chunks: Mapping[str, Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class Mixed:
    """One row of the mix: where it is from, and why it is there."""

    source: str
    label: str
    role: Literal["new", "replay", "external", "raft"]
    talk: Talk


def mix(found: Ingredients, recipe: Recipe, out: Path, say: Callable[[str], None]) -> None:
    """Write both phases into ``out`` and say what they are made of."""
    assert recipe.mix is not None
    phases = mixed(found, recipe.mix, recipe.seed, recipe.student.positions)
    composition = []
    for phase in PHASES:
        lines = [_line(row) for row in phases[phase]]
        (out / f"{phase}.jsonl").write_bytes(b"".join(lines))
        composition += _composition(phase, phases[phase])
    (out / "composition.json").write_bytes(pretty_json(composition))
    for line in table(composition):
        say(f"mix: {line}")


def mixed(found: Ingredients, mix: Mix, seed: int, longest: int) -> dict[Phase, list[Mixed]]:
    """The rows of each phase, in the order in which they are written.

    ``longest`` in tokens bounds a row with distractors: as many are put in as fit.
    """
    knowledge = _phase(found, mix, seed, "knowledge")
    skills = _phase(found, mix, seed, "skills")
    own = [row for row in knowledge if row.role in ("new", "external")]
    again = round(mix.knowledge * sum(row.role != "replay" for row in skills))
    skills += [
        Mixed(row.source, row.label, "replay", row.talk) for row in _draw(own, again, seed, "again")
    ]
    skills += _raft(found, mix, seed, longest)
    return {"knowledge": knowledge, "skills": skills}


def _phase(found: Ingredients, mix: Mix, seed: int, phase: Phase) -> list[Mixed]:
    rows: list[Mixed] = []
    for source in sorted(found.new, key=lambda source: source.name):
        if source.phase == phase:
            made = [Mixed(source.name, source.label, "new", talk) for talk in source.rows]
            rows += _draw(made, mix.per_leaf, seed, source.name)
    for source in sorted(found.external, key=lambda source: source.name):
        if source.phase == phase:
            rows += [Mixed(source.name, source.label, "external", talk) for talk in source.rows]
    old = sorted((s for s in found.old if s.phase == phase), key=lambda s: s.name)
    wanted = round(mix.replay * len(rows))
    for place, source in enumerate(old):  # of every earlier leaf as many, as far as it has them
        share = -(-wanted // (len(old) - place))
        made = [Mixed(source.name, source.label, "replay", talk) for talk in source.rows]
        drawn = _draw(made, min(share, mix.per_leaf), seed, source.name)
        rows += drawn
        wanted -= len(drawn)
    return rows


def _draw(rows: Iterable[Mixed], most: int, seed: int, salt: str) -> list[Mixed]:
    """At most ``most`` of ``rows``, none twice, whichever order they come in."""
    keyed = {digest([seed, salt, row.source, row.talk]): row for row in rows}
    return [keyed[key] for key in heapq.nsmallest(most, keyed)]


def _raft(found: Ingredients, mix: Mix, seed: int, longest: int) -> list[Mixed]:
    """Knowledge rows asked over their chunk among foreign ones, in a drawn order."""
    if not (mix.raft and mix.distractors and found.chunks):
        return []
    pool = sorted({chunk for chunks in found.chunks.values() for chunk in chunks})
    labels = {source.name: source.label for source in found.new}
    rows = {Mixed(one.leaf, labels[one.leaf], "raft", one.talk): one for one in found.located}
    made = []
    for row in _draw(rows, round(mix.raft * len(rows)), seed, "raft"):
        rng = random.Random(digest([seed, row.talk]))
        asked = _among(rows[row], pool, mix.distractors, longest, rng)
        made.append(Mixed(row.source, row.label, "raft", asked))
    return made


def _among(row: Located, pool: Sequence[str], most: int, longest: int, rng: random.Random) -> Talk:
    *before, question, answer = row.talk
    free = longest - sum(estimate_tokens(turn.content) for turn in row.talk) - 16  # the template
    shown = [row.chunk]
    free -= estimate_tokens(row.chunk)
    for chunk in rng.sample(pool, min(len(pool), 4 * most)):
        if len(shown) > most:
            break
        cost = estimate_tokens(chunk) + 2
        if chunk != row.chunk and cost <= free:
            shown.append(chunk)
            free -= cost
    if free < 0:  # not even its own chunk fits: the row stays as it is
        return row.talk
    rng.shuffle(shown)
    text = "\n\n".join([*shown, question.content])
    return (*before, Message("user", text), answer)


# --- files ---------------------------------------------------------------------------------


def _line(row: Mixed) -> bytes:
    data = {"source": row.source, "role": row.role, "messages": row.talk}
    return canonical_json(data) + b"\n"


def read_phase(directory: Path, phase: Phase) -> dict[str, list[Talk]]:
    """The rows of a finished mix by source, as training takes them; replay under names of its own."""
    found: dict[str, list[Talk]] = {}
    with (directory / f"{phase}.jsonl").open("rb") as lines:
        for line in lines:
            row = json.loads(line)
            name = row["source"] if row["role"] == "new" else f"{row['role']}:{row['source']}"
            talk = tuple(Message(turn["role"], turn["content"]) for turn in row["messages"])
            found.setdefault(name, []).append(talk)
    return found


def _composition(phase: Phase, rows: Sequence[Mixed]) -> list[Json]:
    counts: dict[tuple[str, str, str], list[int]] = {}
    for row in rows:
        count = counts.setdefault((row.role, row.label, row.source), [0, 0])
        count[0] += 1
        count[1] += sum(estimate_tokens(turn.content) for turn in row.talk)
    return [
        {"phase": phase, "role": role, "leaf": label, "source": name, "rows": n, "tokens": tokens}
        for (role, label, name), (n, tokens) in sorted(counts.items())
    ]


def table(composition: Sequence[Json]) -> list[str]:
    """The composition for people: a line a source, and the sum of each phase."""
    lines = []
    for phase in PHASES:
        own = [entry for entry in composition if entry["phase"] == phase]
        whole = [sum(entry[key] for entry in own) for key in ("rows", "tokens")]
        lines.append(f"{phase} phase: {whole[0]:,} rows · about {whole[1]:,} tokens")
        for entry in own:
            counts = f"{entry['rows']:,} rows · about {entry['tokens']:,} tokens"
            lines.append(f"  {entry['role']:8} {entry['leaf']}: {counts}")
    return lines
