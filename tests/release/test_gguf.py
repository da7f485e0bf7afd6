"""GGUF files, read back with the library that reads them: every number, every key, every refusal."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from pipelines.errors import ReleaseError
from pipelines.release.gguf import check_rows, read_shape, rope_factors, write_gguf
from pipelines.release.vocabulary import read_vocabulary
from tests.release.models import CHATML, ROPE3, altered, like_llama3, like_qwen2
from tests.train.support import TOKENS, fresh


@functools.cache
def llama3(scratch: Path) -> Path:
    return like_llama3(scratch / "like-llama3", torch.bfloat16)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """To be spoilt; what it has learnt does not matter."""
    folder = tmp_path / "tiny"
    fresh().save_pretrained(folder)
    TOKENS.save_pretrained(folder)
    return folder


@pytest.fixture
def grouped(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(llama3(tmp_path_factory.getbasetemp()), tmp_path / "grouped")


def keys(path: Path) -> dict[str, Any]:
    return {name: field.contents() for name, field in GGUFReader(path).fields.items()}


def weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    return {
        tensor.name: dequantize(tensor.data, tensor.tensor_type)
        for tensor in GGUFReader(path).tensors
    }


@pytest.mark.parametrize(("kind", "off"), [("F32", 0.0), ("F16", 2e-3), ("Q8_0", 2e-2)])
def test_every_weight_is_there_once(tiny: Path, tmp_path: Path, kind: str, off: float) -> None:
    write_gguf(tiny, kind, tmp_path / "out.gguf", "tiny")
    found = weights(tmp_path / "out.gguf")
    state = AutoModelForCausalLM.from_pretrained(tiny).state_dict()
    layers = 2
    assert len(found) == layers * 9 + 2  # the embedding is tied: it stands once
    for own, theirs in [
        ("token_embd", "model.embed_tokens"),
        ("output_norm", "model.norm"),
        ("blk.1.ffn_gate", "model.layers.1.mlp.gate_proj"),
        ("blk.1.attn_v", "model.layers.1.self_attn.v_proj"),
    ]:
        want = state[f"{theirs}.weight"].numpy()
        np.testing.assert_allclose(found[f"{own}.weight"], want, atol=off * np.abs(want).max())


def test_heads_are_turned_as_llama_cpp_rotates(tiny: Path, tmp_path: Path) -> None:
    """Rotating neighbours of the turned rows gives what rotating halves of the old ones does."""
    write_gguf(tiny, "F32", tmp_path / "out.gguf", "tiny")
    shape = read_shape(tiny)
    old = AutoModelForCausalLM.from_pretrained(tiny).state_dict()
    for name, heads in (("q", shape.heads), ("k", shape.kv_heads)):
        want = old[f"model.layers.0.self_attn.{name}_proj.weight"].numpy()
        own = weights(tmp_path / "out.gguf")[f"blk.0.attn_{name}.weight"]
        half = shape.head_dim // 2
        angle = 3.0 * 10000.0 ** (-np.arange(half) / half)
        before = want.reshape(heads, 2, half, -1)
        turned = own.reshape(heads, half, 2, -1)
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        halves = before[:, 0] * cos - before[:, 1] * sin, before[:, 1] * cos + before[:, 0] * sin
        first = turned[:, :, 0] * cos - turned[:, :, 1] * sin
        second = turned[:, :, 1] * cos + turned[:, :, 0] * sin
        np.testing.assert_allclose(first, halves[0], atol=1e-6)
        np.testing.assert_allclose(second, halves[1], atol=1e-6)


def test_the_tokenizer_and_the_shape_stand_in_the_file(tiny: Path, tmp_path: Path) -> None:
    write_gguf(tiny, "F16", tmp_path / "out.gguf", "graft-tiny-v1")
    found = keys(tmp_path / "out.gguf")
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    assert found["general.name"] == "graft-tiny-v1"
    assert found["llama.block_count"] == 2
    assert found["llama.attention.head_count_kv"] == 2
    assert found["llama.context_length"] == 128
    assert found["tokenizer.ggml.pre"] == "smollm"
    assert found["tokenizer.ggml.tokens"] == tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    assert found["tokenizer.ggml.token_type"][:6] == [3, 3, 3, 3, 3, 1]
    assert found["tokenizer.ggml.eos_token_id"] == tokenizer.eos_token_id
    assert found["tokenizer.ggml.add_bos_token"] is False
    assert found["tokenizer.chat_template"] == tokenizer.chat_template


def test_grouped_heads_shards_bfloat16_and_longer_texts(grouped: Path, tmp_path: Path) -> None:
    assert len(list(grouped.glob("*.safetensors"))) > 1
    write_gguf(grouped, "F32", tmp_path / "out.gguf", "grouped")
    found, told = weights(tmp_path / "out.gguf"), keys(tmp_path / "out.gguf")
    state = AutoModelForCausalLM.from_pretrained(grouped, dtype="float32").state_dict()
    np.testing.assert_array_equal(found["output.weight"], state["lm_head.weight"].numpy())
    assert found["blk.0.attn_k.weight"].shape == (128, 256)
    assert told["llama.rope.freq_base"] == 500000.0
    assert told["tokenizer.ggml.pre"] == "llama-bpe"
    assert told["tokenizer.ggml.token_type"][-1] == 5  # a row that no token has
    assert told["tokenizer.chat_template"] == CHATML
    config = LlamaConfig.from_pretrained(grouped)
    theirs, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 500000.0 ** (-np.arange(32) / 32)
    np.testing.assert_allclose(plain / found["rope_freqs.weight"], theirs.numpy(), rtol=1e-5)
    assert rope_factors(read_shape(grouped)).max() == 8.0


def test_a_qwen2_keeps_its_rows_and_its_biases(tmp_path: Path) -> None:
    folder = like_qwen2(tmp_path / "qwen2", torch.bfloat16)
    write_gguf(folder, "F32", tmp_path / "out.gguf", "qwen2")
    found, told = weights(tmp_path / "out.gguf"), keys(tmp_path / "out.gguf")
    state = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").state_dict()
    assert len(found) == 2 * 12 + 2  # the embedding is tied: it stands once
    for part, theirs in (("q", "q_proj"), ("k", "k_proj"), ("v", "v_proj")):
        for what in ("weight", "bias"):
            want = state[f"model.layers.1.self_attn.{theirs}.{what}"].numpy()
            np.testing.assert_array_equal(found[f"blk.1.attn_{part}.{what}"], want)
    assert told["general.architecture"] == "qwen2"
    assert told["qwen2.block_count"] == 2
    assert told["qwen2.rope.freq_base"] == 1e6
    assert told["tokenizer.ggml.pre"] == "qwen2"


def test_another_architecture_is_refused_with_the_way_out(tiny: Path) -> None:
    altered(tiny, "config.json", architectures=["MistralForCausalLM"])
    with pytest.raises(
        ReleaseError, match=r"this model is MistralForCausalLM: .*convert_hf_to_gguf"
    ):
        read_shape(tiny)


@pytest.mark.parametrize(
    ("architecture", "keys", "told"),
    [
        ("LlamaForCausalLM", {"rope_parameters": {"rope_type": "yarn"}}, r"positions \(yarn\)"),
        ("Qwen2ForCausalLM", {"rope_parameters": ROPE3}, r"positions \(llama3\)"),
        ("Qwen2ForCausalLM", {"use_sliding_window": True}, "a sliding window"),
        ("Qwen2ForCausalLM", {"hidden_act": "gelu"}, r"activation \(gelu\)"),
    ],
)
def test_what_llama_cpp_would_reckon_otherwise_is_refused(
    tiny: Path, architecture: str, keys: dict[str, Any], told: str
) -> None:
    altered(tiny, "config.json", architectures=[architecture], **keys)
    with pytest.raises(ReleaseError, match=told):
        read_shape(tiny)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (
            "Q4_K_M",
            "Q4_K_M needs rows of a multiple of 256 weights, and this model's hidden_size is 32",
        ),
        ("Q8_0", "multiple of 32 weights, and this model's intermediate_size is 80; take F16"),
    ],
)
def test_a_shape_that_a_quantisation_does_not_allow(tiny: Path, kind: str, told: str) -> None:
    altered(tiny, "config.json", intermediate_size=80)
    with pytest.raises(ReleaseError, match=told):
        check_rows(read_shape(tiny), kind)


def spoil(tokenizer: dict[str, Any], how: str) -> None:
    if how == "normalizer":
        tokenizer["normalizer"] = {"type": "NFC"}
    elif how == "pieces":
        tokenizer["model"]["byte_fallback"] = True
    elif how == "cut":
        tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": r"\s"}
    elif how == "prefix":
        tokenizer["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = True
    elif how == "merges":
        tokenizer["model"]["ignore_merges"] = True


@pytest.mark.parametrize("how", ["normalizer", "pieces", "cut", "prefix", "merges"])
def test_a_tokenizer_that_llama_cpp_would_read_otherwise(tiny: Path, how: str) -> None:
    path = tiny / "tokenizer.json"
    data = json.loads(path.read_bytes())
    spoil(data, how)
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ReleaseError, match=r"llama\.cpp could not be given it faithfully"):
        read_vocabulary(tiny, 400)


def test_a_tokenizer_without_an_end(tiny: Path) -> None:
    altered(tiny, "tokenizer_config.json", eos_token=None)
    with pytest.raises(ReleaseError, match="names no end of a text"):
        read_vocabulary(tiny, 400)


def test_weights_beyond_half_precision_or_of_nobody(tiny: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny)
    with torch.no_grad():
        model.model.embed_tokens.weight[0, 0] = 1e6
    model.save_pretrained(tiny)
    with pytest.raises(ReleaseError, match="beyond what F16 can"):
        write_gguf(tiny, "F16", tmp_path / "out.gguf", "tiny")
    from safetensors.torch import save_file

    save_file({"model.secret.weight": torch.zeros(2, 32)}, tiny / "more.safetensors")
    with pytest.raises(ReleaseError, match=r"model\.secret\.weight are none of a Llama's"):
        write_gguf(tiny, "Q8_0", tmp_path / "out.gguf", "tiny")
