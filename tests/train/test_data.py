"""Rows → token ids → batches: what is supervised, and that nothing is lost or cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from pipelines.errors import TrainError
from pipelines.records import Message
from pipelines.train.data import Batch, Encoded, batch, encode, micro_batches, steps, supervised
from pipelines.train.student import SPECIAL
from tests.train.support import TOKENS, talk, tokenizer

# The chat template's own marks are no text that a person writes.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="<|"), min_size=1, max_size=40)


def encoded(lengths: list[int]) -> list[Encoded]:
    """Rows of these lengths, all their ids different, the second half of each supervised."""
    found, first = [], 5
    for length in lengths:
        found.append(
            Encoded(tuple(range(first, first + length)), ((length // 2 or 1, length),), 1.0)
        )
        first += length
    return found


def id_rows(batch: Batch) -> list[tuple[int, ...]]:
    return [tuple(n for n in row if n) for row in batch.ids.tolist()]


@given(TEXT, TEXT)
def test_exactly_the_assistant_s_tokens_are_supervised(question: str, answer: str) -> None:
    (row,) = encode(TOKENS, [(talk(question, answer), 1.0)], 10**6)
    ((start, end),) = row.said
    assert end == len(row.ids)
    decoded = TOKENS.decode([*row.ids[start:]], clean_up_tokenization_spaces=False)
    assert decoded == f"{answer}<|end|>"
    prompt = TOKENS.decode([*row.ids[:start]], clean_up_tokenization_spaces=False)
    assert prompt == f"<|user|>{question}<|end|><|assistant|>"
    found = batch([row])
    assert tuple(found.targets.tolist()) == row.ids[start:]
    assert found.columns.tolist() == list(range(start - 1, len(row.ids) - 1))


def test_every_turn_of_an_assistant_is_supervised() -> None:
    turns = (
        Message("user", "First?"), Message("assistant", "One."),
        Message("user", "Second?"), Message("assistant", "Two."),
    )  # fmt: skip
    (row,) = encode(TOKENS, [(turns, 1.0)], 128)
    assert [TOKENS.decode([*row.ids[start:end]]) for start, end in row.said] == [
        "One.<|end|>",
        "Two.<|end|>",
    ]


def test_a_row_too_long_is_left_out_whole_and_one_that_fits_is_not() -> None:
    short = talk("Short?", "Yes.")
    long = talk("Recite the whole ballad of the river.", "verse " * 50)
    length = len(encode(TOKENS, [(long, 1.0)], 10**6)[0].ids)
    assert len(encode(TOKENS, [(long, 1.0)], length)[0].ids) == length
    assert encode(TOKENS, [(short, 1.0), (long, 1.0)], length - 1) == encode(
        TOKENS, [(short, 1.0)], length
    )


def test_weights_stay_with_their_rows_and_nothing_encodes_to_nothing() -> None:
    found = encode(TOKENS, [(talk("A?", "a"), 2.0), (talk("B?", "b"), 1.0)], 128)
    assert [row.weight for row in found] == [2.0, 1.0]
    assert encode(TOKENS, [], 128) == []


def test_a_template_that_cannot_be_trained_on_is_refused() -> None:
    other = tokenizer()
    other.chat_template = (
        "{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    )
    with pytest.raises(TrainError, match="chat template"):
        encode(other, [(talk("A?", "a"), 1.0)], 128)


@given(
    st.lists(st.integers(2, 60), min_size=1, max_size=40), st.integers(1, 200), st.integers(0, 9)
)
def test_batches_hold_every_row_once_within_the_limit(
    lengths: list[int], limit: int, seed: int
) -> None:
    rows = encoded(lengths)
    found = [batch(step) for step in steps(rows, limit, seed)]
    assert sorted(row for one in found for row in id_rows(one)) == sorted(r.ids for r in rows)
    by_ids = {row.ids: row for row in rows}
    for one in found:
        assert one.ids.numel() <= limit or len(one.ids) == 1
        assert one.tokens == sum(len(row) for row in id_rows(one))
        wanted = [
            (place, column - 1, ids[column])
            for place, ids in enumerate(id_rows(one))
            for start, end in by_ids[ids].said
            for column in range(start, end)
        ]
        assert [*zip(one.rows.tolist(), one.columns.tolist(), one.targets.tolist(),
                     strict=True)] == wanted  # fmt: skip


@given(
    st.lists(st.integers(2, 60), min_size=1, max_size=20), st.integers(0, 100), st.integers(1, 4)
)
def test_processes_and_micro_batches_share_a_step_without_loss(
    lengths: list[int], most: int, ranks: int
) -> None:
    step = encoded(lengths)
    found = [micro_batches(step, most, rank, ranks) for rank in range(ranks)]
    assert len({len(of_rank) for of_rank in found}) == 1
    flat = [one for of_rank in found for one in of_rank]
    rows = [row for one in flat for row in id_rows(one) if row]
    assert sorted(rows) == sorted(row.ids for row in step)
    assert sum(float(one.weights.sum()) for one in flat) == supervised(step)
    for one in flat:
        assert not most or one.ids.numel() <= most or len(one.ids) == 1


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(2, 30))
def test_a_split_row_teaches_each_token_once_after_half_a_window(
    turns: list[int], longest: int
) -> None:
    talk_: list[Message] = []
    for number, words in enumerate(turns):
        talk_ += [Message("user", f"Verse {number}?"), Message("assistant", "la " * words + "end")]
    (whole,) = encode(TOKENS, [(talk_, 1.0)], 10**6)
    parts = encode(TOKENS, [(talk_, 1.0)], longest, "split")
    assert all(len(part.ids) <= longest for part in parts)
    taught = [n for part in parts for start, end in part.said for n in part.ids[start:end]]
    assert taught == [n for start, end in whole.said for n in whole.ids[start:end]]
    for part in parts[1:]:
        assert part.said[0][0] >= min(longest // 2, 1)


def test_a_row_too_long_is_refused_by_name_where_the_recipe_wants_it() -> None:
    long = talk("Recite the whole ballad of the river.", "verse " * 50)
    with pytest.raises(
        TrainError, match=r"hills row 1 \('Recite the whole ballad.* has \d+ tokens"
    ):
        encode(TOKENS, [(long, 1.0)], 40, "refuse", "hills")


def test_the_order_follows_from_the_seed() -> None:
    rows = encoded([3, 9, 4, 8, 5, 7, 6] * 3)

    def order(seed: int) -> list[list[tuple[int, ...]]]:
        return [id_rows(batch(step)) for step in steps(rows, 24, seed)]

    assert order(1) == order(1)
    assert order(1) != order(2)


@given(TEXT)
def test_any_text_is_encoded_and_comes_back(text: str) -> None:
    ids = TOKENS(text, add_special_tokens=False)["input_ids"]
    assert TOKENS.decode(ids, clean_up_tokenization_spaces=False) == text


def test_the_tokenizer_keeps_its_size_its_marks_and_digits_apart() -> None:
    found: PreTrainedTokenizerFast = tokenizer(["1914 1918 " * 50 + "river " * 50])
    assert len(found) <= 400
    assert [found.convert_tokens_to_ids(mark) for mark in SPECIAL] == list(range(len(SPECIAL)))
    assert (found.pad_token, found.eos_token) == ("<|pad|>", "<|end|>")
    assert found.tokenize("1914") == ["1", "9", "1", "4"]
