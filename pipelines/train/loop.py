"""The training loop: one step a batch, loss on the assistant's tokens only, a rate that falls to nil.

Muon (Jordan et al., 2024: momentum made orthogonal by Newton–Schulz steps) trains the matrices of a
fresh student about twice as fast as AdamW; in float32, because bfloat16 is emulated on many CPUs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from pipelines.artifacts import pretty_json
from pipelines.errors import TrainError
from pipelines.recipe import Recipe
from pipelines.train.data import Batch

Say = Callable[[str], None]


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
    return [Muon(matrices, matrix_rate), torch.optim.AdamW(others, lr=rate, weight_decay=0.0)]


def train(
    model: PreTrainedModel | PeftModel,
    optimizers: Sequence[torch.optim.Optimizer],
    steps: Iterable[Batch],
    total_tokens: int,
    say: Say,
) -> float:
    """Run ``steps`` until ``total_tokens`` real tokens are seen; returns the mean loss of the last tenth.

    ``model`` may be plain or wrapped by peft. The rate warms up over 2 % of the tokens, then falls
    linearly. A loss that is not finite stops with ``TrainError``.
    """
    inner: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    head = inner.get_output_embeddings()
    peaks = [group["lr"] for opt in optimizers for group in opt.param_groups]
    trained = [p for opt in optimizers for group in opt.param_groups for p in group["params"]]
    seen, step, losses, shown = 0, 0, [], 0
    model.train()
    for batch in steps:
        if seen >= total_tokens:
            break
        share = seen / total_tokens
        _set_rates(optimizers, peaks, min(1.0, (share + 0.002) / 0.02) * max(0.02, 1.0 - share))
        with _last_mlp_on_answers(inner.model, batch):
            states = inner.model(input_ids=batch.ids, use_cache=False).last_hidden_state
        logits = head(states[batch.rows, batch.columns])
        each = functional.cross_entropy(logits, batch.targets, reduction="none")
        loss = (each * batch.weights).sum() / batch.weights.sum()
        if not torch.isfinite(loss):
            raise TrainError(f"The loss is {loss.item()} at step {step}: lower the recipe's rate.")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        seen += batch.tokens
        step += 1
        losses.append(loss.item())
        if seen * 20 // total_tokens > shown:
            shown = seen * 20 // total_tokens
            say(f"train: {min(100, shown * 5)} % · step {step} · loss {losses[-1]:.3f}")
    tail = losses[-max(1, len(losses) // 10) :]
    return sum(tail) / len(tail) if tail else float("nan")


@contextmanager
def _last_mlp_on_answers(decoder: Any, batch: Batch) -> Iterator[None]:
    """The last layer's MLP sees only positions whose state is read: the loss is the same.

    Three tokens in four are a question's; with two layers that is a fifth of all multiplications.
    """

    def narrow(_: object, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return inputs[0][batch.rows, batch.columns].unsqueeze(0)

    def widen(_: object, inputs: object, output: torch.Tensor) -> torch.Tensor:
        whole = output.new_zeros((*batch.ids.shape, output.shape[-1]))
        return whole.index_put((batch.rows, batch.columns), output.squeeze(0))

    mlp = decoder.layers[-1].mlp
    hooks = [mlp.register_forward_pre_hook(narrow), mlp.register_forward_hook(widen)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _set_rates(
    optimizers: Sequence[torch.optim.Optimizer], peaks: Sequence[float], factor: float
) -> None:
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    for group, peak in zip(groups, peaks, strict=True):
        group["lr"] = peak * factor


def deterministic(recipe: Recipe) -> None:
    """Fix the threads, so that a repeated run gives the same bits.

    The CPU kernels used here are deterministic for a fixed number of threads; PyTorch's own switch
    would also fill every fresh buffer, which costs more than the training.
    """
    torch.set_num_threads(recipe.threads)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def tell_left_out(rows: int, recipe: Recipe, say: Say) -> None:
    if rows:
        say(
            f"train: {rows} rows are left out, longer than the student's "
            f"{recipe.student.positions} tokens; a larger student.positions would take them"
        )


def write_record(out: Path, record: Mapping[str, object]) -> None:
    (out / "training.json").write_bytes(pretty_json(record))
