"""transformers' ``generate``, a prompt at a time, as an example in its documentation would: what our batched
answers are held against, for their words in the tests and for their speed in ``benchmarks/evaluate.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.backends.local import Student


def one_by_one(student: Student, prompts: Sequence[str]) -> list[str]:
    """A greedy answer a prompt, of ``student.new_tokens`` tokens at most."""
    import torch

    found = []
    for prompt in prompts:
        ids = student.tokenizer(
            student._asked(prompt), return_tensors="pt", add_special_tokens=False
        )
        with torch.inference_mode():
            out = student.model.generate(
                input_ids=ids["input_ids"], attention_mask=ids["attention_mask"], do_sample=False,
                max_new_tokens=student.new_tokens, pad_token_id=student.tokenizer.pad_token_id,
            )  # fmt: skip
        said = out[0, ids["input_ids"].shape[1] :]
        found.append(student.tokenizer.decode(said, skip_special_tokens=True).strip())
    return found
