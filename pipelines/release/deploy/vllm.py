"""``vllm.sh``: the command line with which vLLM serves a release.

The adapter stands as a LoRA module on the base of the Hub, so that one server serves many releases.
vLLM refuses adapters with embeddings of their own, and a base made here is on no Hub: then it is the
merged weights that are served.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from pipelines.release.deploy.subject import Subject

# The ranks that vLLM reserves room for.
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)


def files(subject: Subject) -> Mapping[str, str]:
    why, words = _command(subject)
    lines = [
        "#!/bin/sh",
        f"# Serves {subject.name}, OpenAI-compatible, on port 8000 of this machine alone.",
        f"# {why}",
        'cd "$(dirname "$0")" || exit',
        f'exec {shlex.join(words)} "$@"',
    ]
    return {"vllm.sh": "\n".join(lines) + "\n"}


def as_module(subject: Subject) -> bool:
    """Whether vLLM can serve the adapter as it is."""
    lora = subject.lora
    return (
        subject.manifest.base_model.on_hub
        and lora is not None
        and not lora.get("modules_to_save")
        and lora["r"] <= RANKS[-1]
    )


def _command(subject: Subject) -> tuple[str, list[str]]:
    where = ["--host", "127.0.0.1", "--port", "8000"]
    lora, base = subject.lora, subject.manifest.base_model
    if lora is None or not as_module(subject):
        words = ["vllm", "serve", "./merged", "--served-model-name", subject.name]
        return "The merged weights: vLLM takes no adapter like this one.", [*words, *where]
    rank = next(rank for rank in RANKS if lora["r"] <= rank)
    words = ["vllm", "serve", base.id, "--revision", base.revision, "--enable-lora"]
    words += ["--max-lora-rank", str(rank), "--lora-modules", f"{subject.name}=./adapter"]
    told = "The adapter on its base; more releases: more NAME=FOLDER after --lora-modules."
    return told, [*words, *where]
