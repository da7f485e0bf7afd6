"""Whether an exam question was seen in the training rows of another leaf."""

from __future__ import annotations

from pipelines.evaluate.leaks import RUN, Seen
from pipelines.records import Message

LONG = "In which of the eight northern harbours did the grey fleet winter?"


def seen(**leaves: str) -> Seen:
    return Seen({name: [(Message("user", text), Message("assistant", "answer to all"))]
                 for name, text in leaves.items()})  # fmt: skip


def test_a_question_of_another_leaf_leaks_however_it_is_written() -> None:
    rows = seen(other="Who built it?")
    assert rows.leaked("Who built it?", "mine")
    assert rows.leaked("  who BUILT it ", "mine")
    assert not rows.leaked("Who broke it?", "mine")


def test_a_leaf_s_own_rows_are_no_leak_unless_another_has_them_too() -> None:
    assert not seen(mine=LONG).leaked(LONG, "mine")
    assert seen(mine=LONG, other=LONG).leaked(LONG, "mine")


def test_a_long_run_of_the_same_words_leaks() -> None:
    rows = seen(other=LONG)
    words = LONG.split()
    assert rows.leaked(f"Tell me: {' '.join(words[2 : 2 + RUN])} long ago", "mine")
    assert not rows.leaked(f"Tell me: {' '.join(words[2 : 1 + RUN])} long ago", "mine")
    assert not rows.leaked(" ".join(reversed(words)), "mine")


def test_an_equal_answer_is_no_leak() -> None:
    assert not seen(other="Who built it?").leaked("answer to all", "mine")


def test_scripts_without_spaces_are_compared_by_their_characters() -> None:
    rows = seen(other="東京の一番高い建物は何ですか。")
    assert rows.leaked("日本で、東京の一番高い建物はどれ？", "mine")
    assert not rows.leaked("東京の北にある川は？", "mine")


def test_nothing_seen_leaks_nothing_and_short_questions_only_whole() -> None:
    assert not Seen({}).leaked(LONG, "mine")
    assert not Seen({"other": []}).leaked("", "mine")
    assert not seen(other="Who built the old bridge?").leaked("Who built the old", "mine")
