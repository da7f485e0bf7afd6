"""Liger's kernels (2410.10989) in a training on CUDA: one pass over memory for a norm, a rotation, SwiGLU.

In: a model that peft wrapped. Out: the same model, while it is trained. The loss stays ``Supervised``'s
own, which has logits where an assistant speaks only. Without liger-kernel, or where it cannot run, nothing
changes but speed and memory.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from peft import PeftModel
from transformers.integrations.liger import apply_liger_kernel
from transformers.utils.import_utils import is_liger_kernel_available

from pipelines.train.loop import Say
from pipelines.train.supervised import PLAIN

Tensor = torch.Tensor
Rotation = Callable[..., tuple[Tensor, Tensor]]


@contextlib.contextmanager
def kernels(model: PeftModel, device: torch.device, say: Say) -> Iterator[None]:
    """Give ``model`` the kernels that there are for it; models made later have transformers' own."""
    inner = model.get_base_model()
    config: Any = inner.config
    known = device.type == "cuda" and config.model_type in PLAIN
    if not known or not is_liger_kernel_available():
        yield
        return
    if failure := _failure(device):
        say(f"train: goes on without Liger's kernels, which cannot run here: {failure[:200]}")
        yield
        return
    module = vars(sys.modules[type(inner).__module__])  # Liger puts its own into it
    before = dict(module)
    wanted = {
        "cross_entropy": False,
        "fused_linear_cross_entropy": False,
        "swiglu": config.hidden_act == "silu",
    }
    try:
        apply_liger_kernel(model, wanted)  # type: ignore[no-untyped-call]
        module["apply_rotary_pos_emb"] = _as_one_row(module["apply_rotary_pos_emb"])
        yield
    finally:
        module.update(before)


def _failure(device: torch.device) -> str:
    """Why a small norm and a small rotation cannot be computed, or nothing.

    Triton compiles when a kernel is first called, and with a C compiler, which slim images lack.
    """
    logging.getLogger("liger_kernel").setLevel(logging.ERROR)  # it warns of other makers' devices
    try:
        from liger_kernel.transformers import LigerRMSNorm, liger_rotary_pos_emb

        with torch.no_grad():
            one = torch.ones(1, 1, 2, 64, device=device)
            LigerRMSNorm(64).to(device)(one)
            liger_rotary_pos_emb(one, one.clone(), one[0], one[0])
    except Exception as error:  # whatever a compiler may have to say
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ""


def _as_one_row(rotate: Rotation) -> Rotation:
    """``rotate`` for any number of rows (rows, heads, length, width): Liger 0.8 compiles its kernel anew for
    each, which takes longer than a step."""

    def rotated(q: Tensor, k: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
        rows, _, length, width = q.shape
        cos, sin = (one.expand(rows, -1, -1).flatten(0, 1).unsqueeze(0) for one in (cos, sin))
        q, k = (one.transpose(1, 2).flatten(0, 1).unsqueeze(0).transpose(1, 2) for one in (q, k))
        turned = rotate(q, k, cos, sin)
        q, k = (
            one.transpose(1, 2).reshape(rows, length, -1, width).transpose(1, 2) for one in turned
        )
        return q, k

    return rotated
