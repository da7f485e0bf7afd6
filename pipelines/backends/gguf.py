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
        self.new_tokens = new_tokens
        try:
            self.model = _library().Llama(
                str(path), n_ctx=context, n_threads=threads, n_threads_batch=threads, verbose=False
            )
        except ValueError as error:
            raise BackendError(f"llama.cpp cannot load {path}: {error}.") from error

    def answers(self, prompts: Sequence[str]) -> list[str]:
        """One greedy answer for each prompt, in order."""
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: str) -> str:
        try:
            found = self.model.create_chat_completion(
                messages=[{"role": "user", "content": prompt}],
                temperature=0.0,
                max_tokens=self.new_tokens,
            )
        except ValueError as error:
            raise BackendError(f"llama.cpp cannot answer {prompt[:60]!r}: {error}.") from error
        text: str = found["choices"][0]["message"]["content"] or ""
        return text.strip()


def quantize(source: Path, out: Path, threads: int) -> None:
    """``source``, an F16 or F32 file, as ``Q4_K_M`` in ``out``."""
    library = _library()
    parameters = library.llama_model_quantize_default_params()
    parameters.ftype = library.LLAMA_FTYPE_MOSTLY_Q4_K_M
    parameters.nthread = threads
    with _quiet(library):
        failed = library.llama_model_quantize(
            str(source).encode(), str(out).encode(), ctypes.byref(parameters)
        )
    if failed:
        raise BackendError(f"llama.cpp could not quantize {source}.")


def _quiet(library: Any) -> Any:
    """llama.cpp tells of each tensor on standard error, which is for people."""
    from llama_cpp._utils import suppress_stdout_stderr

    return suppress_stdout_stderr(disable=False)
