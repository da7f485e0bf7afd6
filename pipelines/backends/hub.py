"""Models of the Hub, at a commit, fetched once into its own cache; ``HF_ENDPOINT`` names a mirror.

In: a repository's name and the 40 digits of a revision. Out: a folder with configuration, tokenizer and
safetensors. Weights in pickles are not fetched, and neither is code.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import BackendError

# Everything that a tokenizer or a configuration may consist of, and weights in the one safe format.
FILES = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")


def fetch_config(name: str, revision: str) -> Path:
    """The model's config.json alone; ``BackendError`` says why it cannot be had."""
    from huggingface_hub import errors, hf_hub_download

    try:
        return Path(hf_hub_download(name, "config.json", revision=revision))
    except (OSError, errors.HFValidationError) as error:
        raise _not_had(name, revision, error) from error


def _not_had(name: str, revision: str, error: Exception) -> BackendError:
    reason = " ".join(str(error).split())[:200]
    return BackendError(f"The model {name} at {revision} cannot be had from the Hub: {reason}")


def fetch_model(name: str, revision: str) -> Path:
    """The folder of the model; ``BackendError`` says why it cannot be had."""
    from huggingface_hub import errors, snapshot_download

    try:
        place = Path(snapshot_download(name, revision=revision, allow_patterns=list(FILES)))
    except (OSError, errors.HFValidationError) as error:
        raise _not_had(name, revision, error) from error
    if not any(place.glob("*.safetensors")):
        raise BackendError(
            f"The model {name} at {revision} has no weights in safetensors, the one format that is "
            "loaded; name a revision that has them."
        )
    return place


def model_files(place: Path) -> dict[str, Path]:
    """What a model consists of, in a folder that ``fetch_model`` gave, by POSIX path."""
    found = {path for pattern in FILES for path in place.rglob(pattern) if path.is_file()}
    return {path.relative_to(place).as_posix(): path for path in sorted(found)}


def cached_at(name: str, revision: str) -> str:
    """Where ``fetch_model`` looks for that folder without a network, below ``HF_HUB_CACHE``."""
    from huggingface_hub.file_download import repo_folder_name

    folder = repo_folder_name(repo_id=name, repo_type="model")
    return f"{folder}/snapshots/{revision}"
