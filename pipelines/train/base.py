"""The student as it is loaded: a base from its folder, with a new adapter or an earlier one.

In: folders as ``save_pretrained`` writes them, safetensors only; the recipe. Out: a model on its device.
No code of a model's folder is run.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, PreTrainedModel

from pipelines.backends.local import weight_dtype
from pipelines.errors import TrainError
from pipelines.recipe import Recipe
from pipelines.train.lora import fuse
from pipelines.train.world import World, whole

# What a recipe's `targets` mean to peft; the names are those of Llama-like architectures.
TARGETS: dict[str, str | list[str]] = {
    "all": "all-linear",
    "mlp": ["gate_proj", "up_proj", "down_proj"],
}


def with_adapter(base: Path, adapter: Path | None, recipe: Recipe, world: World) -> PeftModel:
    """The base with ``adapter``, or with a new one that does nothing yet."""
    # peft reads an attribute that transformers renamed; nothing that a user could do about it.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    model = _base(base, recipe, world)
    if adapter is not None:
        try:
            found = PeftModel.from_pretrained(model, adapter, is_trainable=True)
        except (OSError, ValueError) as error:
            raise TrainError(f"The weights in {adapter} cannot be loaded: {error}.") from error
    else:
        found = get_peft_model(model, _config(recipe))
    # Only now: a new adapter is drawn on the CPU, so that every device begins with the same.
    found.to(world.device)
    fuse(found)
    every = recipe.hardware.gradient_checkpointing
    if every:
        model.activation_checkpointing_enable({"use_reentrant": False}, every)
        model.enable_input_require_grads()  # type: ignore[no-untyped-call]
    return found


def _base(base: Path, recipe: Recipe, world: World) -> PreTrainedModel:
    options: dict[str, Any] = {"dtype": weight_dtype(recipe.hardware.dtype, world.device)}
    if recipe.hardware.quantize == "4bit":
        options |= _quantized(options["dtype"], world)
    try:
        model = AutoModelForCausalLM.from_pretrained(base, use_safetensors=True, **options)
    except (OSError, ValueError) as error:
        raise TrainError(f"The weights in {base} cannot be loaded: {error}.") from error
    if recipe.hardware.quantize == "4bit":
        checkpointing = bool(recipe.hardware.gradient_checkpointing)
        return prepare_model_for_kbit_training(model, checkpointing)  # type: ignore[no-any-return,no-untyped-call]
    return model


def _quantized(dtype: torch.dtype, world: World) -> dict[str, Any]:
    import importlib.util

    from transformers import BitsAndBytesConfig

    if importlib.util.find_spec("bitsandbytes") is None:
        raise TrainError(
            "hardware.quantize is 4bit, which takes bitsandbytes: `pip install 'graft-taxonomy[cuda]'`, or "
            "let quantize be none."
        )
    config = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": config, "device_map": {"": world.device}}


def _config(recipe: Recipe) -> LoraConfig:
    embeddings = recipe.train.train_embeddings
    return LoraConfig(
        r=recipe.train.rank,
        lora_alpha=recipe.train.alpha,
        lora_dropout=recipe.train.dropout,
        target_modules=TARGETS[recipe.train.targets],
        modules_to_save=["embed_tokens"] if embeddings else None,
        ensure_weight_tying=embeddings,
        task_type="CAUSAL_LM",
    )


def save_adapter(
    model: PeftModel,
    parameters: Mapping[str, torch.nn.Parameter],
    recipe: Recipe,
    world: World,
    out: Path,
) -> None:
    """Write the adapter as peft does, the same bytes each time; shards are gathered from all processes."""
    state = {name: whole(p.detach()) for name, p in parameters.items()} if world.shard else None
    if not world.first:
        return
    config = model.peft_config["default"]
    assert isinstance(config, LoraConfig)
    config.base_model_name_or_path = recipe.student.id
    config.revision = recipe.student.revision or None
    # peft writes a set in its hash order, which differs between processes.
    config.target_modules = sorted(config.target_modules or ())
    # Embeddings that were trained are in modules_to_save; "auto" would ask the Hub about the base.
    model.save_pretrained(str(out), save_embedding_layers=False, state_dict=state)
    (out / "README.md").unlink(missing_ok=True)  # peft's empty card: a release writes its own
