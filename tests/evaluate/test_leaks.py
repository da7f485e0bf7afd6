"""Whether an exam question was seen in the training rows of another leaf."""

from __future__ import annotations

from dataclasses import replace

from pipelines.evaluate.leaks import RUN, marked
from pipelines.records import Message
from tests.evaluate.support import item

LONG = "In which of the eight northern harbours did the grey fleet winter?"


def leaked(prompt: str, **leaves: str) -> bool:
    """Whether a question of the leaf ``mine`` is, where these questions were trained on."""
    asked = replace(item("mine", "panel", 0, 0), prompt=prompt)
    rows = [
        (name, [(Message("user", text), Message("assistant", "answer to all"))])
        for name, text in leaves.items()
    ]
    (found,) = marked([asked], {"mine": "mine"}, rows)
    assert replace(found, leaked=False) == asked
    return found.leaked


def test_a_question_of_another_leaf_leaks_however_it_is_written() -> None:
    assert leaked("Who built it?", other="Who built it?")
    assert leaked("  who BUILT it ", other="Who built it?")
    assert not leaked("Who broke it?", other="Who built it?")


def test_a_leaf_s_own_rows_are_no_leak_unless_another_has_them_too() -> None:
    assert not leaked(LONG, mine=LONG)
    assert leaked(LONG, mine=LONG, other=LONG)


def test_a_long_run_of_the_same_words_leaks() -> None:
    words = LONG.split()
    assert leaked(f"Tell me: {' '.join(words[2 : 2 + RUN])} long ago", other=LONG)
    assert not leaked(f"Tell me: {' '.join(words[2 : 1 + RUN])} long ago", other=LONG)
    assert not leaked(" ".join(reversed(words)), other=LONG)


def test_an_equal_answer_is_no_leak() -> None:
    assert not leaked("answer to all", other="Who built it?")


def test_scripts_without_spaces_are_compared_by_their_characters() -> None:
    other = "東京の一番高い建物は何ですか。"
    assert leaked("日本で、東京の一番高い建物はどれ？", other=other)
    assert not leaked("東京の北にある川は？", other=other)


def test_nothing_seen_leaks_nothing_and_short_questions_only_whole() -> None:
    assert not leaked(LONG)
    assert marked([], {}, [("other", [])]) == []
    assert not leaked("Who built the old", other="Who built the old bridge?")


def test_items_that_share_a_question_are_marked_each_by_its_own_leaf() -> None:
    asked = [replace(item(leaf, "panel", 0, 0), prompt=LONG) for leaf in ("mine", "other")]
    rows = [("hash of mine", [(Message("user", LONG),)])]
    found = marked(asked, {"mine": "hash of mine", "other": "hash of other"}, rows)
    assert [one.leaked for one in found] == [False, True]
