"""Which model is talked to: a release, or what a run trained.

In: a target and a tag, or a folder of runs. Out: a ``Subject``: folders whose digests were checked, the
leaves that the model knows, how it is run. Nothing is loaded here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.backends.hub import fetch_model
from pipelines.errors import GraftError, RecipeError, ReleaseError
from pipelines.recipe import Recipe, load_recipe, read_recipe
from pipelines.records import BaseModel, Json
from pipelines.release.targets import Target
from pipelines.release.verify import unsafe_files, wrong_base, wrong_files
from pipelines.release.yanked import yanked

if TYPE_CHECKING:
    from pipelines.backends.local import Student

LONGEST = 512  # tokens of an answer, unless somebody asks otherwise; a demonstration knows no end


@dataclass(frozen=True, slots=True)
class Subject:
    """A model and what is told of it. ``name`` is what a server calls it, ``told`` one line for people.

    ``adapter`` is None where the model is a bare base.
    """

    name: str
    told: str
    base: Path
    adapter: Path | None
    leaves: tuple[str, ...]
    recipe: Recipe
    demonstration: bool
    against: tuple[str, ...] = ()  # why nobody should use it

    @property
    def longest(self) -> int:
        """The tokens that an answer has at most, where nobody says."""
        asked = self.recipe.evaluate.new_tokens
        return asked if self.demonstration else max(asked, LONGEST)

    def student(self, *, bare: bool = False) -> Student:
        """The model, loaded; ``bare``: its base alone."""
        from pipelines.backends.local import Student

        adapter = None if bare else self.adapter
        return Student(self.base, adapter, self.longest, self.recipe.threads, self.recipe.hardware)


def of_release(target: Target, tag: str | None, recipe: str | None) -> Subject:
    """The release ``tag``, the head where it is None. ``recipe`` names one for another machine.

    ``ReleaseError`` where a file is not the one that the manifest names: nothing else is ever served.
    """
    tag = tag or target.head()
    if tag is None:
        raise ReleaseError("The target holds no release yet; `graft run` makes the first.")
    manifest, directory = target.manifest(tag), target.directory(tag)
    problems = wrong_files(directory, manifest.files) + unsafe_files(directory)
    problems += wrong_base(target, manifest)
    if problems:
        raise ReleaseError(
            f"The release {tag} is not sound: {problems[0]}; `graft release verify {tag}` tells all."
        )
    adapter = directory / "adapter"
    verdict = manifest.evaluation.get("verdict", "")
    return Subject(
        name=tag,
        told=f"release {tag} on {manifest.base_model.id}"
        + (f", verdict {verdict}" if verdict else ""),
        base=_base(target, manifest.base_model),
        adapter=adapter if adapter.is_dir() else None,
        leaves=tuple(sorted(manifest.leaves)),
        recipe=_recipe(recipe, manifest.recipe, f"the release {tag}"),
        demonstration=manifest.demonstration,
        against=tuple(yanked(target, manifest)),
    )


def of_run(runs: Path, target: Target, recipe: str | None) -> Subject:
    """What the run in ``runs`` trained, or the latest one in that folder of runs."""
    directory = _run(runs)
    plan = _read(directory / "plan.json")
    used = _recipe(recipe, _read(directory / "recipe.json"), f"the run {directory}")
    made, adapter = directory / "base", directory / "adapter"
    trained = made if plan["action"] == "bootstrap" else adapter
    if not (trained / "stage.json").is_file():
        raise GraftError(f"The run {directory} has trained nothing yet; run `graft train` first.")
    if plan["continues"]:
        model = target.manifest(plan["continues"]).base_model
        base = _base(target, model)
    elif used.student.made_here:
        base = made
    else:
        base = _base(target, BaseModel(used.student.id, used.student.revision))
    problems = unsafe_files(base) + (unsafe_files(adapter) if adapter.is_dir() else [])
    if problems:
        raise GraftError(f"The run {directory} is not sound: {problems[0]}.")
    return Subject(
        name=directory.name,
        told=f"run {directory.name} on {used.student.id}, not released",
        base=base,
        adapter=adapter if (adapter / "adapter_config.json").is_file() else None,
        leaves=tuple(sorted(plan["wanted"])),
        recipe=used,
        demonstration=used.teacher.backend == "extractive",
    )


def _run(runs: Path) -> Path:
    """The run's own folder: as named, else the latest below."""
    if (runs / "plan.json").is_file():
        return runs
    try:
        latest = runs / (runs / "latest").read_text(encoding="utf-8").strip()
    except OSError:
        raise GraftError(f"There is no run in {runs}; `graft run` makes one.") from None
    if not (latest / "plan.json").is_file():
        raise GraftError(f"The run {latest} has no plan; run `graft run` again.")
    return latest


def _read(path: Path) -> Json:
    try:
        found: Json = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise GraftError(f"{path} cannot be read: {error}; run `graft run` again.") from error
    return found


def _base(target: Target, model: BaseModel) -> Path:
    return fetch_model(model.id, model.revision) if model.on_hub else target.base(model.revision)


def _recipe(named: str | None, own: Json, whose: str) -> Recipe:
    """Threads and hardware come from here: the recipe that was named, else the model's own."""
    if named is not None:
        return load_recipe(named)
    try:
        return read_recipe(own, f"the recipe of {whose}")
    except RecipeError as error:
        raise RecipeError(f"{error} Name a recipe for this machine with --recipe.") from error
