"""A generated taxonomy of any size, the same bytes each time: what the benchmarks are run on.

In: a folder and a number. Out: that many sound leaves of about 6 kB each, four knowledge leaves and
one skill in five, with attribution and, for knowledge, a document beside the leaf.
"""

from __future__ import annotations

import random
import textwrap
from pathlib import Path

ATTRIBUTION = """\
Title of work: {title}
Link to work: -
License of the work: CC-BY-4.0
Creator names: Graft contributors
"""
_SYLLABLES = (
    "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo za bri clo dra fle gro".split()
)


def generate(root: Path, count: int) -> list[str]:
    """Write ``count`` leaves below ``root``; their folders, as paths from ``root``."""
    folders = []
    for number in range(count):
        draw = random.Random(number)
        if number % 5:
            place = f"knowledge/area_{number % 97}/topic_{number % 1009}/leaf_{number}"
            content, document = _knowledge(draw)
            _write(root / place / "document.md", document)
        else:
            place = f"compositional_skills/area_{number % 97}/leaf_{number}"
            content = _skill(draw, number)
        _write(root / place / "qna.yaml", content)
        _write(root / place / "attribution.txt", ATTRIBUTION.format(title=f"Leaf {number}"))
        folders.append(place)
    return folders


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def words(draw: random.Random, count: int) -> str:
    return " ".join(
        "".join(draw.choices(_SYLLABLES, k=draw.randint(1, 4))) for _ in range(count)
    ).capitalize()


def _knowledge(draw: random.Random) -> tuple[str, str]:
    contexts = [f"{words(draw, 45)}. {words(draw, 30)}." for _ in range(6)]
    lines = ["version: 3", "created_by: ada", f"domain: {words(draw, 2)}", "seed_examples:"]
    for context in contexts:
        lines += ["  - context: |", *_block(context, 6), "    questions_and_answers:"]
        for at in (0, 15, 30):  # an answer is found in its context, as a sound one is
            answer = " ".join(context.split()[at : at + 9])
            lines.append(f"      - question: What is {words(draw, 8)}?")
            lines.append(f"        answer: {answer}")
    lines += [f"document_outline: {words(draw, 8)}", "document:", '  repo: "."']
    lines += ["  commit: HEAD", "  patterns:", "    - document.md"]
    return "\n".join(lines) + "\n", "# Document\n\n" + "\n\n".join(contexts) + "\n"


def _skill(draw: random.Random, number: int) -> str:
    lines = [
        f"version: {2 + number % 2}",
        "created_by: ada",
        f"task_description: {words(draw, 9)}",
    ]
    lines.append("seed_examples:")
    for _ in range(10):
        lines.append(f"  - question: What is {words(draw, 12)}?")
        lines += ["    context: |", *_block(words(draw, 38) + ".", 6)]
        lines += ["    answer: |", *_block(words(draw, 18) + ".", 6)]
    return "\n".join(lines) + "\n"


def _block(text: str, indent: int) -> list[str]:
    return [" " * indent + line for line in textwrap.wrap(text, 80)]
