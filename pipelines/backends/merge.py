"""A base and its adapter as one model, which any server loads without knowing of adapters.

In: folders as ``save_pretrained`` writes them. Out: the same, safetensors, tokenizer and chat template.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import BackendError


def merge(base: Path, adapter: Path | None, out: Path) -> None:
    """Write ``base`` with ``adapter`` folded into its weights to ``out``, in the base's own precision.

    The sum is taken in 32 bits and rounded once. ``BackendError`` where either cannot be loaded.
    """
    from peft import PeftModel
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
        kept = AutoConfig.from_pretrained(base).dtype
        model = AutoModelForCausalLM.from_pretrained(base, dtype="float32", use_safetensors=True)
        if adapter is not None:
            model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    except (OSError, ValueError) as error:
        raise BackendError(f"The student in {base} cannot be loaded: {error}.") from error
    model = model.to(kept) if kept is not None else model
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    for (
        path
    ) in out.iterdir():  # weights are written for their owner alone; a server is another user
        path.chmod(0o644)
