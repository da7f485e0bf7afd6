"""Normalising, tokens and near duplicates, in several scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import text


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("  The  CAPITAL,\nof France? ", "the capital of france"),
        ("Don\u2019t and don't", "dont and dont"),
        ("Straße", "strasse"),
        ("ﬁne ２０２４", "fine 2024"),
        ("नमस्ते, दुनिया!", "नमस्ते दुनिया"),
        ("ما هي العاصمة؟", "ما هي العاصمة"),
        ("法国的首都，是哪里？", "法国的首都 是哪里"),
        ("3+4=7 and 5€", "3 + 4 = 7 and 5 €"),
        ("co\u00adoperate", "cooperate"),
        ("?!…", ""),
    ],
)
def test_normalise(raw: str, normal: str) -> None:
    assert text.normalise(raw) == normal


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Two words.", ["two", "words"]),
        ("日本語 OK", ["日", "本", "語", "ok"]),
        ("ดี มาก", ["ดี", "ม", "า", "ก"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("C++", ["c", "+", "+"]),
        ("", []),
    ],
)
def test_tokens(raw: str, expected: list[str]) -> None:
    assert text.tokens(raw) == expected


def test_count_words_halves_characters_without_spaces() -> None:
    assert text.count_words("three plain words") == 3
    assert text.count_words("法国首都 Paris") == 3


def test_ngrams() -> None:
    assert text.ngrams(["a", "b", "c"], 2) == {("a", "b"), ("b", "c")}
    assert text.ngrams(["a", "b"], 3) == {("a", "b")}
    assert text.ngrams([], 3) == set()


CLOSE = [
    ("What is the capital of France?", "what is the CAPITAL of france"),
    ("What is the capital of France?", "What’s the capital of France?"),
    ("What is the capital of France?", "Tell me, what is the capital of France?"),
    ("What colour is the old bridge?", "What color is the old bridge?"),
    ("法国的首都是哪里？", "法国的首都是哪里"),
    ("In which year did the abbey burn?", "The abbey did burn in which year?"),
]
APART = [
    ("What is the capital of France?", "What is the capital of Greece?"),
    ("Why did the war of 1914 begin?", "Why did the war of 1918 begin?"),
    ("Who built the bridge?", "When did the bridge fall?"),
    ("How many sheep are on the island?", "How many goats are on the island?"),
    ("How high is it?", "How high is it above the level of the sea at the lowest spring tide?"),
    ("法国的首都是哪里？", "法国的人口有多少？"),
    ("Is it so?", ""),
]


@pytest.mark.parametrize(("a", "b"), CLOSE)
def test_near_duplicates_are_too_close(a: str, b: str) -> None:
    assert text.too_close(a, b)
    assert text.too_close(b, a)


@pytest.mark.parametrize(("a", "b"), APART)
def test_other_questions_are_not(a: str, b: str) -> None:
    assert not text.too_close(a, b)
    assert not text.too_close(b, a)


def test_punctuation_alone_is_compared_as_it_is() -> None:
    assert text.similarity("?!", "?!") == 1
    assert text.similarity("?!", "...") == 0


def test_similarity_of_a_small_edit_is_high_and_of_another_text_low() -> None:
    context = "The lighthouse of Quillon was carved from oak and is kept in the museum."
    assert text.similarity(context, context.replace("oak", "ash wood")) > 0.8
    assert text.similarity(context, "Bees dance to tell the hive where flowers are.") < 0.6


@given(st.text())
def test_normalising_twice_changes_nothing(raw: str) -> None:
    once = text.normalise(raw)
    assert text.normalise(once) == once
    assert once == " ".join(once.split())


@given(st.text(), st.text())
def test_similarity_is_symmetric_and_within_bounds(a: str, b: str) -> None:
    assert 0 <= text.similarity(a, b) <= 1
    assert text.similarity(a, b) == pytest.approx(text.similarity(b, a))
    assert text.similarity(a, a) == 1
    assert text.too_close(a, b) == text.too_close(b, a)


@given(st.text())
def test_tokens_lose_nothing(raw: str) -> None:
    assert "".join(text.tokens(raw)) == text.normalise(raw).replace(" ", "")


@pytest.mark.parametrize(
    ("told", "tokens"),
    [
        # What the tokenizers of Qwen, Mistral 7B (32,000 entries) and Mistral's Tekken make of it,
        # the largest count of the three.
        ("Приливы и отливы возникают из-за притяжения Луны и Солнца, действующего на водные массы "
         "Земли, причём форма берега играет большую роль.", 54),
        ("潮汐是由月球和太阳对地球水体的引力作用而产生的，海岸的形状也起着重要的作用。", 45),
        ("潮汐は月と太陽の引力が地球の海水に作用することによって生じ、海岸の形状も大きな役割を果たす。", 55),
        ("น้ำขึ้นน้ำลงเกิดจากแรงดึงดูดของดวงจันทร์และดวงอาทิตย์ที่กระทำต่อน้ำบนพื้นโลก", 77),
    ],
)  # fmt: skip
def test_estimated_tokens_are_rather_too_many(told: str, tokens: int) -> None:
    assert tokens <= text.estimate_tokens(told) <= 1.5 * tokens


def test_an_estimate_needs_no_spaces_and_grows_with_the_text() -> None:
    assert text.estimate_tokens("") == 0
    for one in ("word ", "潮", "น้ำ", "د", "ы", "7", "🌊", "e\u0301", "\n"):
        assert text.estimate_tokens(one) >= 1
        assert text.estimate_tokens(one * 1000) >= 500


def test_a_strangers_text_steers_no_terminal() -> None:
    told = "leaf\x1b[2J\r \u202ex\u2028 Škoda\u00a0潮\n\tend"
    shown = r"leaf\x1b[2J\r \u202ex\u2028 Škoda" + "\u00a0潮"
    assert text.visible(told) == shown + r"\n\tend"
    assert text.visible(told, keep="\n\t") == shown + "\n\tend"
