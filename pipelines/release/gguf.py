"""A Llama or a Qwen2 as a GGUF file, which llama.cpp, Ollama and their kin load.

In: a folder as ``save_pretrained`` writes it, safetensors. Out: one file with the weights as ``F32``,
``F16`` or ``Q8_0``, the tokenizer and the chat template; ``backends.gguf`` makes ``Q4_K_M`` of one. A
tensor is read, turned and written at a time: memory holds one, however large the model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import ReleaseError
from pipelines.records import Json
from pipelines.release.vocabulary import read_vocabulary

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from gguf.utility import LocalTensor
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Architecture:
    """``name`` and ``tensors`` are llama.cpp's and the library's. Where llama.cpp rotates neighbours
    (``turned``) and not halves, as transformers does, the rows of queries and keys change their order."""

    name: str
    tensors: str
    turned: bool
    ropes: tuple[str, ...]


ARCHITECTURES = {
    "LlamaForCausalLM": Architecture("llama", "LLAMA", True, ("default", "linear", "llama3")),
    "Qwen2ForCausalLM": Architecture("qwen2", "QWEN2", False, ("default", "linear")),
}
STORED = ("F32", "F16", "Q8_0")
# How many weights of a row share a scale: a row has to be a multiple of it.
BLOCK = {"Q8_0": 32, "Q4_K_M": 256}


@dataclass(frozen=True, slots=True)
class Shape:
    """What llama.cpp has to know of a model. ``rope`` holds the type and factors of its scaling."""

    architecture: Architecture
    vocabulary: int
    context: int
    hidden: int
    layers: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dim: int
    epsilon: float
    rope_base: float
    rope: Json

    @property
    def rows(self) -> dict[str, int]:
        """The lengths of the rows of its matrices."""
        return {
            "hidden_size": self.hidden,
            "intermediate_size": self.feed_forward,
            "num_attention_heads × head_dim": self.heads * self.head_dim,
        }


def read_shape(model: Path) -> Shape:
    """The shape of the model in a folder; ``ReleaseError`` for one that is not written here."""
    config: Json = json.loads((model / "config.json").read_bytes())
    found = ", ".join(config.get("architectures") or ["unnamed"])
    if found not in ARCHITECTURES:
        raise ReleaseError(
            f"GGUF is written here for {' and '.join(ARCHITECTURES)} alone, and this model is {found}: "
            "export merged, and convert that with convert_hf_to_gguf.py of a llama.cpp checkout."
        )
    architecture = ARCHITECTURES[found]
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in architecture.ropes or config.get("hidden_act", "silu") != "silu":
        raise ReleaseError(
            f"This model's positions ({kind}) or activation ({config.get('hidden_act')}) are not "
            "written as GGUF here; take convert_hf_to_gguf.py of a llama.cpp checkout."
        )
    if config.get("use_sliding_window"):
        raise ReleaseError(
            "This model's layers read a sliding window, which is not written as GGUF here; take "
            "convert_hf_to_gguf.py of a llama.cpp checkout."
        )
    heads = config["num_attention_heads"]
    return Shape(
        architecture=architecture,
        vocabulary=config["vocab_size"],
        context=config["max_position_embeddings"],
        hidden=config["hidden_size"],
        layers=config["num_hidden_layers"],
        feed_forward=config["intermediate_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        epsilon=config["rms_norm_eps"],
        rope_base=float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0),
        rope={**rope, "rope_type": kind},
    )


def check_rows(shape: Shape, kind: str) -> None:
    """Refuse a kind of quantisation that the shape does not allow."""
    block = BLOCK.get(kind, 1)
    for name, length in shape.rows.items():
        if length % block:
            raise ReleaseError(
                f"{kind} needs rows of a multiple of {block} weights, and this model's {name} is "
                f"{length}; take {'Q8_0 or F16' if block > 32 else 'F16'}."
            )


def write_gguf(model: Path, kind: str, out: Path, name: str) -> None:
    """Write the model in a folder to the file ``out``, its matrices stored as ``kind``."""
    from gguf import GGUFWriter, LlamaFileType

    shape = read_shape(model)
    check_rows(shape, kind)
    vocabulary = read_vocabulary(model, shape.vocabulary)
    types = {
        "F32": LlamaFileType.ALL_F32,
        "F16": LlamaFileType.MOSTLY_F16,
        "Q8_0": LlamaFileType.MOSTLY_Q8_0,
    }
    writer = GGUFWriter(None, shape.architecture.name)
    writer.add_type("model")
    writer.add_name(name)
    writer.add_file_type(types[kind])
    writer.add_quantization_version(2)
    _add_shape(writer, shape)
    vocabulary.write(writer)
    tensors = list(_tensors(model, shape, kind))
    for tensor in tensors:
        tensor.announce(writer)
    try:
        writer.write_header_to_file(out)
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in tensors:
            writer.write_tensor_data(tensor.data())
    finally:
        writer.close()


def _add_shape(writer: GGUFWriter, shape: Shape) -> None:
    from gguf import RopeScalingType

    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_base)
    if shape.rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(shape.rope["factor"])


# --- weights ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor on its way: ``source`` reads it, ``heads`` how its rows are turned (0: not)."""

    name: str
    shape: tuple[int, ...]
    kind: str
    source: Callable[[], NDArray[Any]]
    heads: int = 0

    def announce(self, writer: GGUFWriter) -> None:
        """Say in the file's head what is to come."""
        import numpy as np
        from gguf import GGMLQuantizationType
        from gguf.quants import quant_shape_to_byte_shape

        if self.kind == "Q8_0":
            raw = GGMLQuantizationType.Q8_0
            shape = quant_shape_to_byte_shape(self.shape, raw)
            writer.add_tensor_info(
                self.name, shape, np.dtype(np.uint8), math.prod(shape), raw_dtype=raw
            )
        else:
            dtype = np.dtype(np.float16 if self.kind == "F16" else np.float32)
            size = math.prod(self.shape) * dtype.itemsize
            writer.add_tensor_info(self.name, self.shape, dtype, size)

    def data(self) -> NDArray[Any]:
        """The weights as they are stored."""
        import numpy as np
        from gguf import GGMLQuantizationType
        from gguf.quants import quantize

        found = self.source()
        if self.heads:
            found = _turned(found, self.heads)
        if self.kind == "Q8_0":
            packed: NDArray[Any] = quantize(np.ascontiguousarray(found), GGMLQuantizationType.Q8_0)
            return packed
        if self.kind == "F16" and np.abs(found).max(initial=0.0) > np.finfo(np.float16).max:
            raise ReleaseError(f"{self.name} holds weights beyond what F16 can; take Q8_0.")
        return np.ascontiguousarray(found, dtype=np.float16 if self.kind == "F16" else np.float32)


def _tensors(model: Path, shape: Shape, kind: str) -> Iterator[Tensor]:
    from gguf import MODEL_ARCH, get_tensor_name_map
    from gguf.utility import SafetensorsLocal

    architecture = shape.architecture
    names = get_tensor_name_map(MODEL_ARCH[architecture.tensors], shape.layers)
    heads = {"q_proj": shape.heads, "k_proj": shape.kv_heads} if architecture.turned else {}
    if shape.rope["rope_type"] == "llama3":
        factors = rope_factors(shape)
        yield Tensor("rope_freqs.weight", factors.shape, "F32", lambda: factors)
    for file in sorted(model.glob("*.safetensors")):
        for name, found in SafetensorsLocal(file).tensors.items():
            if name.endswith("rotary_emb.inv_freq"):
                continue
            own = names.get_name(name, try_suffixes=(".weight", ".bias"))
            if own is None:
                family = architecture.tensors.capitalize()
                raise ReleaseError(
                    f"The weights {name} are none of a {family}'s; nothing was written."
                )
            turned = heads.get(name.split(".")[-2], 0)
            stored = kind if len(found.shape) > 1 else "F32"
            yield Tensor(own, found.shape, stored, partial(_numbers, found), turned)


def _numbers(tensor: LocalTensor) -> NDArray[Any]:
    """A tensor of a safetensors file as 32-bit numbers; numpy has no bfloat16, whose bits are F32's first."""
    import numpy as np

    data = tensor.mmap_bytes()
    if tensor.dtype == "BF16":
        found = (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    elif tensor.dtype in ("F32", "F16"):
        found = data.view(np.float32 if tensor.dtype == "F32" else np.float16).astype(np.float32)
    else:
        raise ReleaseError(f"Weights stored as {tensor.dtype} are not written as GGUF here.")
    return found.reshape(tensor.shape)


def _turned(found: NDArray[Any], heads: int) -> NDArray[Any]:
    """Rows in the order of llama.cpp, which rotates neighbours where transformers rotates halves."""
    rows = found.reshape(heads, 2, found.shape[0] // heads // 2, *found.shape[1:])
    return rows.swapaxes(1, 2).reshape(found.shape)


def rope_factors(shape: Shape) -> NDArray[Any]:
    """By what each frequency is divided in Llama 3's way of reading longer texts."""
    import numpy as np

    rope, half = shape.rope, shape.head_dim // 2
    waves = 2 * math.pi * shape.rope_base ** (np.arange(half) / half)
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
    turns = rope["original_max_position_embeddings"] / waves
    part = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return np.asarray(1.0 / ((1 - part) / factor + part), dtype=np.float32)
