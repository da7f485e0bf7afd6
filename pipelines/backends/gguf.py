"""A student in a GGUF file, run by llama.cpp; and what only llama.cpp can do to such a file.

In: a file that ``release.gguf`` wrote. Out: answers, or a smaller file. ``llama_cpp`` is the extra
``llama-cpp``: where it is missing one sentence says so, and nothing else of Graft needs it.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import BackendError

MISSING = (
    "llama-cpp-python is not installed; install it with pip install 'graft-taxonomy[llama-cpp]'"
)


def available() -> bool:
    """Whether GGUF files can be run here."""
    return importlib.util.find_spec("llama_cpp") is not None


def _library() -> Any:
    try:
        import llama_cpp
    except ImportError as error:
        raise BackendError(f"{MISSING} (a build of some minutes).") from error
    return llama_cpp


class GgufStudent:
    """Answers as whoever loads the file gets them: its own tokenizer and chat template, greedily."""

    def __init__(self, path: Path, new_tokens: int, context: int, threads: int) -> None:
        self.path, self.new_tokens, self.context, self.threads = path, new_tokens, context, threads
        self.model = self._open(vocab_only=True)

    def _open(self, **options: Any) -> Any:
        library = _library()
        try:
            with _quiet():
                return library.Llama(
                    str(self.path),
                    n_threads=self.threads,
                    n_threads_batch=self.threads,
                    verbose=False,
                    **options,
                )
        except ValueError as error:
            raise BackendError(f"llama.cpp cannot load {self.path}: {error}.") from error

    def answers(self, prompts: Sequence[str]) -> list[str]:
        """One greedy answer for each prompt, in order; the context has room for the longest."""
        asked = [self._tokens(prompt) for prompt in prompts]
        longest = max(map(len, asked), default=0) + self.new_tokens
        self.model = self._open(n_ctx=max(self.context, longest))
        return [self._answer(tokens) for tokens in asked]

    def choose(self, asked: Sequence[tuple[str, tuple[str, ...]]]) -> list[int]:
        """It answers and does not weigh answers: its exam has no questions of multiple choice."""
        if asked:
            raise BackendError("A GGUF file is asked no questions of multiple choice.")
        return []

    def _tokens(self, prompt: str) -> list[int]:
        """The prompt in the file's own template, by its own tokenizer."""
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        told = self.model.metadata
        try:
            formatter = Jinja2ChatFormatter(
                told["tokenizer.chat_template"],
                eos_token=self._text_of("tokenizer.ggml.eos_token_id"),
                bos_token=self._text_of("tokenizer.ggml.bos_token_id"),
            )
            text = formatter(messages=[{"role": "user", "content": prompt}]).prompt
        except (KeyError, ValueError) as error:
            raise BackendError(
                f"The chat template of {self.path} does not work: {error}."
            ) from error
        found: list[int] = self.model.tokenize(text.encode(), add_bos=False, special=True)
        return found

    def _text_of(self, key: str) -> str:
        """The token that the file names under ``key``; "" where it names none."""
        token = self.model.metadata.get(key)
        if token is None:
            return ""
        text: bytes = self.model.detokenize([int(token)], special=True)
        return text.decode("utf-8", "replace")

    def _answer(self, tokens: list[int]) -> str:
        """Token by token: the library's own way of answering goes on where bytes are no text."""
        library, found = _library(), list[int]()
        vocabulary = library.llama_model_get_vocab(self.model.model)
        try:
            for token in self.model.generate(tokens, temp=0.0):
                if library.llama_vocab_is_eog(vocabulary, token) or len(found) == self.new_tokens:
                    break
                found.append(token)
        except RuntimeError as error:
            raise BackendError(f"llama.cpp cannot answer from {self.path}: {error}.") from error
        text: bytes = self.model.detokenize(found)
        return text.decode("utf-8", "replace").strip()


def quantize(source: Path, out: Path, threads: int) -> None:
    """``source``, an F16 or F32 file, as ``Q4_K_M`` in ``out``."""
    library = _library()
    parameters = library.llama_model_quantize_default_params()
    parameters.ftype = library.LLAMA_FTYPE_MOSTLY_Q4_K_M
    parameters.nthread = threads
    with _quiet():
        failed = library.llama_model_quantize(
            str(source).encode(), str(out).encode(), ctypes.byref(parameters)
        )
    if failed:
        raise BackendError(f"llama.cpp could not quantize {source}.")


def _quiet() -> Any:
    """llama.cpp tells of each tensor on standard error, which is for people."""
    from llama_cpp._utils import suppress_stdout_stderr

    return suppress_stdout_stderr(disable=False)
