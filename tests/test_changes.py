"""What happened between two trees, on real leaves and real commits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import exam
from pipelines.changes import changeset_to_json, diff
from pipelines.git import open_repository
from pipelines.leaves import WorkTree, read_leaves
from pipelines.records import Change, ExamSplit, Leaf, SeedDifference
from tests.support.repositories import (
    TIDES,
    KnowledgeSeed,
    Repo,
    knowledge_leaf,
    knowledge_seeds,
    skill_leaf,
    skill_seeds,
)

PATH = "knowledge/science/tides"
SKILL = "compositional_skills/describe"
Leaves = dict[str, Leaf]
Read = Callable[..., Leaves]


@pytest.fixture
def tree(tmp_path: Path) -> Read:
    """Write leaves by calling their writers on a fresh folder; the leaves as they are read back."""

    def read(*writers: Callable[[Path], object]) -> Leaves:
        root = tmp_path / f"tree{len(list(tmp_path.iterdir()))}"
        root.mkdir()
        for write in writers:
            write(root)
        return read_leaves(WorkTree(root))

    return read


def tides(path: str = PATH, **options: object) -> Callable[[Path], object]:
    return lambda root: knowledge_leaf(root, path, **options)  # type: ignore[arg-type]


def describe(path: str = SKILL, **options: object) -> Callable[[Path], object]:
    return lambda root: skill_leaf(root, path, **options)  # type: ignore[arg-type]


def changes(base: Leaves, head: Leaves, exams: dict[str, ExamSplit] | None = None) -> list[Change]:
    recorded = None if exams is None else lambda leaf: exams.get(leaf.path)
    return list(diff(base, head, base_name="base", head_name="head", exams=recorded).changes)


def only(found: list[Change]) -> Change:
    assert len(found) == 1
    return found[0]


def first_splits(leaves: Leaves) -> dict[str, ExamSplit]:
    return {path: exam.split(leaf, None, None) for path, leaf in leaves.items()}


def test_equal_trees_have_no_change(tree: Read) -> None:
    assert changes(tree(tides(), describe()), tree(tides(), describe())) == []


def test_formatting_author_and_attribution_are_no_change(tree: Read, tmp_path: Path) -> None:
    base = tree(tides(), describe())
    root = tmp_path / "other"
    folder = knowledge_leaf(root, PATH, created_by="bo")
    skill_leaf(root, SKILL)
    qna = folder / "qna.yaml"
    qna.write_bytes(b"# a remark\r\n" + qna.read_bytes().replace(b"\n", b"\r\n"))
    (folder / "document.md").write_bytes(TIDES.replace("\n", "\r\n").encode())
    attribution = folder / "attribution.txt"
    attribution.write_text(attribution.read_text().replace("Graft", "Other"))
    assert changes(base, read_leaves(WorkTree(root))) == []


def test_added_and_deleted(tree: Read) -> None:
    base, head = tree(tides()), tree(describe())
    skill, knowledge = changes(base, head)
    ids = tuple(sorted(seed.id for seed in head[SKILL].seeds))
    assert skill == Change(
        SKILL, "freeform_skill", "added", None, SeedDifference(added=ids), "data"
    )
    gone = tuple(sorted(seed.id for seed in base[PATH].seeds))
    assert knowledge == Change(
        PATH, "knowledge", "deleted", None, SeedDifference(removed=gone), "data"
    )


def test_a_pure_rename_invalidates_nothing(tree: Read) -> None:
    found = only(changes(tree(tides()), tree(tides("knowledge/sea/tides"))))
    assert found == Change(
        "knowledge/sea/tides", "knowledge", "renamed", PATH, SeedDifference(), "nothing"
    )


def test_twins_are_paired_by_name(tree: Read) -> None:
    base = tree(tides("knowledge/a/one"), tides("knowledge/a/two"))
    head = tree(tides("knowledge/b/one"), tides("knowledge/b/two"))
    pairs = [(found.previous_leaf, found.leaf) for found in changes(base, head)]
    assert pairs == [
        ("knowledge/a/one", "knowledge/b/one"),
        ("knowledge/a/two", "knowledge/b/two"),
    ]


def test_a_copy_is_added(tree: Read) -> None:
    found = only(changes(tree(tides()), tree(tides(), tides("knowledge/sea/tides"))))
    assert (found.leaf, found.status, found.invalidates) == ("knowledge/sea/tides", "added", "data")


def test_renamed_and_edited(tree: Read) -> None:
    base = tree(tides(seeds=knowledge_seeds(6)))
    kept = [*knowledge_seeds(8)[:3], *knowledge_seeds(8)[6:]]
    found = only(changes(base, tree(tides("knowledge/sea/tides", seeds=kept))))
    assert (found.status, found.previous_leaf, found.invalidates) == ("renamed", PATH, "data")
    assert (len(found.seeds.added), len(found.seeds.removed)) == (2, 3)


def test_fewer_than_half_of_the_seeds_are_another_leaf(tree: Read) -> None:
    base = tree(tides(seeds=knowledge_seeds(6)))
    head = tree(tides("knowledge/sea/tides", seeds=knowledge_seeds(8)[4:]))
    assert [found.status for found in changes(base, head)] == ["deleted", "added"]


def edited_answer(seeds: list[KnowledgeSeed], at: int) -> list[KnowledgeSeed]:
    context, pairs = seeds[at]
    (question, _), *others = pairs
    return [*seeds[:at], (context, [(question, "Another answer"), *others]), *seeds[at + 1 :]]


def test_an_edited_answer_changes_the_seed(tree: Read) -> None:
    base = tree(tides())
    found = only(changes(base, tree(tides(seeds=edited_answer(knowledge_seeds(), 2)))))
    assert found.seeds == SeedDifference(changed=(base[PATH].seeds[2].id,))
    assert (found.status, found.previous_leaf, found.invalidates) == ("modified", None, "data")


def test_an_edited_question_of_a_skill_is_another_seed(tree: Read) -> None:
    base = tree(describe())
    seeds = skill_seeds()
    seeds[1] = ("", "Who rang the bell?", seeds[1][2])
    head = tree(describe(seeds=seeds))
    found = only(changes(base, head))
    assert found.seeds == SeedDifference(
        added=(head[SKILL].seeds[1].id,), removed=(base[SKILL].seeds[1].id,)
    )


@pytest.mark.parametrize("option", ["domain", "outline", "document"])
def test_what_stands_beside_the_seeds_invalidates_data(tree: Read, option: str) -> None:
    base = tree(tides())
    found = only(changes(base, tree(tides(**{option: "Something else"})), first_splits(base)))
    assert (found.seeds, found.invalidates) == (SeedDifference(), "data")


def exam_position(leaf: Leaf, side: str) -> int:
    """Where in the leaf's order a seed of that side stands."""
    split = exam.split(leaf, None, None)
    wanted = split.exam if side == "exam" else split.shown
    return next(at for at, seed in enumerate(leaf.seeds) if seed.id in wanted)


@pytest.mark.parametrize(("side", "invalidates"), [("exam", "exam"), ("shown", "data")])
def test_an_edited_seed_invalidates_its_side(tree: Read, side: str, invalidates: str) -> None:
    base = tree(tides())
    at = exam_position(base[PATH], side)
    head = tree(tides(seeds=edited_answer(knowledge_seeds(), at)))
    assert only(changes(base, head, first_splits(base))).invalidates == invalidates
    assert only(changes(base, head)).invalidates == "data"


@pytest.mark.parametrize("option", ["domain", "outline", "document"])
def test_an_exam_seed_edited_along_with_something_else(tree: Read, option: str) -> None:
    base = tree(tides())
    seeds = edited_answer(knowledge_seeds(), exam_position(base[PATH], "exam"))
    head = tree(tides(seeds=seeds, **{option: "Something else"}))
    assert only(changes(base, head, first_splits(base))).invalidates == "data"


@pytest.mark.parametrize(("side", "invalidates"), [("exam", "exam"), ("shown", "data")])
def test_so_does_a_reworded_question(tree: Read, side: str, invalidates: str) -> None:
    base = tree(describe())
    at = exam_position(base[SKILL], side)
    seeds = skill_seeds()
    context, question, answer = seeds[at]
    seeds[at] = (context, question.replace("How would", "How might"), answer)
    found = only(changes(base, tree(describe(seeds=seeds)), first_splits(base)))
    assert len(found.seeds.added) == len(found.seeds.removed) == 1
    assert found.invalidates == invalidates


def test_an_exam_that_falls_away_invalidates_data(tree: Read) -> None:
    """With three seeds left there is no exam: a seed that was held out is now shown."""
    base = tree(tides(seeds=knowledge_seeds(8)))
    held_out = first_splits(base)[PATH].exam
    order = [seed.id for seed in base[PATH].seeds]
    kept = [order.index(held_out[0]), *(at for at, i in enumerate(order) if i not in held_out)][:3]
    head = tree(tides(seeds=[knowledge_seeds(8)[at] for at in kept]))
    assert only(changes(base, head, first_splits(base))).invalidates == "data"


def test_a_renamed_leaf_is_looked_up_by_its_old_path(tree: Read) -> None:
    base = tree(tides())
    at = exam_position(base[PATH], "exam")
    head = tree(tides("knowledge/sea/tides", seeds=edited_answer(knowledge_seeds(), at)))
    found = only(changes(base, head, first_splits(base)))
    assert (found.status, found.invalidates) == ("renamed", "exam")


def test_json_has_the_promised_shape(tree: Read) -> None:
    data = changeset_to_json(diff(tree(), tree(describe()), base_name="a1", head_name="b2"))
    assert (data["base"], data["head"]) == ("a1", "b2")
    (change,) = data["changes"]
    assert set(change) == {"leaf", "kind", "status", "previous_leaf", "seeds", "invalidates"}
    assert set(change["seeds"]) == {"added", "removed", "changed"}
    assert isinstance(change["seeds"]["added"], list)


def test_commits_and_the_work_tree(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo")
    taxonomy = repo.path / "taxonomy"
    knowledge_leaf(taxonomy, PATH)
    skill_leaf(taxonomy, SKILL)
    repo.commit("leaves")
    repo.branch("topic").move(f"taxonomy/{PATH}", "taxonomy/knowledge/sea/tides").commit("move")
    repo.delete(f"taxonomy/{SKILL}")
    opened = open_repository(repo.path)
    main, topic = (read_leaves(opened.tree(ref, "taxonomy")) for ref in ("main", "topic"))
    assert [found.status for found in changes(main, topic)] == ["renamed"]
    found = changes(main, read_leaves(WorkTree(taxonomy)))
    assert [(each.leaf, each.status) for each in found] == [
        (SKILL, "deleted"),
        ("knowledge/sea/tides", "renamed"),
    ]
