"""Flows: what is asked of a teacher and a judge about a leaf, and which of the answers become rows.

A flow is a folder of ``pipelines/generate/flows`` (``flow.yaml`` and the prompts that it names), or a YAML
file elsewhere that a recipe names by its path: in our format, which ``native`` reads, or in InstructLab's,
which ``instructlab`` translates. Either way it becomes the steps that one engine knows. ``docs/flows.md``
tells of both formats.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import yaml

from pipelines.errors import RecipeError
from pipelines.findings import Finding
from pipelines.generate.columns import INSTRUCTLAB, OWN
from pipelines.generate.draft import told
from pipelines.generate.native import read_native
from pipelines.generate.steps import Flow
from pipelines.recipe import Flows, Recipe
from pipelines.records import Kind
from pipelines.yaml_source import Source, read_yaml

FLOWS: dict[Kind, tuple[str, ...]] = {
    "knowledge": Flows().knowledge,
    "grounded_skill": Flows().grounded_skill,
    "freeform_skill": Flows().freeform_skill,
}
# What an exam is enlarged by, apart from training rows.
EXAM_FLOWS: dict[Kind, tuple[str, ...]] = {
    "knowledge": ("exam_knowledge", "exam_choice"),
    "grounded_skill": ("exam_grounded",),
    "freeform_skill": ("exam_freeform",),
}
_FOLDER = Path(__file__).parent / "flows"
SCALED = 30  # what InstructLab's `n: scaled` means where nobody says otherwise


def flow_names() -> list[str]:
    """The flows that come with Graft."""
    return sorted(path.name for path in _FOLDER.iterdir() if (path / "flow.yaml").is_file())


def load_flow(name: str, scaled: int = SCALED) -> Flow:
    """The flow of that name, or of the file at that path; ``RecipeError`` tells all that is wrong."""
    path = _FOLDER / name / "flow.yaml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        raise RecipeError(
            f"There is no flow {name}: give a YAML file, or one of {', '.join(flow_names())}."
        )
    flow, findings = read_flow(path, name, scaled)
    if flow is None:
        raise RecipeError(told([f for f in findings if f.severity == "error"]))
    return flow


def read_flow(path: Path, name: str, scaled: int = SCALED) -> tuple[Flow | None, list[Finding]]:
    """The flow in ``path``, called ``name``; None where a finding is an error."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"The flow {path} cannot be read: {error.strerror}.") from error
    theirs = _instructlab(data, str(path))
    if theirs is not None:
        from pipelines.generate.instructlab import read_instructlab

        return read_instructlab(name, theirs, path.parent, scaled)
    reading = read_yaml(data, str(path))
    if reading.source is None or reading.findings:
        return None, [dataclasses.replace(finding, rule="flow") for finding in reading.findings]
    return read_native(name, reading.source, path.parent)


def _instructlab(data: bytes, path: str) -> Source | None:
    """The file as InstructLab reads it, aliases included, where it is one of its flows."""
    try:
        found = yaml.safe_load(data)
        root = yaml.compose(data, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError):
        return None  # the strict reader says what is wrong
    if not isinstance(found, dict) or "blocks" not in found or root is None:
        return None
    return Source(path, found, root)


def exam_flows_of(recipe: Recipe, kind: Kind) -> list[Flow]:
    """What the exam of a leaf of this kind is enlarged by; a teacher without a model makes up no exercise."""
    if kind != "knowledge" and recipe.teacher.backend == "extractive":
        return []
    return [load_flow(name) for name in EXAM_FLOWS[kind]]


def flows_of(recipe: Recipe, kind: Kind) -> list[Flow]:
    """The flows that a leaf of this kind goes through; ``RecipeError`` where one does not fit it."""
    names: tuple[str, ...] = getattr(recipe.generate.flows, kind)
    flows = [load_flow(name, recipe.generate.scaled) for name in names]
    for flow in flows:
        missing = sorted(flow.needs - OWN[flow.rows].get(kind, frozenset()))
        if kind not in OWN[flow.rows]:
            raise RecipeError(
                f"The flow {flow.name} begins with chunks of a document, and a {kind} has none; "
                f"take it out of generate.flows.{kind}."
            )
        if missing:
            raise RecipeError(
                f"The flow {flow.name} reads {', '.join(missing)}, which a {kind} does not have; "
                f"take it out of generate.flows.{kind}."
            )
    return flows


def kinds_of(flow: Flow) -> Iterator[Kind]:
    """The kinds of leaf that have what the flow reads."""
    for kind in INSTRUCTLAB:
        if flow.needs <= OWN[flow.rows].get(kind, frozenset()) and kind in OWN[flow.rows]:
            yield kind
