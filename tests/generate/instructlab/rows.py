"""The first rows that the flow files of this folder are given, and our own way through them."""

from __future__ import annotations

from pathlib import Path

from pipelines.backends import Call
from pipelines.generate.flow import load_flow
from pipelines.generate.steps import Flow
from tests.generate.instructlab.answers import reply
from tests.generate.passing import Passed, Scripted, cut, passed

FOLDER = Path(__file__).parent
SCALED = 4


def knowledge() -> list[dict[str, str]]:
    return [
        {
            "document": f"Chunk {chunk} of a text on tides.",
            "icl_document": f"A neap tide is weak, says seed {seed}.",
            "document_outline": "Of tides",
            "domain": domain,
            "icl_query_1": f"What is weak, {seed}?",
            "icl_response_1": "A neap tide",
            "icl_query_2": f"What is strong, {seed}?",
            "icl_response_2": "A spring tide",
            "icl_query_3": f"What moves them, {seed}?",
            "icl_response_3": "The Moon",
        }
        for chunk, domain in enumerate(["sea", "coast", "sea"] * 4)
        for seed in range(2)
    ]


def skills(kind: str) -> list[dict[str, str]]:
    rows = []
    for number in range(30):
        row = {
            "task_description": "Count what is told of",
            "seed_question": f"How many, {number}?",
            "seed_response": "3" if number % 2 else "",
            "leaf_node_type": "grounded_skill" if number % 3 else "freeform_skill",
        }
        rows.append(row | ({"seed_context": f"Text {number}."} if kind == "grounded" else {}))
    return rows


FIRST = {
    "knowledge.yaml": knowledge(),
    "grounded.yaml": skills("grounded"),
    "freeform.yaml": skills("freeform"),
    "uneven.yaml": skills("freeform"),
}


def flow(file: Path) -> Flow:
    return load_flow(str(file), SCALED)


def first(file: Path) -> list[dict[str, str]]:
    """The first rows for a file of this folder, or of the package's."""
    return FIRST[file.name.replace("_skills", "")]


def ours(file: Path, store: Path) -> Passed:
    """The rows that a flow's blocks give, before they become training rows."""
    return passed(cut(flow(file), "as a training row"), first(file), Scripted(said), store)


def said(call: Call) -> str:
    return reply(spoken([(turn.role, turn.content) for turn in call.messages]), call.sample)


def spoken(turns: list[tuple[str, str]]) -> str:
    """A conversation as one prompt; a lone user's turn is what it says."""
    if len(turns) == 1:
        return turns[0][1]
    return "\n".join(f"{role}: {content}" for role, content in turns)
