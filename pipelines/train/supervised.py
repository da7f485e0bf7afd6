"""A student with its loss, one module that DDP and FSDP can wrap: logits where an assistant speaks only.

In: a ``Batch``. Out: the weighted sum of the cross-entropy of its targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from peft import PeftModel
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from pipelines.train.data import Batch, Encoded, batch

# Architectures whose logits are the head of the last state and nothing more, and whose layers' MLPs
# are plain functions of one position. Others go through their own forward.
PLAIN = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3"})
_POSITIONS = 4096  # logits held at once: at 150,000 tokens of vocabulary 2.5 GB


class Supervised(torch.nn.Module):
    """``model``, plain or with peft's adapter; ``layers`` are its decoder's."""

    def __init__(self, model: PreTrainedModel | PeftModel, checkpointing: bool = False) -> None:
        super().__init__()
        self.model = model
        inner: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self._parts = (inner, inner.get_decoder(), inner.get_output_embeddings())
        self._plain = inner.config.model_type in PLAIN
        self._narrow = self._plain and not checkpointing
        self._hooks: list[Any] = []

    @property
    def layers(self) -> list[torch.nn.Module]:
        return list(self._parts[1].layers)

    def forward(self, batch: Batch) -> torch.Tensor:
        """The summed loss, weighted; ``forget`` follows the backward pass."""
        inner, decoder, head = self._parts
        if not self._plain:
            logits = _own_logits(inner, batch)
            return _summed(lambda states: states, logits, batch)
        if self._narrow:
            self._hooks = _last_mlp_on_answers(decoder, batch)
        states = decoder(input_ids=batch.ids, use_cache=False).last_hidden_state
        return _summed(head, states[batch.rows, batch.columns], batch)

    def forget(self) -> None:
        """Take the hooks of the last forward pass away."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    @torch.no_grad()
    def not_finite(self, rows: Sequence[Encoded]) -> list[Encoded]:
        """The rows whose own loss is not finite."""
        device = next(self.parameters()).device
        found = []
        for row in rows:
            if not torch.isfinite(self(batch([row]).to(device))):
                found.append(row)
            self.forget()
        return found


def _own_logits(inner: Any, batch: Batch) -> torch.Tensor:
    """Of an architecture that scales or caps its logits: its own forward, at the columns needed."""
    columns, place = torch.unique(batch.columns, return_inverse=True)
    if not len(columns):
        columns = torch.zeros(1, dtype=torch.long, device=batch.ids.device)
    logits = inner(input_ids=batch.ids, use_cache=False, logits_to_keep=columns).logits
    found: torch.Tensor = logits[batch.rows, place]
    return found


def _summed(
    head: Callable[[torch.Tensor], torch.Tensor], states: torch.Tensor, batch: Batch
) -> torch.Tensor:
    """Summed loss of the states; of many, part by part, so that not all logits are held at once."""

    def part(some: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        each = functional.cross_entropy(head(some).float(), targets, reduction="none")
        return (each * weights).sum()

    if len(states) <= _POSITIONS:
        return part(states, batch.targets, batch.weights)
    parts = [torch.split(one, _POSITIONS) for one in (states, batch.targets, batch.weights)]
    losses = [checkpoint(part, *each, use_reentrant=False) for each in zip(*parts, strict=True)]
    return torch.stack(losses).sum()


def _last_mlp_on_answers(decoder: Any, batch: Batch) -> list[Any]:
    """The last layer's MLP sees only positions whose state is read: the loss is the same.

    Three tokens in four are a question's; with two layers that is a fifth of all multiplications.
    """

    def narrow(_: object, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return inputs[0][batch.rows, batch.columns].unsqueeze(0)

    def widen(_: object, inputs: object, output: torch.Tensor) -> torch.Tensor:
        whole = output.new_zeros((*batch.ids.shape, output.shape[-1]))
        return whole.index_put((batch.rows, batch.columns), output.squeeze(0))

    mlp = decoder.layers[-1].mlp
    return [mlp.register_forward_pre_hook(narrow), mlp.register_forward_hook(widen)]
