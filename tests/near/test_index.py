"""The index: twins of leaves, whatever the order in which leaves came, changed and went."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from pipelines.near.entries import Entry, LeafEntries
from pipelines.near.index import COMMON, PARTNERS, PLACES, Index
from pipelines.near.store import memory_index

TOWER = "When was the old tower of Marbeck first lit by its keepers?"


@pytest.fixture
def index() -> Iterator[Index]:
    found = memory_index()
    yield found
    found.close()


def leaf(path: str, *asked: tuple[str, str], contexts: tuple[str, ...] = ()) -> LeafEntries:
    """A leaf whose questions stand on lines 10, 11, … and whose digest is what it says."""
    entries = [Entry("context", 5, 3, context) for context in contexts]
    entries += [
        Entry("question", 10 + at, 7, question, answer)
        for at, (question, answer) in enumerate(asked)
    ]
    return LeafEntries(path, str(entries), tuple(entries))


def told(index: Index, path: str) -> list[tuple[str, str, int]]:
    """Relation, other leaf and line of each twin of a leaf."""
    index.compare()
    return [(t.relation, t.there.leaf, t.there.line) for t in index.twins("", path)]


def rows(index: Index) -> dict[str, int]:
    """How many rows each table has."""
    tables = ("leaf", "text", "item", "signature", "pair")
    index._db.execute("BEGIN")  # what waits in `delta` and `gone` is counted where it will be
    index._settle()
    count = index._db.execute
    found = {name: count(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    index._db.execute("ROLLBACK")
    return found


def test_relations(index: Index) -> None:
    index.put(
        [
            leaf("a", (TOWER, "1759")),
            leaf("b", (TOWER.lower(), "in 1759")),
            leaf("c", (TOWER, "1760")),
            leaf("d", (TOWER.replace("first", "frist"), "in the year 1759")),
            leaf("e", ("Which bird sings at night in Oostvar?", "the nightingale")),
        ]
    )
    assert told(index, "a") == [("same", "b", 10), ("conflict", "c", 10), ("near", "d", 10)]
    assert told(index, "d") == [("near", "a", 10), ("near", "b", 10), ("near", "c", 10)]
    assert told(index, "e") == []
    assert [path for _, path in index.twinned()] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("small", [0, 1000])
def test_a_text_that_goes_and_comes_back_is_found_as_if_it_had_stayed(
    index: Index, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr("pipelines.near.index.SMALL", small)
    asked, other = (
        leaf("a", (TOWER, "1759")),
        leaf("a", ("Which bird sings in Oostvar?", "a thrush")),
    )
    index.put([asked, leaf("b", (TOWER.replace("first", "frist"), "in 1759"))])
    assert told(index, "b") == [("near", "a", 10)]
    index.keep(["a", "b"])
    before = rows(index)
    for _ in range(2):
        index.put([other])
        assert told(index, "b") == []
        index.put([asked])
        assert told(index, "b") == [("near", "a", 10)]
    assert rows(index) == before


def test_a_near_question_with_another_answer_is_another_question(index: Index) -> None:
    moon = "What is the name of the largest moon that goes around the planet {}?"
    index.put([leaf("a", (moon.format("Jupiter"), "Ganymede"))])
    index.put([leaf("b", (moon.format("Saturn"), "Titan"))])
    assert told(index, "a") == []


def test_another_thing_with_the_same_short_answer_is_another_question(index: Index) -> None:
    asked = "Regarding its building, who or what is named for the {} of the town?"
    index.put([leaf("a", (asked.format("mill"), "Ada"))])
    index.put([leaf("b", (asked.format("ferry"), "Ada"))])
    assert told(index, "a") == []
    why = "Because the guild that paid for it wished to be remembered."
    index.put([leaf("a", (asked.format("mill"), why)), leaf("b", (asked.format("ferry"), why))])
    assert told(index, "a") == [("near", "b", 10)]


def test_within_a_leaf_nothing_is_told(index: Index) -> None:
    index.put([leaf("a", (TOWER, "1759"), (TOWER, "1760"), (TOWER + " Say.", "1759"))])
    assert told(index, "a") == []


def test_a_leaf_that_goes_takes_everything_with_it(index: Index) -> None:
    index.put([leaf("a", (TOWER, "1759"), contexts=("It was lit in autumn.",))])
    index.compare()
    alone = rows(index)
    index.put([leaf("b", (TOWER, "1760"), (TOWER + " Say.", "1760"))])
    assert told(index, "a")
    index.keep({"a"})
    assert rows(index) == alone
    assert told(index, "a") == []
    index.keep(set())
    assert set(rows(index).values()) == {0}


def test_a_leaf_that_goes_before_it_was_compared(index: Index) -> None:
    index.put([leaf("a", (TOWER, "1759"))])
    index.put([LeafEntries("a", "", ())])
    assert index.compare() == 0
    assert set(rows(index).values()) == {0}
    assert index.digest("a") == ""


def test_an_edited_leaf_is_compared_anew(index: Index) -> None:
    index.put([leaf("a", (TOWER, "1759")), leaf("b", (TOWER, "1760"))])
    assert told(index, "a") == [("conflict", "b", 10)]
    index.put([leaf("b", ("Another question altogether, is it not?", "yes"), (TOWER, "1759"))])
    assert told(index, "a") == [("same", "b", 11)]


def test_a_renamed_leaf_keeps_what_was_compared(index: Index) -> None:
    index.put([leaf("a", (TOWER, "1759")), leaf("b", (TOWER.replace("lit", "lid"), "1759"))])
    assert index.compare() == 2
    index.put([leaf("c", (TOWER.replace("lit", "lid"), "1759"))])
    index.keep({"a", "c"})
    assert index.compare() == 0
    assert told(index, "a") == [("near", "c", 10)]
    assert index.digests().keys() == {"a", "c"}


def test_another_tree_lasts_as_long_as_its_transaction(index: Index) -> None:
    index.put([leaf("a", (TOWER, "1759"))])
    index.compare()
    before = rows(index)
    with index.transaction(undo=True):
        index.put([leaf("a", (TOWER, "1760"))], "pr/1")
        index.compare()
        (twin,) = index.twins("", "a")
        assert (twin.there.tree, twin.there.answer) == ("pr/1", "1760")
    assert rows(index) == before
    assert index.twins("", "a") == []


def test_a_put_that_fails_leaves_the_index_as_it_was(index: Index) -> None:
    index.put([leaf("a", (TOWER, "1759"))])
    before = rows(index)

    def broken() -> Iterator[LeafEntries]:
        yield leaf("a", ("Something else?", "yes"))
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        index.put(broken())
    assert rows(index) == before
    assert told(index, "a") == []


def test_names_that_are_no_unicode_and_texts_with_nul(index: Index) -> None:
    index.put([leaf("a\udcff", ("Why\0?", "so\0")), leaf("b", ("Why\0?", "no"))])
    assert told(index, "b") == [("conflict", "a\udcff", 10)]


def test_a_question_in_every_leaf_costs_each_leaf_no_more(index: Index) -> None:
    many = PLACES + 30
    index.put([leaf(f"{at:03}", (TOWER, str(at))) for at in range(many)])
    assert rows(index)["text"] == 1
    assert len(told(index, "000")) == PLACES


def test_many_near_questions_are_bounded(index: Index) -> None:
    stem = "the keeper of the old tower of Marbeck who lit it for the first time in a storm"
    letters = "abcdefghijklmnopqrstuvwxyz"
    index.put([leaf(one, (f"Who was {stem} {one * 3}?", "Helena")) for one in letters])
    index.compare()
    assert 0 < rows(index)["pair"] <= 2 * PARTNERS * len(letters)
    assert len({path for _, path in index.twinned()}) == len(letters)


def test_what_many_questions_begin_with_does_not_hide_twins(index: Index) -> None:
    words = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in "lmnrst"]
    asked = [leaf(w, (f"What is the meaning of {w}?", w)) for w in words]
    assert len(asked) > COMMON
    index.put(
        [
            *asked,
            leaf("x", ("What is the meaninng of balm?", "b")),
            leaf("y", ("What is the meaning of balm?", "b")),
        ]
    )
    assert ("near", "y", 10) in told(index, "x")


def test_any_order_of_changes_ends_in_what_a_new_index_says() -> None:
    random_one = random.Random(5)
    nouns = ["tower", "bridge", "abbey", "orchard", "mill"]
    spelled = ["first built", "built first", "frist built", "first biult", "at first built"]

    def any_leaf(path: str) -> LeafEntries:
        asked = [
            (
                f"When was the {random_one.choice(nouns)} of Quillon {random_one.choice(spelled)}?",
                random_one.choice(["1759", "in 1759", "1760"]),
            )
            for _ in range(random_one.randint(0, 4))
        ]
        return leaf(path, *asked)

    grown, tree = memory_index(), {}
    for step in range(30):
        changed = {path: any_leaf(path) for path in random_one.sample("abcdefgh", 2)}
        tree |= changed
        grown.put(changed.values())
        if step % 3 == 0:
            tree.pop(random_one.choice(sorted(tree)))
            grown.keep(tree)
        grown.compare()
        fresh = memory_index()
        fresh.put(tree[path] for path in sorted(tree))
        fresh.compare()
        assert rows(grown) == rows(fresh)
        assert grown.digests() == fresh.digests()
        assert [grown.twins("", path) for path in tree] == [fresh.twins("", path) for path in tree]
        fresh.close()
    grown.close()
