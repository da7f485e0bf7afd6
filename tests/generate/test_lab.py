"""LAB's flows from real leaves through the real stage, with answers that the test has written."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pipelines.backends import Answer, Call
from pipelines.documents import chunks, documents
from pipelines.exam import asked
from pipelines.generate import Teaching, generate
from pipelines.generate.completions import Completions
from pipelines.generate.flow import load_flow
from pipelines.generate.steps import Ask
from pipelines.leaves import WorkTree
from pipelines.recipe import Flows, Recipe
from pipelines.recipe import Teacher as Asked
from pipelines.text import too_close
from tests.generate.support import (
    FREEFORM,
    GROUNDED,
    KNOWLEDGE,
    Work,
    by_path,
    lines,
    recipe,
    taxonomy,
    work_of,
)
from tests.generate.support import rows as written

LAB = Flows(("lab_knowledge",), ("lab_grounded",), ("lab_freeform",))
FLOW_OF = {KNOWLEDGE: "lab_knowledge", GROUNDED: "lab_grounded", FREEFORM: "lab_freeform"}
GRADES = {
    "judge_faithfulness": ("faithful", "YES", "NO"),
    "judge_relevancy": ("relevancy", "2", "1"),
    "judge_question": ("sound", "1", "0"),
    "judge_grounded_question": ("sound", "1", "0"),
    "judge_grounded_pair": ("quality", "2", "1"),
    "judge_freeform_question": ("sound", "1", "0"),
    "judge_freeform_pair": ("quality", "3", "none"),
}


class Model:
    """A teacher or judge that answers in the form that is asked for, and counts its tasks.

    Whoever judges finds bad what speaks of the word ``bad``.
    """

    def __init__(self, bad: str = "Nobody speaks of this.") -> None:
        self.asked: Counter[str] = Counter()
        self.bad = bad

    async def answer(self, call: Call) -> Answer:
        self.asked[call.task] += 1
        return Answer(self._said(call))

    def _said(self, call: Call) -> str:
        if call.task in GRADES:
            tag, good, bad = GRADES[call.task]
            grade = bad if any(self.bad in text for text in call.variables.values()) else good
            return f"[EXPLANATION]\nSo it is.\n[{tag.upper()}]\n{grade}\n[END]"
        if call.task in ("detailed_summary", "atomic_facts", "extractive_summary"):
            return f"{call.task}: {call.variables['chunk']}"
        mark = call.key[:8]
        if call.task == "question_text":
            word = call.variables["text"].split()[-1]
            return f"[QUESTION]\nWhat is {mark}?\n[ANSWER]\n{word}\n[END]"
        if call.task in ("write_contexts", "examine_context"):
            return f"[CONTEXT]\nText {mark}.\n[END]"
        if call.task in ("ask_contexts", "write_questions", "examine_skill"):
            return "".join(f"[QUESTION]\nDo {n} of {mark}.\n[END]\n" for n in range(2))
        return f"[ANSWER]\nDone with {mark}.\n[END]"

    async def close(self) -> None:
        return None


class Talkative(Model):
    """Gives an address away to every second question."""

    def _said(self, call: Call) -> str:
        said = super()._said(call)
        asked = call.variables.get("question", "")
        return said.replace("Done", "Mail ada@lovelace.co.uk") if "Do 1 of" in asked else said


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> WorkTree:
    return taxonomy(tmp_path_factory.mktemp("taxonomy"))


def lab(judged: bool) -> Recipe:
    one = recipe()
    judge = Asked("openai_api", "judge", "1") if judged else None
    return replace(one, generate=replace(one.generate, flows=LAB, exam_questions=0), judge=judge)


def run(
    out: Path, tree: WorkTree, work: Work, teacher: Model, judge: Model | None,
    wanted: Recipe | None = None,
) -> list[str]:  # fmt: skip
    out.mkdir()
    said: list[str] = []
    with Completions(out.with_suffix(".sqlite")) as store:
        teaching = Teaching(wanted or lab(judge is not None), store, teacher, judge)
        generate(work, partial(documents, tree), teaching, out, said.append)
    return said


@pytest.mark.parametrize("path", [KNOWLEDGE, GROUNDED, FREEFORM])
def test_a_leaf_goes_through_its_flow_and_its_judge(
    tree: WorkTree, tmp_path: Path, path: str
) -> None:
    leaf, sides = by_path(work_of(tree))[path]
    teacher, judge = Model(), Model()
    run(tmp_path / "out", tree, {leaf.content_hash: (leaf, sides)}, teacher, judge)
    rows = written(tmp_path / "out")
    assert {row["flow"] for row in rows} == {load_flow(FLOW_OF[path]).hash}
    assert {row["phase"] for row in rows} == {"knowledge" if path == KNOWLEDGE else "skills"}
    assert set(judge.asked) <= set(GRADES)
    assert set(teacher.asked).isdisjoint(GRADES)
    steps = json.loads((tmp_path / "out" / "ledger.json").read_bytes())["steps"]
    assert len(rows) == steps[-1]["kept"] > 0
    asks = sum(isinstance(step, Ask) for step in load_flow(FLOW_OF[path]).steps)
    for row in rows:
        user = row["messages"][0]["content"]
        assert user.startswith("Text ") == (path == GROUNDED)
        assert len(row["calls"]) == asks


@pytest.mark.parametrize("path", [GROUNDED, FREEFORM])
def test_a_model_enlarges_a_skill_s_exam_and_the_judge_reads_it(
    tree: WorkTree, tmp_path: Path, path: str
) -> None:
    leaf, sides = by_path(work_of(tree))[path]
    sides = replace(sides, shown=sides.shown[1:], exam=sides.exam or sides.shown[:1])
    teacher, judge = Model(), Model()
    asking = replace(lab(True), teacher=Asked("openai_api", "teacher", "1"))
    asking = replace(asking, generate=replace(asking.generate, exam_questions=2))
    run(tmp_path / "out", tree, {leaf.content_hash: (leaf, sides)}, teacher, judge, asking)
    (file,) = (tmp_path / "out" / "asked").iterdir()
    found = asked(leaf, file.read_bytes(), "changed")
    task = "examine_context" if path == GROUNDED else "examine_skill"
    pairs = sum(len(seed.pairs) for seed in leaf.seeds if seed.id in sides.shown)
    assert teacher.asked[task] == pairs
    assert len(found) == 2 * pairs
    assert {item.cluster for item in found} == set(sides.shown)
    assert all(
        item.synthetic and item.prompt.startswith("Text ") == (path == GROUNDED) for item in found
    )
    assert judge.asked["judge_grounded_pair" if path == GROUNDED else "judge_freeform_pair"] >= len(
        found
    )
    taught = {row["messages"][0]["content"] for row in written(tmp_path / "out")}
    assert taught
    assert not any(too_close(item.prompt, prompt) for item in found for prompt in taught)


@pytest.mark.parametrize("path", [GROUNDED, FREEFORM])
def test_an_exam_question_holds_nobody_s_address(tree: WorkTree, tmp_path: Path, path: str) -> None:
    leaf, sides = by_path(work_of(tree))[path]
    sides = replace(sides, shown=sides.shown[1:], exam=sides.exam or sides.shown[:1])
    asking = replace(lab(True), teacher=Asked("openai_api", "teacher", "1"))
    asking = replace(asking, generate=replace(asking.generate, exam_questions=2))
    work = {leaf.content_hash: (leaf, sides)}
    run(tmp_path / "out", tree, work, Talkative(), Model(), asking)
    (file,) = (tmp_path / "out" / "asked").iterdir()
    found = asked(leaf, file.read_bytes(), "changed")
    assert found
    assert not any("@" in item.reference for item in found)
    flow = "exam_grounded" if path == GROUNDED else "exam_freeform"
    rejects = lines(tmp_path / "out" / "rejects.jsonl")
    assert ("no_personal_data", flow) in {(one["step"], one["flow"]) for one in rejects}


def test_a_chunk_is_summarised_once_however_many_seeds_are_shown(
    tree: WorkTree, tmp_path: Path
) -> None:
    leaf, sides = by_path(work_of(tree))[KNOWLEDGE]
    teacher = Model()
    run(tmp_path / "out", tree, {leaf.content_hash: (leaf, sides)}, teacher, Model())
    (document,) = documents(tree, leaf)
    pieces = len(chunks(document, recipe().generate.chunk_words))
    assert len(sides.shown) > 1
    for task in ("detailed_summary", "atomic_facts", "extractive_summary"):
        assert teacher.asked[task] == pieces
    assert teacher.asked["question_text"] == pieces * len(sides.shown) * 4


def test_what_a_judge_finds_bad_is_left_out_with_the_reason(tree: WorkTree, tmp_path: Path) -> None:
    leaf, sides = by_path(work_of(tree))[FREEFORM]
    judge = Model(bad="Do 1 of")
    run(tmp_path / "out", tree, {leaf.content_hash: (leaf, sides)}, Model(), judge)
    rows = written(tmp_path / "out")
    assert rows
    assert not any("Do 1 of" in row["messages"][0]["content"] for row in rows)
    rejects = lines(tmp_path / "out" / "rejects.jsonl")
    assert {(r["step"], r["reason"]) for r in rejects} == {
        ("sound", "sound is '0', not equal to 1.0")
    }
    assert len(rejects) == len(rows)


def test_without_a_judge_nobody_judges_and_it_is_said(tree: WorkTree, tmp_path: Path) -> None:
    work = work_of(tree)
    teacher = Model(bad="Do 1 of")
    said = run(tmp_path / "out", tree, work, teacher, None)
    assert set(teacher.asked).isdisjoint(GRADES)
    assert any("names no judge" in line for line in said)
    assert any("Do 1 of" in row["messages"][0]["content"] for row in written(tmp_path / "out"))


def test_what_is_asked_about_a_chunk_alone_does_not_depend_on_the_seed() -> None:
    summaries = [step for step in load_flow("lab_knowledge").steps if isinstance(step, Ask)][:3]
    for ask in summaries:
        assert set(ask.variables) == {"title", "heading", "chunk", "document_outline"}
