"""Small models of the Llama architecture on disk, with tokenizers of several kinds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.release.vocabulary import LLAMA3
from tests.train.support import rows

CHATML = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|im_start|>system\n"
    "Help.<|im_end|>\n{% endif %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ROPE3 = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
}  # fmt: skip


def like_llama3(folder: Path, dtype: torch.dtype = torch.float32, **shape: Any) -> Path:
    """Random weights with what the tiny student lacks: grouped heads, longer texts, untied embeddings."""
    bpe = Tokenizer(models.BPE(ignore_merges=True))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|begin|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator((turn.content for row in rows("river") for turn in row), trainer)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, bos_token="<|begin|>", eos_token="<|im_end|>"
    )
    tokenizer.chat_template = CHATML
    torch.manual_seed(5)
    sizes = {"hidden_size": 256, "intermediate_size": 512, **shape}
    config = LlamaConfig(
        vocab_size=420,  # more rows than tokens, as padded embeddings have
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        rope_parameters=ROPE3,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **sizes,
    )
    model = LlamaForCausalLM(config).to(dtype)  # type: ignore[arg-type]
    for parameter in model.parameters():  # spread wide, so that a wrong sum shows
        parameter.data.mul_(4)
    model.save_pretrained(folder, max_shard_size="300KB")
    tokenizer.save_pretrained(folder)
    return folder


def altered(folder: Path, file: str, **keys: Any) -> None:
    """Set keys of a JSON file."""
    data = json.loads((folder / file).read_bytes())
    (folder / file).write_text(json.dumps({**data, **keys}), encoding="utf-8")
