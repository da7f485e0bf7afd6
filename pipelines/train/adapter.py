"""A LoRA adapter for one change: a new one on a base, or an earlier one continued.

In: conversations by content hash, those that are new and those to replay; a recipe. Out, in the stage
directory: the adapter as peft saves it and ``training.json`` (rows, tokens, loss, rows seen by content
hash).
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from pipelines.errors import TrainError
from pipelines.recipe import Recipe
from pipelines.train.data import Conversations, Encoded, batches, encode
from pipelines.train.loop import Say, deterministic, tell_left_out, train, write_record
from pipelines.train.replay import replay, shares

# What a recipe's `targets` mean to peft; the names are those of Llama-like architectures.
TARGETS: dict[str, str | list[str]] = {
    "all": "all-linear",
    "mlp": ["gate_proj", "up_proj", "down_proj"],
}


def adapt(
    base: Path,
    adapter: Path | None,
    new: Conversations,
    old: Conversations,
    corrected: Collection[str],
    recipe: Recipe,
    out: Path,
    say: Say,
) -> dict[str, int]:
    """Continue ``adapter`` (or a new one on ``base``) with the rows of ``new``, replaying ``old``.

    ``corrected`` are the content hashes of ``new`` whose rows weigh more, because the weights have
    seen another answer. A few rows at the full rate would unlearn the rest of their leaf: what of it
    is unchanged stands in ``old`` under the same hash and is replayed at a share of its own, and the
    rate falls with the corrected rows' part of the tokens. Returns rows seen of each content hash,
    replay included.
    """
    deterministic(recipe)
    # peft reads an attribute that transformers renamed; nothing that a user could do about it.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    torch.manual_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = _with_adapter(base, adapter, recipe)
    encoded = _encoded(tokenizer, new, corrected, recipe, say)
    tokens = {h: sum(len(row.ids) for row in found) for h, found in encoded.items()}
    seen = {content_hash: len(found) for content_hash, found in encoded.items()}
    portions = shares(old, tokens, corrected, recipe)
    fresh = [row for found in encoded.values() for row in found]
    epochs = [
        [*fresh, *replay(old, portions, epoch, tokenizer, recipe, seen)]
        for epoch in range(recipe.train.epochs)
    ]
    total = sum(len(row.ids) for epoch in epochs for row in epoch)
    steps = (
        batch
        for number, epoch in enumerate(epochs)
        for batch in batches(epoch, recipe.train.tokens_per_step, recipe.seed + number)
    )
    part = sum(tokens.get(h, 0) for h in corrected) / sum(tokens.values())
    newness = _newness(fresh, epochs[0][len(fresh) :], model.get_input_embeddings().weight.shape[0])
    optimizer = _adapter_optimizer(
        model, recipe, 1 - part * (1 - recipe.train.corrected_rate), newness
    )
    moving = {name: p for name, p in model.named_parameters() if p.requires_grad}
    start = {name: p.detach().clone() for name, p in moving.items()}
    loss = train(model, [optimizer], steps, total, say)
    with torch.no_grad():
        for name, parameter in moving.items():
            parameter.lerp_(start[name], 1 - recipe.train.interpolation)
    _save(model, recipe.student.id, out)
    write_record(out, {"rows": len(fresh), "tokens": total, "loss": round(loss, 4), "seen": seen})
    return seen


def _encoded(
    tokenizer: PreTrainedTokenizerBase,
    new: Conversations,
    corrected: Collection[str],
    recipe: Recipe,
    say: Say,
) -> dict[str, list[Encoded]]:
    """The new rows that the student can hold; ``TrainError`` where there is none."""
    weights = dict.fromkeys(corrected, recipe.train.corrected_weight)
    found = {}
    for content_hash in sorted(new):
        rows = [(row, weights.get(content_hash, 1.0)) for row in new[content_hash]]
        found[content_hash] = encode(tokenizer, rows, recipe.student.positions)
    kept = sum(map(len, found.values()))
    if not kept:
        raise TrainError(
            "There is no row to train on: the changed leaves gave none, or none that fits the student's "
            f"{recipe.student.positions} tokens."
        )
    tell_left_out(sum(map(len, new.values())) - kept, recipe, say)
    return found


def _newness(new: Sequence[Encoded], old: Sequence[Encoded], vocabulary: int) -> torch.Tensor:
    """How much of each token's use is new, 0..1, shape (vocabulary, 1): f ÷ (f + g), where f and g are
    its shares of the tokens of ``new`` and of ``old`` rows."""

    def shares(rows: Sequence[Encoded]) -> torch.Tensor:
        ids = [token for row in rows for token in row.ids]
        counts = torch.bincount(torch.tensor(ids, dtype=torch.long), minlength=vocabulary)
        return counts / max(1, len(ids))

    f, g = shares(new), shares(old)
    return torch.nan_to_num(f / (f + g)).unsqueeze(1)


def _adapter_optimizer(
    model: PeftModel, recipe: Recipe, factor: float, newness: torch.Tensor
) -> torch.optim.Optimizer:
    """AdamW, both rates times ``factor``; embeddings at one of their own, each token's by its newness.

    All answers pass the embeddings, and Adam moves a row as far for one gradient as for a thousand:
    held back where old leaves use a token, they forget less (ADR 0011).
    """
    inner: list[torch.nn.Parameter] = []
    embeddings: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (embeddings if "modules_to_save" in name else inner).append(parameter)
    groups: list[dict[str, Any]] = [{"params": inner, "lr": factor * recipe.train.rate}]
    if embeddings:
        groups.append({"params": embeddings, "lr": factor * recipe.train.embedding_rate})
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
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


def _with_adapter(base: Path, adapter: Path | None, recipe: Recipe) -> PeftModel:
    try:
        model = AutoModelForCausalLM.from_pretrained(
            base, dtype=torch.float32, use_safetensors=True
        )
        if adapter is not None:
            return PeftModel.from_pretrained(model, adapter, is_trainable=True)
    except (OSError, ValueError) as error:
        raise TrainError(f"The weights in {adapter or base} cannot be loaded: {error}.") from error
    embeddings = recipe.train.train_embeddings
    config = LoraConfig(
        r=recipe.train.rank,
        lora_alpha=recipe.train.alpha,
        lora_dropout=recipe.train.dropout,
        target_modules=TARGETS[recipe.train.targets],
        modules_to_save=["embed_tokens"] if embeddings else None,
        ensure_weight_tying=embeddings,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def _save(model: PeftModel, base_id: str, out: Path) -> None:
    config = model.peft_config["default"]
    assert isinstance(config, LoraConfig)
    config.base_model_name_or_path = base_id
    # peft writes a set in its hash order, which differs between processes.
    config.target_modules = sorted(config.target_modules or ())
    # Embeddings that were trained are in modules_to_save; "auto" would ask the Hub about the base.
    model.save_pretrained(str(out), save_embedding_layers=False)
    (out / "README.md").unlink(missing_ok=True)  # peft's empty card: a release writes its own
