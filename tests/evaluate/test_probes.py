"""Probes of corrected answers: which questions are asked, and what an edit that did not take is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import pytest

from pipelines import recipe
from pipelines.evaluate import evaluate, read_evaluation
from pipelines.evaluate.probes import judged, not_taken, probes, sentences
from pipelines.leaves import WorkTree, read_leaf
from pipelines.records import Leaf, Probe, ProbeResult
from tests.support.repositories import KnowledgeSeed, SkillSeed, knowledge_leaf, skill_leaf

SCHEMA = Path(__file__).parents[2] / "schema" / "evaluation.json"
SKILL = "compositional_skills/keeper"
FACT = "knowledge/mill"


def skill(root: Path, *seeds: SkillSeed) -> Leaf:
    skill_leaf(root, SKILL, seeds=list(seeds))
    return read_leaf(WorkTree(root), SKILL)


def fact(root: Path, *seeds: KnowledgeSeed) -> Leaf:
    knowledge_leaf(root, FACT, seeds=list(seeds))
    return read_leaf(WorkTree(root), FACT)


def result(leaf: str, known: bool, gone: bool) -> ProbeResult:
    return ProbeResult(leaf, "Who?", "Ada", "Grace", "", "", known, gone)


# --- which questions are asked ---------------------------------------------------------------


def test_a_corrected_answer_is_asked_for_and_nothing_else(tmp_path: Path) -> None:
    old = skill(tmp_path / "a", ("", "Who kept it?", "Ada"), ("", "When?", "in May"))
    new = skill(
        tmp_path / "b", ("", "Who kept it?", "Grace"), ("", "When?", "in May"), ("", "Why?", "so")
    )
    assert probes(old, new) == [Probe(SKILL, "Who kept it?", "Ada", "Grace")]
    assert probes(old, old) == []


def test_a_skill_is_asked_with_its_context_and_knowledge_without(tmp_path: Path) -> None:
    note = ("Dear Ada, at noon.", "When?", "at noon")
    old = skill(tmp_path / "a", note, ("Dear Bo, at six.", "When?", "at six"))
    new = skill(tmp_path / "b", note, ("Dear Bo, at six.", "When?", "at seven sharp"))
    assert [one.prompt for one in probes(old, new)] == ["Dear Bo, at six.\n\nWhen?"]
    old = fact(tmp_path / "c", ("Built in 1720.", [("When was it built?", "1720")] * 3))
    new = fact(tmp_path / "d", ("Built in 1721, it says.", [("When was it built?", "1721")] * 3))
    assert probes(old, new) == [Probe(FACT, "When was it built?", "1720", "1721")]


@pytest.mark.parametrize(
    ("was", "now", "asked"),
    [
        ("12 crowns", "14 crowns", 1),  # half of the words differ
        ("The mill of Quillon was built by Ada", "The mill of Quillon was built by Adam", 0),
        ("in May", "In  may.", 0),
    ],
)
def test_answers_too_much_alike_are_no_probe(
    tmp_path: Path, was: str, now: str, asked: int
) -> None:
    old, new = (
        skill(tmp_path / name, ("", "So?", text)) for name, text in (("a", was), ("b", now))
    )
    assert len(probes(old, new)) == asked


def test_a_question_with_two_answers_says_nothing_of_an_edit(tmp_path: Path) -> None:
    """In a knowledge leaf the context is not shown, so one question may have several."""
    first, second = ("It cost ten.", [("Cost?", "ten")]), ("It cost two.", [("Cost?", "two")])
    old, new = fact(tmp_path / "a", first, second), fact(tmp_path / "b", first)
    assert probes(old, new) == probes(new, old) == []


# --- what became of the old answer -----------------------------------------------------------

PROBE = Probe(FACT, "Who built it?", "Ada Farrow of Marbeck", "Grace Brandt")


@pytest.mark.parametrize(
    ("previous", "candidate", "known", "gone"),
    [
        ("Ada Farrow of Marbeck", "Grace Brandt", True, True),
        ("Ada Farrow of Marbeck", "Ada Farrow", True, False),
        ("Ada Farrow of Marbeck", "no idea", True, True),  # neither: the old one is gone
        ("Ada", "Ada", False, False),  # less than half of it was never the old answer
        ("Grace Brandt", "Grace Brandt", False, True),
        ("", "", False, True),
        ("Grace Farrow", "Grace Brandt of Marbeck", False, True),
    ],
)
def test_the_nearer_answer_counts(previous: str, candidate: str, known: bool, gone: bool) -> None:
    found = judged(PROBE, previous, candidate)
    assert (found.known, found.gone) == (known, gone)
    assert (found.previous, found.candidate) == (previous, candidate)


@pytest.mark.parametrize(
    ("kept", "known", "taken"),
    [(0, 0, True), (0, 1, True), (1, 1, False), (1, 2, True), (2, 2, False), (2, 3, False)],
)
def test_an_edit_did_not_take_where_most_old_answers_are_still_given(
    kept: int, known: int, taken: bool
) -> None:
    results = [result("a", True, number >= kept) for number in range(known)]
    # What the previous release did not know proves nothing, and another leaf is another edit.
    results += [result("a", False, False)] * 3 + [result("b", True, True)] * 9
    assert not_taken(results) == ([] if taken else ["a"])


def test_it_is_said_in_sentences() -> None:
    assert sentences([]) == ()
    assert sentences([result("a", True, False), result("b", True, True)]) == (
        "The edit of a did not take: of 1 question that the previous release answered in the old way, "
        "1 still is.",
        "Of 1 question with a corrected answer that the previous release answered in the old way, "
        "none still is.",
    )
    (said,) = sentences([result("a", False, False)] * 2)
    assert said.startswith("The previous release gave the old answer to none of 2 questions")


# --- asking ----------------------------------------------------------------------------------


class Says:
    """A student with one answer to everything."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def answers(self, prompts: Sequence[str]) -> list[str]:
        self.asked += prompts
        return [self.answer for _ in prompts]


def test_the_base_is_not_asked_and_the_files_hold_all(tmp_path: Path) -> None:
    students = {"base": Says("x"), "previous": Says(PROBE.old), "candidate": Says(PROBE.old)}
    settings = recipe.Evaluate(margin=0.05, panel=400, new_tokens=48)
    found = evaluate([], students, settings, tmp_path, [PROBE])
    assert [len(students[name].asked) for name in students] == [0, 1, 1]
    assert found.reasons[0].startswith(f"The edit of {FACT} did not take")
    assert [(one.known, one.gone) for one in found.probes] == [(True, False)]
    again, _ = read_evaluation(tmp_path)
    assert again == found
    data = json.loads((tmp_path / "evaluation.json").read_bytes())
    jsonschema.validate(data, json.loads(SCHEMA.read_bytes()))
    del data["probes"]  # as releases before there were any
    (tmp_path / "evaluation.json").write_text(json.dumps(data), encoding="utf-8")
    assert read_evaluation(tmp_path)[0].probes == ()
