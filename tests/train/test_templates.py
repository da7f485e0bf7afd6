"""Chat templates in the shapes that models bring: what each lets an assistant say, and nothing more."""

from __future__ import annotations

import pytest

from pipelines.errors import TrainError
from pipelines.records import Message
from pipelines.train.data import encode
from tests.train.support import tokenizer

# The shapes, in our own words: ChatML with a system turn of its own; headers with a begin mark and
# trimmed texts; turns named user and model; brackets without roles; a prompt that opens a thought;
# thoughts that earlier turns lose; one that marks what is generated.
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HEADERS = (
    "<|begin|>{% for m in messages %}<|head|>{{ m['role'] }}<|/head|>\n\n{{ m['content'] | trim }}"
    "<|eot|>{% endfor %}{% if add_generation_prompt %}<|head|>assistant<|/head|>\n\n{% endif %}"
)
MODEL = (
    "<bos>{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system turn') }}"
    "{% endif %}<turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] }}"
    "</turn>\n{% endfor %}{% if add_generation_prompt %}<turn>model\n{% endif %}"
)
BRACKETS = (
    "<s>{% for m in messages %}{% if m['role'] == 'assistant' %} {{ m['content'] }}</s>"
    "{% else %}[INST] {{ m['content'] }} [/INST]{% endif %}{% endfor %}"
)
THINKING = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant><think>\n{% endif %}"
)
FORGETTING = (
    "{% for m in messages %}<{{ m['role'] }}>"
    "{% if m['role'] == 'assistant' and loop.last %}<think></think>{% endif %}"
    "{{ m['content'] }}<end>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
MARKED = (
    "{% for m in messages %}<{{ m['role'] }}>{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }}<end>{% endgeneration %}"
    "{% else %}{{ m['content'] }}<end>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
TALK = (
    Message("user", "First?"), Message("assistant", "One."),
    Message("user", "Second?"), Message("assistant", "Two."),
)  # fmt: skip


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (CHATML, ["One.<|im_end|>\n", "Two.<|im_end|>\n"]),
        (HEADERS, ["One.<|eot|>", "Two.<|eot|>"]),
        (MODEL, ["One.</turn>\n", "Two.</turn>\n"]),
        (BRACKETS, [" One.</s>", " Two.</s>"]),
        (THINKING, ["Two.<end>"]),
        (FORGETTING, ["<think></think>Two.<end>"]),
        (MARKED, ["One.<end>", "Two.<end>"]),
    ],
    ids=["chatml", "headers", "model", "brackets", "thinking", "forgetting", "marked"],
)
def test_what_an_assistant_says_is_supervised(template: str, said: list[str]) -> None:
    tokens = tokenizer()
    tokens.chat_template = template
    (row,) = encode(tokens, [(TALK, 1.0)], 10**6)
    found = [
        tokens.decode([*row.ids[start:end]], clean_up_tokenization_spaces=False)
        for start, end in row.said
    ]
    assert found == said


def test_a_role_that_a_template_refuses_is_one_sentence() -> None:
    tokens = tokenizer()
    tokens.chat_template = MODEL
    with pytest.raises(TrainError, match="chat template refuses a conversation: no system turn"):
        encode(tokens, [((Message("system", "Be brief."), *TALK), 1.0)], 10**6)
