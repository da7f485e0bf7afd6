"""Fused LoRA layers beside peft's own: the same values and gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from pipelines.train.lora import Adapted, fuse
from tests.train.support import fresh


def adapted(dtype: torch.dtype = torch.float32, **settings: Any) -> PeftModel:
    """A student of seven layers to adapt in each of its blocks, with an adapter that does something."""
    torch.manual_seed(1)
    options = {"r": 4, "lora_alpha": 12, "target_modules": "all-linear", **settings}
    model = get_peft_model(fresh().to(dtype), LoraConfig(**options))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    return model


def passed(model: PeftModel) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits, and the gradients of a sum that weighs them."""
    ids = torch.arange(24).reshape(2, 12) % 300
    torch.manual_seed(5)
    logits = model(input_ids=ids).logits.float()
    (logits * torch.sin(torch.arange(logits.numel()).reshape(logits.shape))).sum().backward()
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return logits.detach(), found


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_fused_layers_give_what_pefts_give(dropout: float) -> None:
    mine, theirs = adapted(lora_dropout=dropout), adapted(lora_dropout=dropout)
    assert fuse(mine) == 7 * len(mine.get_base_model().model.layers)

    (logits, grads), (logits_of_peft, grads_of_peft) = passed(mine), passed(theirs)

    torch.testing.assert_close(logits, logits_of_peft, rtol=1e-5, atol=1e-5)
    assert grads.keys() == grads_of_peft.keys()
    for name, grad in grads.items():
        torch.testing.assert_close(grad, grads_of_peft[name], rtol=1e-4, atol=1e-4, msg=name)


def test_dropout_ends_where_training_does() -> None:
    mine, theirs = adapted(lora_dropout=0.5).eval(), adapted(lora_dropout=0.0).eval()
    fuse(mine)

    torch.testing.assert_close(passed(mine)[0], passed(theirs)[0], rtol=1e-5, atol=1e-5)


def test_the_gradient_is_that_of_finite_differences() -> None:
    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, dtype=torch.float64, requires_grad=True)

    torch.manual_seed(0)
    x, a, b, weight = draw(2, 3, 5), draw(2, 5), draw(4, 2), draw(4, 5).detach()

    def of(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> Any:
        return Adapted.apply(x, None, weight, None, a, b, 0.5)

    assert torch.autograd.gradcheck(of, (x, a, b))


def test_beside_a_base_in_bfloat16_adapters_stay_in_float32_and_errors_as_small_as_pefts() -> None:
    mine, theirs, truth = (adapted(torch.bfloat16) for _ in range(3))
    fuse(mine)
    truth.float()

    (_, grads), (_, of_peft), (_, true) = passed(mine), passed(theirs), passed(truth)

    assert {grad.dtype for grad in grads.values()} == {torch.float32}
    error, of_pefts = (
        sum(float((found[name] - grad).norm() / grad.norm()) for name, grad in true.items())
        for found in (grads, of_peft)
    )
    assert error < 1.3 * of_pefts
    assert error / len(true) < 0.1


def test_what_is_saved_is_pefts(tmp_path: Path) -> None:
    mine = adapted()
    before, _ = passed(mine)
    fuse(mine)
    mine.save_pretrained(str(tmp_path))

    again = PeftModel.from_pretrained(fresh(), tmp_path, is_trainable=True)

    torch.testing.assert_close(passed(again)[0], before, rtol=1e-5, atol=1e-5)


def test_variants_are_left_to_peft() -> None:
    assert fuse(adapted(use_dora=True)) == 0
