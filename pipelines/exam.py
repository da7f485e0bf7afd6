"""The exam: which seeds are held out of training, and the questions that they ask.

In: a leaf, the split that the last release recorded for it, and the leaf as it was then. Out: an
``ExamSplit`` that keeps every known seed on its side, and the ``ExamItem`` rows of the exam side.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from pipelines import text
from pipelines.artifacts import digest
from pipelines.records import ExamItem, ExamSplit, Leaf, Role, Seed

SMALLEST = 4
PART = 4
INHERITS = 0.8


def split(leaf: Leaf, recorded: ExamSplit | None, old: Leaf | None) -> ExamSplit:
    """The two sides of ``leaf``'s seeds, each sorted by id.

    With fewer than four seeds all are shown. Without a ``recorded`` split a quarter of the seeds,
    rounded down, is held out: those with the lowest ids. With one, a known id keeps its side; a new
    id that is nearly a vanished seed of ``old`` inherits that seed's side; any other new id joins
    the exam where it is a multiple of four.
    """
    ids = sorted({seed.id for seed in leaf.seeds})
    if len(ids) < SMALLEST:
        return ExamSplit(exam=(), shown=tuple(ids))
    if recorded is None:
        held_out = len(ids) // PART
        return ExamSplit(exam=tuple(ids[:held_out]), shown=tuple(ids[held_out:]))
    in_exam = set(recorded.exam)
    known = in_exam.union(recorded.shown)
    vanished = _vanished(leaf, old, known)
    for seed in leaf.seeds:
        if seed.id not in known and _joins(seed, vanished, set(recorded.exam)):
            in_exam.add(seed.id)
    return ExamSplit(
        exam=tuple(found for found in ids if found in in_exam),
        shown=tuple(found for found in ids if found not in in_exam),
    )


def items(leaf: Leaf, split: ExamSplit, role: Role) -> list[ExamItem]:
    """One item for each question of each exam seed, in the leaf's order.

    The id follows from kind, seed and question, so that a rename alters no item.
    """
    in_exam = set(split.exam)
    found: dict[str, ExamItem] = {}
    for seed in leaf.seeds:
        if seed.id not in in_exam:
            continue
        for pair in seed.pairs:
            context = "" if leaf.kind == "knowledge" else seed.context
            identity = digest([leaf.kind, seed.id, pair.question])[:16]
            item = ExamItem(
                id=identity,
                leaf=leaf.path,
                role=role,
                cluster=seed.id,
                question=pair.question,
                prompt=user_turn(context, pair.question),
                reference=pair.answer,
            )
            found.setdefault(identity, item)
    return list(found.values())


def asked(leaf: Leaf, rows: bytes, role: Role) -> list[ExamItem]:
    """The items that a teacher wrote for ``leaf``, from their rows as JSONL.

    Those on one chunk are a cluster, and those of a skill in the manner of one seed. An item with
    wrong choices has all of them, in an order that the hash of each gives.
    """
    found = []
    for line in rows.splitlines():
        row = json.loads(line)
        prompt, reference = (turn["content"] for turn in row["messages"])
        choices = [reference, *row["wrong"]] if row.get("wrong") else []
        found.append(
            ExamItem(
                id=row["id"][:16],
                leaf=leaf.path,
                role=role,
                cluster=f"{row['document']}#{row['chunk']}" if row["document"] else row["seeds"][0],
                question=prompt,
                prompt=prompt,
                reference=reference,
                synthetic=True,
                choices=tuple(sorted(choices, key=lambda said: digest([row["id"], said]))),
            )
        )
    return found


def questions(
    leaf: Leaf, split: ExamSplit, role: Role, rows: Callable[[], bytes] | None
) -> list[ExamItem]:
    """All that a leaf's exam asks: people's questions, and those that a teacher wrote for it, whose
    ``rows`` are read only where there is an exam that they enlarge."""
    found = items(leaf, split, role)
    return [*found, *asked(leaf, rows(), role)] if split.exam and rows else found


def user_turn(context: str, question: str) -> str:
    """What the student reads: the question, after its context and a blank line where it has one."""
    return f"{context.strip()}\n\n{question.strip()}" if context.strip() else question.strip()


def _vanished(leaf: Leaf, old: Leaf | None, known: set[str]) -> list[Seed]:
    """Seeds of ``old`` that ``leaf`` no longer has and whose side is known, sorted by id."""
    kept = {seed.id for seed in leaf.seeds}
    seeds = old.seeds if old else ()
    return sorted((seed for seed in seeds if seed.id in known - kept), key=lambda seed: seed.id)


def _joins(seed: Seed, vanished: list[Seed], in_exam: set[str]) -> bool:
    """Whether a seed that no release knows belongs to the exam."""
    wording = _wording(seed)
    near = max(vanished, key=lambda other: text.similarity(wording, _wording(other)), default=None)
    if near is not None and text.similarity(wording, _wording(near)) >= INHERITS:
        return near.id in in_exam
    return int(seed.id, 16) % PART == 0


def _wording(seed: Seed) -> str:
    """What a seed asks: its context and its questions, never the answers."""
    return "\n".join([seed.context, *(pair.question for pair in seed.pairs)])
