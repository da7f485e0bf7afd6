"""The arithmetic of memory and time, held against models that are really built."""

from __future__ import annotations

from dataclasses import replace

import pytest
from peft import get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from pipelines.errors import TrainError
from pipelines.recipe import Recipe, load_recipe
from pipelines.train.base import _config
from pipelines.train.cost import (
    made_shape,
    memory,
    must_fit,
    operations,
    shape_of,
    step_tokens,
    trained,
)
from tests.train.support import fresh, recipe

CONFIG = {
    "vocab_size": 500, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 80, "tie_word_embeddings": False,
}  # fmt: skip


def with_hardware(made: Recipe, **changes: object) -> Recipe:
    return replace(made, hardware=replace(made.hardware, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("targets", ["all", "mlp"])
def test_weights_are_counted_as_the_model_has_them(tied: bool, targets: str) -> None:
    config = {**CONFIG, "tie_word_embeddings": tied}
    model = LlamaForCausalLM(LlamaConfig(**config))
    matrices = sum(p.numel() for p in model.parameters() if p.ndim == 2)
    made = recipe()
    made = replace(made, train=replace(made.train, targets=targets, train_embeddings=False))
    shape = shape_of(config, "it")
    assert shape.parameters == matrices
    adapted = get_peft_model(model, _config(made))
    assert trained(shape, made) == sum(p.numel() for p in adapted.parameters() if p.requires_grad)


def test_a_student_made_here_has_the_shape_of_its_recipe() -> None:
    made = made_shape(replace(recipe(), student=replace(recipe().student, vocabulary=281)))
    student = fresh()
    assert made.parameters == sum(p.numel() for p in student.parameters() if p.ndim == 2)


def test_each_thing_to_turn_takes_less_memory() -> None:
    laptop = load_recipe("laptop")
    shape = shape_of({**CONFIG, "hidden_size": 960, "intermediate_size": 2560}, "it")

    def total(bytes_a_weight: int = 4, **changes: object) -> float:
        return memory(shape, with_hardware(laptop, **changes), bytes_a_weight).total

    plain = total()
    assert total(micro_tokens=512) < plain
    assert total(gradient_checkpointing=1) < total(gradient_checkpointing=2) < plain
    assert total(quantize="4bit") < plain
    assert total(2) < plain
    assert total(processes=2, parallel="fsdp") < total(processes=2)


def test_what_does_not_fit_is_refused_with_the_figures() -> None:
    found = memory(shape_of(CONFIG, "it"), load_recipe("laptop"), 4)
    must_fit(found, found.total, "it")
    with pytest.raises(
        TrainError, match=r"Training it takes about 0\.7 GB \(weights 0\.0, .* 0\.1 GB"
    ):
        must_fit(found, 1e8, "it")


def test_another_kind_of_model_is_one_sentence() -> None:
    with pytest.raises(
        TrainError, match=r"config\.json of it names no shape .*'num_attention_heads'"
    ):
        shape_of({"d_model": 512}, "it")


@pytest.mark.parametrize(
    ("tokens", "most"), [(0, 64), (9_000, 64), (20_000, 100), (80_000, 400), (10**9, 512)]
)
def test_a_step_grows_with_what_is_trained_between_its_limits(tokens: int, most: int) -> None:
    settings = replace(recipe().train, tokens_per_step=512, steps=200, step_least=64)
    assert step_tokens(settings, tokens) == most
    assert step_tokens(replace(settings, steps=0), tokens) == 512
    assert step_tokens(replace(settings, step_least=900), tokens) == 512


def test_operations_grow_with_tokens() -> None:
    shape = shape_of(CONFIG, "it")
    assert operations(shape, 2000) == 2 * operations(shape, 1000) > 4 * 1000 * shape.body
