"""A byte-level BPE tokenizer as the keys of a GGUF file.

In: a model's folder with ``tokenizer.json``, ``tokenizer_config.json`` and perhaps
``chat_template.jinja``. Out: a ``Vocabulary``. ``ReleaseError`` where llama.cpp would read a text
otherwise than the tokenizer does: nothing is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import ReleaseError
from pipelines.records import Json

if TYPE_CHECKING:
    from gguf import GGUFWriter

# llama.cpp's names of what is cut apart before merging. Its ``smollm`` takes each \\p{N} for a digit of
# its own, where \\d is a decimal digit alone: "½" and "Ⅳ" may be cut otherwise, digits never.
GPT2 = {"type": "ByteLevel", "use_regex": True}
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def _split(pattern: str) -> list[Json]:
    """Cut by a pattern before the bytes are taken."""
    cut = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return [cut, {"type": "ByteLevel", "use_regex": False}]


PRE_TOKENIZERS: dict[str, list[Json]] = {
    "gpt-2": [GPT2],
    "smollm": [{"type": "Digits", "individual_digits": True}, GPT2],
    "llama-bpe": _split(LLAMA3),
    "qwen2": _split(QWEN2),
}
DIGITS = _split(r"\d")[0]
# What a tokenizer does to a text before it cuts it. llama.cpp composes no letters: a text that is not in
# NFC is cut otherwise there, and nearly every text is.
NORMALIZERS: dict[str, tuple[Json | None, ...]] = {"qwen2": (None, {"type": "NFC"})}
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5  # gguf.TokenType


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """``special`` holds the ids of ``bos``, ``eos`` and ``pad``, those that there are."""

    pre: str
    tokens: list[str]
    types: list[int]
    merges: list[str]
    special: Mapping[str, int]
    add_bos: bool
    chat_template: str

    def write(self, writer: GGUFWriter) -> None:
        """Put the keys into a file that is being written."""
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        writer.add_token_merges(self.merges)
        for name, token in self.special.items():
            getattr(writer, f"add_{name}_token_id")(token)
        writer.add_add_bos_token(self.add_bos)
        writer.add_add_space_prefix(False)
        if self.chat_template:
            writer.add_chat_template(self.chat_template)


def read_vocabulary(model: Path, size: int) -> Vocabulary:
    """The tokenizer of the model in a folder, whose embedding has ``size`` rows."""
    data, config = _read(model / "tokenizer.json"), _read(model / "tokenizer_config.json")
    bpe = data["model"]
    if bpe.get("type") != "BPE" or bpe.get("byte_fallback"):
        raise _refused(model, "is no byte-level BPE")
    pre = _pre_tokenizer(data.get("pre_tokenizer") or {})
    if not pre:
        raise _refused(model, "cuts texts in a way that has no name there")
    if data.get("normalizer") not in NORMALIZERS.get(pre, (None,)):
        raise _refused(model, "normalizes texts otherwise than its kind does there")
    if bool(bpe.get("ignore_merges")) != (pre == "llama-bpe"):
        raise _refused(model, "merges otherwise than its kind does there")
    tokens, types = _tokens(bpe["vocab"], data["added_tokens"], size)
    ids = {token: number for number, token in enumerate(tokens)}
    named = {name: _content(config.get(f"{name}_token")) for name in ("bos", "eos", "pad")}
    if named["eos"] not in ids:
        raise _refused(model, "names no end of a text (eos_token)")
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in bpe["merges"]]
    special = {name: ids[token] for name, token in named.items() if token in ids}
    return Vocabulary(
        pre, tokens, types, merges, special, _adds_bos(data), chat_template(model, config)
    )


def chat_template(model: Path, config: Json | None = None) -> str:
    """The Jinja template of a model's folder; "" where it has none."""
    place = model / "chat_template.jinja"
    if place.is_file():
        return place.read_text(encoding="utf-8")
    found = (config or _read(model / "tokenizer_config.json")).get("chat_template") or ""
    return found if isinstance(found, str) else ""


def _read(path: Path) -> Json:
    try:
        data: Json = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ReleaseError(f"The tokenizer's file {path} cannot be read: {error}.") from error
    return data


def _refused(model: Path, why: str) -> ReleaseError:
    return ReleaseError(
        f"The tokenizer of {model.name} {why}, so llama.cpp could not be given it faithfully: export "
        "merged, and convert that with convert_hf_to_gguf.py of a llama.cpp checkout."
    )


def _pre_tokenizer(data: Json) -> str:
    """llama.cpp's name of a pre-tokenizer; "" for one that has none."""
    steps = data["pretokenizers"] if data.get("type") == "Sequence" else [data]
    plain = [
        {key: value for key, value in step.items() if key not in ("trim_offsets",)}
        for step in steps
    ]
    if any(step.pop("add_prefix_space", False) for step in plain):
        return ""
    plain = [PRE_TOKENIZERS["smollm"][0] if step == DIGITS else step for step in plain]
    return next((name for name, known in PRE_TOKENIZERS.items() if known == plain), "")


def _tokens(vocab: Mapping[str, int], added: list[Json], size: int) -> tuple[list[str], list[int]]:
    """Every row of the embedding by its token; rows that no token has are named as unused."""
    tokens = [f"[PAD{number}]" for number in range(size)]
    types = [UNUSED] * size
    for token, number in vocab.items():
        tokens[number], types[number] = token, NORMAL
    for entry in added:
        number = entry["id"]
        tokens[number] = entry["content"]
        types[number] = CONTROL if entry["special"] else USER_DEFINED
    return tokens, types


def _content(token: str | Json | None) -> str:
    return token["content"] if isinstance(token, dict) else token or ""


def _adds_bos(data: Json) -> bool:
    """Whether the tokenizer puts a token before each text by itself."""
    step = data.get("post_processor") or {}
    steps = step["processors"] if step.get("type") == "Sequence" else [step]
    firsts = [one["single"][0] for one in steps if one.get("single")]
    return any("SpecialToken" in first for first in firsts)
