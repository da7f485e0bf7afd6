"""Liger's kernels: what is done around them; they themselves run on CUDA alone (`make test-gpu`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers.models.llama import modeling_llama
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from pipelines.train.base import with_adapter
from pipelines.train.kernels import _as_one_row, _failure, kernels
from pipelines.train.world import ALONE
from tests.train.support import recipe

CUDA, CPU = torch.device("cuda"), torch.device("cpu")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, bool]]:
    """What Liger was told; it does to transformers' module what Liger 0.8 does."""
    told: list[Mapping[str, bool]] = []

    def apply(model: object, settings: Mapping[str, bool]) -> None:
        told.append(settings)
        for name in ("apply_rotary_pos_emb", "LlamaRMSNorm", "LlamaMLP"):
            setattr(modeling_llama, name, None)

    monkeypatch.setattr("pipelines.train.kernels.apply_liger_kernel", apply)
    monkeypatch.setattr("pipelines.train.kernels.is_liger_kernel_available", lambda: True)
    monkeypatch.setattr("pipelines.train.kernels._failure", lambda device: "")
    return told


@pytest.fixture
def model(base: Path) -> PeftModel:
    return with_adapter(base, None, recipe(), ALONE)


@pytest.mark.parametrize("act", ["silu", "gelu"])
def test_what_liger_puts_into_transformers_is_gone_after_a_training_that_fails(
    model: PeftModel, given: list[Mapping[str, bool]], act: str
) -> None:
    config: Any = model.get_base_model().config
    config.hidden_act = act
    before = dict(vars(modeling_llama))
    inside: list[object] = []
    told: list[str] = []

    def training() -> None:
        with kernels(model, CUDA, told.append):
            inside.append(modeling_llama.LlamaRMSNorm)
            raise KeyError

    with pytest.raises(KeyError):
        training()
    assert (inside, told) == ([None], [])
    assert dict(vars(modeling_llama)) == before
    assert given == [
        {"cross_entropy": False, "fused_linear_cross_entropy": False, "swiglu": act == "silu"}
    ]


def test_a_cpu_and_an_architecture_with_a_loss_of_its_own_have_no_kernels(
    model: PeftModel, given: list[Mapping[str, bool]]
) -> None:
    told: list[str] = []
    with kernels(model, CPU, told.append):
        pass
    config: Any = model.get_base_model().config
    config.model_type = "gemma2"
    with kernels(model, CUDA, told.append):
        pass
    assert given == []
    assert told == []


def test_where_they_cannot_run_a_training_goes_on_without_them(
    model: PeftModel, given: list[Mapping[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.train.kernels._failure", _failure)
    monkeypatch.setitem(sys.modules, "liger_kernel", None)
    told: list[str] = []
    with kernels(model, CUDA, told.append):
        pass
    assert given == []
    assert len(told) == 1
    assert told[0].startswith("train: goes on without Liger's kernels, which cannot run here: ")
    assert "liger_kernel" in told[0]


@pytest.mark.parametrize("positions", [1, 3], ids=["the same for all", "of each row"])
def test_rows_are_turned_alike_one_by_one_and_as_one(positions: int) -> None:
    rows, length, width = 3, 5, 8
    torch.manual_seed(0)
    q, k = (torch.randn(rows, length, heads, width).transpose(1, 2) for heads in (4, 2))
    cos, sin = torch.randn(2, positions, length, width)
    wanted = apply_rotary_pos_emb(q, k, cos, sin)
    found = _as_one_row(apply_rotary_pos_emb)(q, k, cos, sin)
    for mine, theirs in zip(found, wanted, strict=True):
        assert mine.shape == theirs.shape
        assert torch.equal(mine, theirs)
