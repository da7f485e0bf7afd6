"""What this machine can run, and what is missing: one plain line each."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator

NEEDED = (
    *("pygit2", "torch", "transformers", "peft", "tokenizers", "safetensors", "huggingface_hub"),
    *("beautifulsoup4", "docutils", "lxml", "mammoth", "markdownify", "pypdfium2"),
)
LEAF = 60_000  # tokens of a leaf's rows: about 500 of 120
DISK = 2  # GB: an environment, a run and a few releases of the tiny recipe


def examine() -> Iterator[str]:
    """The lines that ``graft doctor`` prints."""
    yield f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield f"cores: {os.cpu_count()} (the tiny recipe uses 2)"
    free = shutil.disk_usage(".").free / 1e9
    yield f"free disk: {free:.0f} GB{'' if free > DISK else f'; the tiny recipe wants {DISK}'}"
    yield _documents()
    missing = []
    for name in NEEDED:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        yield f"missing: {', '.join(missing)}; `make setup` installs them"
        return
    yield _accelerator()
    yield "recipe tiny: can run here"
    yield _laptop()


def _documents() -> str:
    from pipelines.documents.convert.sandbox import isolation

    return f"converters of documents: kept from the network by {isolation()}"


def _laptop() -> str:
    """How long one leaf takes with a real model, and whether there is room for it."""
    from pipelines.fitting import fit, guess
    from pipelines.recipe import load_recipe

    recipe = load_recipe("laptop")
    found = fit(recipe)
    need = f"{found.memory.total / 1e9:.0f} GB of memory, {found.available / 1e9:.0f} are free"
    if found.memory.total > found.available:
        return f"recipe laptop: cannot train here: it takes {need}"
    if found.device != "cpu":
        return f"recipe laptop: can train here, on {found.device}; {need}"
    tokens = LEAF * recipe.train.epochs * (1 + recipe.train.replay)
    hours = guess(recipe, tokens) / 3600
    return (
        f"recipe laptop: can train here; one leaf, {tokens:,.0f} tokens with replay, takes about "
        f"{hours:.1f} h on this CPU; {need}"
    )


def _accelerator() -> str:
    from pipelines.backends.local import accelerator

    return f"accelerator: {accelerator()}"
