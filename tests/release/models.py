"""Small models of the architectures that GGUF is written for on disk, with tokenizers of several kinds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

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
    tokenizer = _tokenizer(LLAMA3, ignore_merges=True)
    config = LlamaConfig(
        **_shape(tokenizer, **shape), rope_parameters=ROPE3, tie_word_embeddings=False
    )
    return _saved(LlamaForCausalLM(config).to(dtype), tokenizer, folder)  # type: ignore[arg-type]


def like_qwen2(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Random weights of Qwen2's architecture: biases, tied embeddings, a tokenizer that composes letters."""
    tokenizer = _tokenizer(PRETOKENIZE_REGEX, normalizer=normalizers.NFC())
    rope = {"rope_type": "default", "rope_theta": 1e6}
    config = Qwen2Config(
        **_shape(tokenizer),
        rope_parameters=rope,
        tie_word_embeddings=True,
        use_sliding_window=False,
    )
    return _saved(Qwen2ForCausalLM(config).to(dtype), tokenizer, folder)  # type: ignore[arg-type]


def _tokenizer(pattern: str, normalizer: Any = None, **options: Any) -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE(**options))
    if normalizer is not None:
        bpe.normalizer = normalizer
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
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
    return tokenizer


def _shape(tokenizer: PreTrainedTokenizerFast, **shape: Any) -> dict[str, Any]:
    sizes = {"hidden_size": 256, "intermediate_size": 512, **shape}
    return {
        "vocab_size": 420,  # more rows than tokens, as padded embeddings have
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        **sizes,
    }


def _saved(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    """With weights that are spread wide, so that a wrong sum shows; in shards."""
    generator = torch.Generator().manual_seed(5)
    for name, parameter in model.named_parameters():
        if not name.endswith("norm.weight"):
            drawn = torch.empty(parameter.shape).normal_(0.0, 0.08, generator=generator)
            parameter.data.copy_(drawn)
    model.save_pretrained(folder, max_shard_size="300KB")
    tokenizer.save_pretrained(folder)
    return folder


def altered(folder: Path, file: str, **keys: Any) -> None:
    """Set keys of a JSON file."""
    data = json.loads((folder / file).read_bytes())
    (folder / file).write_text(json.dumps({**data, **keys}), encoding="utf-8")
