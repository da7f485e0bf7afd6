"""``NewLeaf`` → the text of its qna.yaml and attribution.txt, in one fixed form.

The form is that of this repository's own leaves: two spaces of indentation, lists set in, contexts as
blocks. What is written is read back as exactly the values given.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.author.leaf import NewLeaf, NewSeed
from pipelines.author.scalars import refuse_unwritable, scalar
from pipelines.drafts import NOTICE
from pipelines.records import Attribution, QuestionAnswer

_DASH = 2  # columns before the dash of a seed


def qna_text(leaf: NewLeaf, document: str = "", *, draft: bool = False) -> str:
    """The leaf's qna.yaml; ``document`` is the name of the file beside it."""
    lines = [NOTICE] if draft else []
    lines += ["version: 3", _entry(0, "created_by", leaf.created_by)]
    about = ("domain", leaf.domain) if leaf.is_knowledge else ("task_description", leaf.task)
    lines += [_entry(0, *about), "seed_examples:"]
    for seed in leaf.seeds:
        lines += seed_lines(seed, _DASH, knowledge=leaf.is_knowledge)
    if leaf.is_knowledge:
        lines.append(_entry(0, "document_outline", leaf.outline))
        lines += ["document:", '  repo: "."', "  commit: HEAD", "  patterns:"]
        lines.append(f"    - {scalar(document, 6)}")
    return "\n".join(lines) + "\n"


def seed_lines(seed: NewSeed, dash: int, *, knowledge: bool) -> list[str]:
    """One seed as lines of a list whose dashes stand in column ``dash`` (from 0)."""
    inner = dash + 2
    if not knowledge:
        entries = pair_lines(seed.pairs[0], dash)
        return [*entries, _entry(inner, "context", seed.context)] if seed.context else entries
    lines = [f"{' ' * dash}- {_entry(inner, 'context', seed.context).lstrip(' ')}"]
    lines.append(f"{' ' * inner}questions_and_answers:")
    for pair in seed.pairs:
        lines += pair_lines(pair, inner + 2)
    return lines


def pair_lines(pair: QuestionAnswer, dash: int) -> list[str]:
    """A question and its answer as one item of a list."""
    question = _entry(dash + 2, "question", pair.question).lstrip(" ")
    return [f"{' ' * dash}- {question}", _entry(dash + 2, "answer", pair.answer)]


def _entry(column: int, key: str, text: str) -> str:
    return f"{' ' * column}{key}: {scalar(text, column + 2, f'The {key}')}"


def attribution_text(works: Iterable[Attribution]) -> str:
    """attribution.txt: a block for each work. White space in a value becomes single spaces."""
    blocks = []
    for work in works:
        given = (
            ("Title of work", work.title),
            ("Link to work", work.link or "-"),
            ("Revision", work.revision),
            ("License of the work", work.licence),
            ("Creator names", work.creators),
        )
        blocks.append("".join(_line(label, text) for label, text in given if text))
    return "\n".join(blocks)


def _line(label: str, text: str) -> str:
    text = " ".join(text.split())
    refuse_unwritable(text, f"`{label}` of the attribution")
    return f"{label}: {text}\n"
