"""Rows → token ids → batches: what is supervised, and that nothing is lost or cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from pipelines.errors import TrainError
from pipelines.records import Message
from pipelines.train.data import Batch, Encoded, batches, encode
from pipelines.train.student import SPECIAL
from tests.train.support import talk, tokenizer

TOKENS = tokenizer()
# The chat template's own marks are no text that a person writes.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="<|"), min_size=1, max_size=40)


def encoded(lengths: list[int]) -> list[Encoded]:
    """Rows of these lengths, all their ids different, the second half of each supervised."""
    found, first = [], 5
    for length in lengths:
        found.append(Encoded(tuple(range(first, first + length)), length // 2 or 1, 1.0))
        first += length
    return found


def id_rows(batch: Batch) -> list[tuple[int, ...]]:
    return [tuple(n for n in row if n) for row in batch.ids.tolist()]


@given(TEXT, TEXT)
def test_exactly_the_assistant_s_tokens_are_supervised(question: str, answer: str) -> None:
    (row,) = encode(TOKENS, [(talk(question, answer), 1.0)], 10**6)
    decoded = TOKENS.decode([*row.ids[row.answer :]], clean_up_tokenization_spaces=False)
    assert decoded == f"{answer}<|end|>"
    prompt = TOKENS.decode([*row.ids[: row.answer]], clean_up_tokenization_spaces=False)
    assert prompt == f"<|user|>{question}<|end|><|assistant|>"
    (batch,) = batches([row], 10**6, 0)
    assert tuple(batch.targets.tolist()) == row.ids[row.answer :]
    assert batch.columns.tolist() == list(range(row.answer - 1, len(row.ids) - 1))


def test_earlier_turns_of_an_assistant_are_prompt_alone() -> None:
    turns = (
        Message("user", "First?"), Message("assistant", "One."),
        Message("user", "Second?"), Message("assistant", "Two."),
    )  # fmt: skip
    (row,) = encode(TOKENS, [(turns, 1.0)], 128)
    assert TOKENS.decode([*row.ids[row.answer :]]) == "Two.<|end|>"


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
    found = list(batches(rows, limit, seed))
    assert sorted(row for batch in found for row in id_rows(batch)) == sorted(r.ids for r in rows)
    by_ids = {row.ids: row for row in rows}
    for batch in found:
        assert batch.ids.numel() <= limit or len(batch.ids) == 1
        assert batch.tokens == sum(len(row) for row in id_rows(batch))
        wanted = [
            (place, column - 1, ids[column])
            for place, ids in enumerate(id_rows(batch))
            for column in range(by_ids[ids].answer, len(ids))
        ]
        assert [*zip(batch.rows.tolist(), batch.columns.tolist(), batch.targets.tolist(),
                     strict=True)] == wanted  # fmt: skip


def test_the_order_follows_from_the_seed() -> None:
    rows = encoded([3, 9, 4, 8, 5, 7, 6] * 3)

    def order(seed: int) -> list[list[tuple[int, ...]]]:
        return [id_rows(batch) for batch in batches(rows, 24, seed)]

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
