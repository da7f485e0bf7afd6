"""Which seeds are held out, that they stay so, and the items that they give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import exam
from pipelines.leaves import WorkTree, read_leaf
from pipelines.records import ExamSplit, Leaf, QuestionAnswer, Seed
from tests.support.repositories import (
    knowledge_leaf,
    knowledge_seeds,
    skill_leaf,
    skill_seeds,
)


def leaf_of(*seeds: Seed) -> Leaf:
    return Leaf(
        path="compositional_skills/a",
        kind="freeform_skill",
        version=2,
        created_by="ada",
        task_description="",
        domain="",
        outline="",
        seeds=seeds,
        document=None,
        documents=(),
        attribution=(),
        content_hash="",
    )


def seed(number: int, question: str = "") -> Seed:
    """A seed with this id; its question, unless given, shares no word with another's."""
    asked = question or " ".join(f"{letter}{number}" for letter in "bcdfghjk")
    return Seed(f"{number:016x}", "answers", "", (QuestionAnswer(asked, "An answer"),))


def ids(*numbers: int) -> tuple[str, ...]:
    return tuple(f"{number:016x}" for number in numbers)


def sides(*, exam: tuple[str, ...], shown: tuple[str, ...]) -> ExamSplit:
    return ExamSplit(exam=exam, shown=shown)


def test_fewer_than_four_seeds_give_no_exam() -> None:
    found = exam.split(leaf_of(seed(3), seed(1), seed(2)), None, None)
    assert found == sides(exam=(), shown=ids(1, 2, 3))


@pytest.mark.parametrize(("count", "held_out"), [(4, 1), (7, 1), (8, 2), (13, 3)])
def test_a_first_split_holds_out_a_quarter_with_the_lowest_ids(count: int, held_out: int) -> None:
    leaf = leaf_of(*(seed(number) for number in range(count, 0, -1)))
    found = exam.split(leaf, None, None)
    assert found.exam == ids(*range(1, held_out + 1))
    assert found.shown == ids(*range(held_out + 1, count + 1))


def test_a_known_seed_keeps_its_side() -> None:
    recorded = sides(exam=ids(9), shown=ids(1, 2, 3))
    leaf = leaf_of(*(seed(number) for number in (1, 2, 3, 9)))
    assert exam.split(leaf, recorded, leaf) == recorded


def test_a_new_seed_joins_where_its_id_is_a_multiple_of_four() -> None:
    recorded = sides(exam=ids(1), shown=ids(2, 3, 5))
    old = leaf_of(*(seed(number) for number in (1, 2, 3, 5)))
    leaf = replace(old, seeds=(*old.seeds, seed(8), seed(10)))
    assert exam.split(leaf, recorded, old) == sides(exam=ids(1, 8), shown=ids(2, 3, 5, 10))


@pytest.mark.parametrize(("edited", "old_side"), [(7, "exam"), (8, "shown")])
def test_an_edited_seed_inherits_its_side(edited: int, old_side: str) -> None:
    """Against what the new id alone would say: 7 would be shown, 8 would join the exam."""
    before = seed(1, "Which keeper of the lighthouse saw the great storm come in?")
    after = seed(edited, "Which keeper of the lighthouse saw the great storm coming in?")
    others = (seed(2), seed(3), seed(5))
    exam_ids, shown = (ids(1), ids(2, 3, 5)) if old_side == "exam" else (ids(2), ids(1, 3, 5))
    found = exam.split(
        leaf_of(after, *others), sides(exam=exam_ids, shown=shown), leaf_of(before, *others)
    )
    assert ids(edited)[0] in (found.exam if old_side == "exam" else found.shown)


def test_a_seed_does_not_inherit_from_one_that_is_still_there() -> None:
    known = seed(1, "Which keeper of the lighthouse saw the great storm come in?")
    similar = seed(7, "Which keeper of the lighthouse saw the great storm coming in?")
    others = (seed(2), seed(3), seed(5))
    recorded = sides(exam=ids(1), shown=ids(2, 3, 5))
    found = exam.split(leaf_of(known, similar, *others), recorded, leaf_of(known, *others))
    assert found == sides(exam=ids(1), shown=ids(2, 3, 5, 7))


def test_of_several_vanished_seeds_the_nearest_counts() -> None:
    first = seed(1, "Which keeper of the lighthouse saw the great storm come in at dawn?")
    second = seed(2, "Which keeper of the lighthouse saw the great storm come in at dusk?")
    after = seed(7, "Which keeper of the lighthouse saw the great storm come in at dusk first?")
    others = (seed(3), seed(5), seed(9))
    recorded = sides(exam=ids(2), shown=ids(1, 3, 5, 9))
    found = exam.split(leaf_of(after, *others), recorded, leaf_of(first, second, *others))
    assert found.exam == ids(7)


numbers = st.sets(st.integers(min_value=0, max_value=2**64 - 1), max_size=24)


@given(before=numbers, after=numbers)
def test_no_seed_ever_changes_sides(before: set[int], after: set[int]) -> None:
    old = leaf_of(*map(seed, sorted(before)))
    new = leaf_of(*map(seed, sorted(before | after)))
    recorded = exam.split(old, None, None)
    found = exam.split(new, recorded, old)
    assert sorted(found.exam + found.shown) == sorted(seed.id for seed in new.seeds)
    assert set(recorded.exam) <= set(found.exam)
    assert set(recorded.shown) <= set(found.shown)


@given(numbers, st.randoms())
def test_the_order_of_the_seeds_does_not_count(found: set[int], random: st.randoms) -> None:  # type: ignore[valid-type]
    seeds = [seed(number) for number in sorted(found)]
    shuffled = random.sample(seeds, len(seeds))  # type: ignore[attr-defined]
    assert exam.split(leaf_of(*shuffled), None, None) == exam.split(leaf_of(*seeds), None, None)


def test_items_are_the_questions_of_the_exam_seeds(tmp_path: Path) -> None:
    path = "knowledge/science/tides"
    knowledge_leaf(tmp_path, path, seeds=knowledge_seeds(4, questions=3))
    leaf = read_leaf(WorkTree(tmp_path), path)
    split = exam.split(leaf, None, None)
    items = exam.items(leaf, split, "changed")
    held_out = next(seed for seed in leaf.seeds if seed.id == split.exam[0])
    assert [(item.question, item.reference) for item in items] == [
        (pair.question, pair.answer) for pair in held_out.pairs
    ]
    assert all(item.prompt == item.question for item in items)
    assert {item.cluster for item in items} == set(split.exam)
    assert {(item.leaf, item.role) for item in items} == {(path, "changed")}
    assert len({item.id for item in items}) == 3


def test_a_grounded_skill_is_asked_with_its_context(tmp_path: Path) -> None:
    path = "compositional_skills/describe"
    skill_leaf(tmp_path, path, seeds=skill_seeds(4, grounded=True))
    leaf = read_leaf(WorkTree(tmp_path), path)
    items = exam.items(leaf, exam.split(leaf, None, None), "panel")
    held_out = next(seed for seed in leaf.seeds if seed.id == items[0].cluster)
    assert items[0].prompt == f"{held_out.context}\n\n{held_out.pairs[0].question}"


def test_a_rename_alters_no_item(tmp_path: Path) -> None:
    for path in ("knowledge/science/tides", "knowledge/sea/tides"):
        knowledge_leaf(tmp_path, path)
    old, new = (
        read_leaf(WorkTree(tmp_path), path)
        for path in ("knowledge/science/tides", "knowledge/sea/tides")
    )
    ids_before, ids_after = (
        [item.id for item in exam.items(leaf, exam.split(leaf, None, None), "panel")]
        for leaf in (old, new)
    )
    assert ids_before == ids_after != []


def test_user_turn() -> None:
    assert exam.user_turn("", "Why?") == "Why?"
    assert exam.user_turn("A note.\n", "Why?") == "A note.\n\nWhy?"
