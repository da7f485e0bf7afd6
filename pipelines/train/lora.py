"""peft's LoRA layers with their arithmetic fused: the same sums in half the passes over memory.

In: a model that peft wrapped. Out: the same model, whose plain linear layers compute
``x W' + b + s (x A') B'`` as one function with a backward of its own. peft writes each of its products to
memory, scales it, adds it, and does so in float32 where its adapters are; here the adapter's product is
added while it is computed (``addmm``) in the base's own precision. Weights, gradients and what is saved
stay peft's: float32 adapters beside a base in bfloat16, for instance.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import Linear
from torch.nn import functional

Tensor = torch.Tensor


class Adapted(torch.autograd.Function):
    """``x`` (…, in) → (…, out). ``dropped`` is ``x`` after dropout, or ``x`` itself; ``weight`` (out, in),
    ``a`` (r, in) and ``b`` (out, r)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        dropped: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        a: Tensor,
        b: Tensor,
        scaling: float,
    ) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        read = flat if dropped is None else dropped.reshape(flat.shape)
        narrow, wide = a.to(x.dtype), (b * scaling).to(x.dtype)
        inner = read @ narrow.T
        result = functional.linear(flat, weight, bias).addmm_(inner, wide.T)
        ctx.save_for_backward(read, weight, narrow, wide, inner)
        ctx.scaling, ctx.dtype = scaling, a.dtype
        return result.view(*x.shape[:-1], len(weight))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        read, weight, narrow, wide, inner = ctx.saved_tensors
        (grad,) = grads
        shape = (*grad.shape[:-1], weight.shape[1])
        grad = grad.reshape(-1, grad.shape[-1])
        back = grad @ wide
        of_b = (grad.T @ inner).to(ctx.dtype) * ctx.scaling
        of_a = (back.T @ read).to(ctx.dtype)
        of_x = of_dropped = None
        if ctx.needs_input_grad[0]:
            of_x = grad @ weight
            if not ctx.needs_input_grad[1]:
                of_x.addmm_(back, narrow)
            of_x = of_x.view(shape)
        if ctx.needs_input_grad[1]:
            of_dropped = (back @ narrow).view(shape)
        return of_x, of_dropped, None, None, of_a, of_b, None


class Fused(Linear):
    """peft's linear layer, whose one adapter is computed by ``Adapted``."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        (name,) = self.active_adapters
        base, dropout = self.base_layer, self.lora_dropout[name]
        dropped = dropout(x) if self.training and isinstance(dropout, torch.nn.Dropout) else None
        a, b = self.lora_A[name].weight, self.lora_B[name].weight
        out: Tensor = Adapted.apply(  # type: ignore[no-untyped-call]
            x, dropped, base.weight, base.bias, a, b, self.scaling[name]
        )
        return out


def fuse(model: PeftModel) -> int:
    """Fuse every layer that can be; the others, quantised ones for instance, go on as peft has them.
    Returns how many were fused."""
    found = [module for module in model.modules() if _plain(module)]
    for layer in found:
        layer.__class__ = Fused
    return len(found)


def _plain(module: torch.nn.Module) -> bool:
    """A linear layer with one adapter and nothing on top (DoRA and the like are variants)."""
    return (
        type(module) is Linear
        and type(module.base_layer) is torch.nn.Linear
        and not module.fan_in_fan_out
        and not module.merged
        and not module.lora_variant
        and list(module.lora_A) == list(module.active_adapters)
        and len(module.active_adapters) == 1
        and module.lora_B[module.active_adapters[0]].bias is None
    )
