"""The optimizers: Muon and AdamW for a fresh student, AdamW with embeddings by newness for an adapter.

Muon (Jordan et al., 2024: momentum made orthogonal by Newton–Schulz steps) trains the matrices of a
fresh student about twice as fast as AdamW; in float32, because bfloat16 is emulated on many CPUs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from pipelines.recipe import Train
from pipelines.train.data import Encoded


def _adamw(groups: Sequence[dict[str, Any]], **settings: Any) -> torch.optim.Optimizer:
    """On a CPU in one pass over memory instead of a dozen, where the weights are not shards."""
    weights = [weight for group in groups for weight in group["params"]]
    fused = all(type(one) is torch.nn.Parameter and one.device.type == "cpu" for one in weights)
    return torch.optim.AdamW(groups, fused=fused or None, **settings)


# Adafactor (Shazeer and Stern, 1804.04235) keeps sums of rows and columns where Adam keeps two moments.
KINDS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": _adamw,
    "adafactor": torch.optim.Adafactor,
}


class Muon(torch.optim.Optimizer):
    """Momentum 0.95 with Nesterov's look-ahead, then five Newton–Schulz steps, for (m, n) matrices.

    Matrices of one shape are stacked, so that a layer count costs few kernel launches.
    """

    def __init__(self, matrices: Sequence[torch.nn.Parameter], lr: float) -> None:
        super().__init__(list(matrices), {"lr": lr})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for matrix in group["params"]:
                if matrix.grad is not None:
                    by_shape.setdefault(matrix.shape, []).append(matrix)
            for shape, matrices in by_shape.items():
                moved = []
                for matrix in matrices:
                    assert matrix.grad is not None
                    state = self.state[matrix]
                    momentum = state.setdefault("momentum", torch.zeros_like(matrix))
                    momentum.lerp_(matrix.grad, 0.05)
                    moved.append(matrix.grad.lerp(momentum, 0.95))
                scale = group["lr"] * math.sqrt(max(1.0, shape[0] / shape[1]))
                for matrix, update in zip(matrices, _orthogonal(torch.stack(moved)), strict=True):
                    matrix.add_(update, alpha=-scale)


def _orthogonal(stack: torch.Tensor) -> torch.Tensor:
    """Each (m, n) matrix of ``stack`` (k, m, n) with its singular values brought near one."""
    tall = stack.shape[-2] > stack.shape[-1]
    x = stack.mT if tall else stack
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return torch.Tensor(x.mT if tall else x)


def scratch_optimizers(
    model: PreTrainedModel, matrix_rate: float, rate: float
) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for embeddings and norms."""
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        inner = parameter.ndim == 2 and "embed" not in name and "lm_head" not in name
        (matrices if inner else others).append(parameter)
    return [Muon(matrices, matrix_rate), _adamw([{"params": others}], lr=rate, weight_decay=0.0)]


def newness(new: Sequence[Encoded], old: Sequence[Encoded], vocabulary: int) -> torch.Tensor:
    """How much of each token's use is new, 0..1, shape (vocabulary, 1): f ÷ (f + g), where f and g are
    its shares of the tokens of ``new`` and of ``old`` rows."""

    def shares(rows: Sequence[Encoded]) -> torch.Tensor:
        ids = [token for row in rows for token in row.ids]
        counts = torch.bincount(torch.tensor(ids, dtype=torch.long), minlength=vocabulary)
        return counts / max(1, len(ids))

    f, g = shares(new), shares(old)
    return torch.nan_to_num(f / (f + g)).unsqueeze(1)


def adapter_optimizer(
    parameters: Mapping[str, torch.nn.Parameter],
    settings: Train,
    factor: float,
    newness: torch.Tensor,
) -> torch.optim.Optimizer:
    """AdamW, both rates times ``factor``; embeddings at one of their own, each token's by its newness.

    All answers pass the embeddings, and Adam moves a row as far for one gradient as for a thousand:
    held back where old leaves use a token, they forget less (ADR 0011).
    """
    inner: list[torch.nn.Parameter] = []
    embeddings: list[torch.nn.Parameter] = []
    for name, parameter in parameters.items():
        (embeddings if "modules_to_save" in name else inner).append(parameter)
    groups: list[dict[str, Any]] = [{"params": inner, "lr": factor * settings.rate}]
    if embeddings:
        groups.append({"params": embeddings, "lr": factor * settings.embedding_rate})
    optimizer = KINDS[settings.optimizer](groups, weight_decay=0.0)
    if not embeddings:
        return optimizer
    newness = newness.to(embeddings[0].device)
    before: list[torch.Tensor] = []

    def note(*_: object) -> None:
        before[:] = [parameter.detach().clone() for parameter in embeddings]

    @torch.no_grad()
    def hold(*_: object) -> None:
        for parameter, earlier in zip(embeddings, before, strict=True):
            parameter.lerp_(earlier, 1 - newness)

    optimizer.register_step_pre_hook(note)
    optimizer.register_step_post_hook(hold)
    return optimizer
