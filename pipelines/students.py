"""Who sits an exam: bases and releases as students whose answers are kept.

In: a base's folder and revision, perhaps an adapter and the digests of its files. Out: a student that
loads its weights only where a question is new.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.artifacts import digest
from pipelines.backends.hub import fetch_model
from pipelines.evaluate.remembered import Loaded, Remembered
from pipelines.recipe import Recipe
from pipelines.records import BaseModel, Manifest
from pipelines.release.targets import Target


def base_folder(target: Target, model: BaseModel) -> Path:
    """The files of a base: from the Hub, or as the target carries it."""
    return fetch_model(model.id, model.revision) if model.on_hub else target.base(model.revision)


def adapter_files(manifest: Manifest) -> dict[str, str]:
    """SHA-256 of each file of a release's adapter."""
    return {
        path.removeprefix("adapter/"): file.sha256
        for path, file in manifest.files.items()
        if path.startswith("adapter/")
    }


def adapter_folder(target: Target, tag: str | None) -> Path | None:
    """The adapter of a release; None for a bare base."""
    place = target.directory(tag) / "adapter" if tag else None
    return place if place is not None and place.is_dir() else None


def student(
    recipe: Recipe, cache: Path, base: tuple[Path, str], adapter: Path | None, files: object
) -> Remembered:
    """``base`` is a folder and its revision, ``files`` the digests of ``adapter``, {} for none."""
    folder, revision = base
    asked_as = [recipe.evaluate.new_tokens, recipe.hardware.essence]

    def load() -> Loaded:
        from pipelines.backends.local import Student

        return Student(folder, adapter, recipe.evaluate.new_tokens, recipe.threads, recipe.hardware)

    return Remembered(digest([revision, files, asked_as]), cache / "answers", load)
